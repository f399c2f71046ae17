//! A `#[saga]` block.

use std::collections::HashMap;

use proc_macro2::Span;
use quote::ToTokens;
use syn::{Attribute, Ident, Signature, Type, parse_quote, spanned::Spanned};

use super::{
    MethodModel, Output,
    output::ungrouped,
    step::{Compensation, Condition, Giving, Scope, StepModel, output_type},
};
use crate::{
    args::{Compensate, SagaArgs, StepArgs},
    check,
    diag::Diag,
    syntax::{ImplBlock, doc_text, take_ours},
};

pub(crate) struct SagaModel {
    pub(crate) args: SagaArgs,
    pub(crate) self_ty: Type,
    pub(crate) doc: String,
    pub(crate) input: Type,
    pub(crate) steps: Vec<StepModel>,
    pub(crate) span: Span,
}

/// A method, before it is known what its parameters mean.
struct Marked {
    args: StepArgs,
    sig: Signature,
    doc: String,
}

impl SagaModel {
    /// Reads a block and takes our attributes off it. `None` after an error.
    pub(crate) fn read(args: SagaArgs, block: &mut ImplBlock, diag: &mut Diag) -> Option<Self> {
        let clean = diag.count();
        let ident = check::saga_head(&block.head, diag);
        let mut methods: HashMap<String, Signature> = HashMap::new();
        let mut marked = Vec::new();
        for method in block.body.methods_mut() {
            let steps = take_ours(&mut method.attrs, "step", &args.krate);
            let waits = take_ours(&mut method.attrs, "wait", &args.krate);
            methods.insert(method.sig.ident.to_string(), method.sig.clone());
            let attrs: Vec<(&Attribute, bool)> =
                steps.iter().map(|attr| (attr, false)).chain(waits.iter().map(|attr| (attr, true))).collect();
            if let Some((attr, _)) = attrs.get(1) {
                diag.on(attr, "a method is one step: leave one of the attributes out");
            }
            let Some((attr, wait)) = attrs.first() else { continue };
            check::step(&method.sig, diag);
            if let Some(cfg) = method.attrs.iter().find(|attr| attr.path().is_ident("cfg")) {
                let text = "a step cannot be there or not by `cfg`: a saga that another build began would not fit; write `when`";
                diag.on(cfg, text);
            }
            let args = StepArgs::parse(attr, *wait, diag);
            marked.push(Marked { args, sig: method.sig.clone(), doc: doc_text(&method.attrs) });
        }
        if marked.is_empty() {
            let text = "a saga without steps does nothing: mark its methods `#[step]`, in the order in which they run";
            diag.at(block.head.self_ty.span(), text);
        }
        check::pivot(marked.iter().map(|marked| (&marked.sig.ident, &marked.args)), diag);
        if diag.count() > clean {
            return None;
        }
        let input = input(&args, marked.first()?, diag)?;
        let steps = Reader { methods: &methods, input: &input }.read(marked, diag);
        ident?;
        (diag.count() == clean).then(|| Self {
            args,
            self_ty: ungrouped(&block.head.self_ty).clone(),
            doc: doc_text(&block.head.attrs),
            input,
            steps,
            span: block.head.self_ty.span(),
        })
    }

    /// Whether what the saga ends with may be missing.
    pub(crate) fn last_is_optional(&self) -> bool {
        self.steps.last().is_some_and(|step| step.condition.is_some())
    }
}

/// What is written, or what the first step takes.
fn input(args: &SagaArgs, first: &Marked, diag: &mut Diag) -> Option<Type> {
    if let Some(path) = &args.input {
        return Some(parse_quote!(#path));
    }
    let borrowed = |arg: &syn::FnArg| match arg {
        syn::FnArg::Typed(param) => match ungrouped(&param.ty) {
            Type::Reference(reference) => Some(ungrouped(&reference.elem).clone()),
            _ => None,
        },
        syn::FnArg::Receiver(_) => None,
    };
    let mut taken = first.sig.inputs.iter().filter_map(borrowed);
    let input = taken.next();
    if let Some(second) = taken.next() {
        let text = "the first step takes the saga's input and nothing else, since nothing was returned before it: put both into one type";
        diag.on(second, text);
        return None;
    }
    Some(input.unwrap_or_else(|| parse_quote!(())))
}

struct Reader<'a> {
    methods: &'a HashMap<String, Signature>,
    input: &'a Type,
}

impl Reader<'_> {
    fn read(&self, marked: Vec<Marked>, diag: &mut Diag) -> Vec<StepModel> {
        let givings: Vec<Giving> = marked
            .iter()
            .map(|marked| Giving {
                step: marked.sig.ident.clone(),
                ty: output_type(&Output::read(&marked.sig.output)),
                optional: marked.args.when.is_some(),
            })
            .collect();
        let pivot = marked.iter().position(|marked| marked.args.compensate.is_none());
        let mut steps = Vec::new();
        for (place, marked) in marked.into_iter().enumerate() {
            let scope = Scope { input: self.input, before: &givings[..place], after: &givings[place..] };
            let output = givings[place].ty.clone();
            let (signal, params) = scope.step(&marked.sig, marked.args.wait, diag);
            let condition = marked.args.when.as_ref().and_then(|when| self.condition(when, &scope, diag));
            let compensation = match &marked.args.compensate {
                Some(Compensate::By(name)) => self.compensation(name, &marked.sig.ident, &output, &scope, diag),
                Some(Compensate::None(_)) | None => None,
            };
            steps.push(StepModel {
                method: method(&marked),
                args: marked.args,
                doc: marked.doc,
                output,
                signal,
                params,
                condition,
                compensation,
                pivot: pivot == Some(place),
            });
        }
        steps
    }

    fn find(&self, name: &Ident, instead: &str, diag: &mut Diag) -> Option<&Signature> {
        let found = self.methods.get(&name.to_string());
        if found.is_none() {
            let near = kinoko_text::nearest(&name.to_string(), self.methods.keys().map(String::as_str));
            let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
            diag.on(name, format!("this block has no method `{name}`: {near}{instead}"));
        }
        found
    }

    fn condition(&self, name: &Ident, scope: &Scope<'_>, diag: &mut Diag) -> Option<Condition> {
        let instead = format!("write `fn {name}(&self, …) -> bool`");
        let sig = self.find(name, &instead, diag)?;
        check::step(sig, diag);
        if let Some(word) = &sig.asyncness {
            diag.on(word, "`when` is asked between two steps and must not wait: make what it needs a step before, and take its output");
        }
        let is_bool = matches!(&sig.output, syn::ReturnType::Type(_, ty) if ty.to_token_stream().to_string() == "bool");
        if !is_bool {
            diag.on(&sig.ident, "`when` says whether the step is run: it returns `bool`");
        }
        let (_, params) = scope.step(sig, false, diag);
        Some(Condition { ident: name.clone(), params })
    }

    fn compensation(
        &self,
        name: &Ident,
        step: &Ident,
        output: &Type,
        scope: &Scope<'_>,
        diag: &mut Diag,
    ) -> Option<Compensation> {
        let taken = output.to_token_stream();
        let instead = format!("write `async fn {name}(&self, …: {})`, or `compensate = none`", super::spelled(&taken));
        let sig = self.find(name, &instead, diag)?;
        check::step(sig, diag);
        scope.compensation(name, step, sig, output, diag)
    }
}

fn method(marked: &Marked) -> MethodModel {
    MethodModel {
        first: 0,
        ident: marked.sig.ident.clone(),
        doc: String::new(),
        docs: Vec::new(),
        cfgs: Vec::new(),
        is_async: marked.sig.asyncness.is_some(),
        params: Vec::new(),
        output: Output::read(&marked.sig.output),
        access: None,
    }
}
