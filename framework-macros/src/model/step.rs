//! One step of a saga, and where its parameters come from.

use syn::{FnArg, GenericArgument, Ident, PatType, PathArguments, ReturnType, Signature, Type, TypePath, parse_quote};

use super::{
    MethodModel, Output,
    output::{same, ungrouped},
    spelled,
};
use crate::{args::StepArgs, diag::Diag};

pub(crate) struct StepModel {
    pub(crate) args: StepArgs,
    pub(crate) method: MethodModel,
    pub(crate) doc: String,
    /// What it returns where it succeeds, as it is written.
    pub(crate) output: Type,
    /// What its signal carries.
    pub(crate) signal: Option<Type>,
    pub(crate) params: Vec<Source>,
    pub(crate) condition: Option<Condition>,
    pub(crate) compensation: Option<Compensation>,
    pub(crate) pivot: bool,
}

/// `when = …`
pub(crate) struct Condition {
    pub(crate) ident: Ident,
    pub(crate) params: Vec<Source>,
}

/// `compensate = …`
pub(crate) struct Compensation {
    pub(crate) ident: Ident,
    pub(crate) is_async: bool,
    pub(crate) params: Vec<Source>,
    pub(crate) takes_unknown: bool,
    pub(crate) returns: Option<Type>,
    /// Where it is told that it must take more.
    pub(crate) own: Type,
}

/// Where a parameter comes from.
pub(crate) struct Source {
    /// What is read from the log.
    pub(crate) ty: Type,
    pub(crate) from: From,
}

#[derive(Clone, Copy)]
pub(crate) enum From {
    Input,
    Output(usize),
    /// Of a step that may have been skipped.
    Optional(usize),
    Signal,
    /// The compensated step's own, by value.
    Own,
    /// The same, or that nobody knows.
    Outcome,
}

/// What a step returns.
pub(crate) struct Giving {
    pub(crate) step: Ident,
    pub(crate) ty: Type,
    pub(crate) optional: bool,
}

/// What a step can take.
pub(crate) struct Scope<'a> {
    pub(crate) input: &'a Type,
    pub(crate) before: &'a [Giving],
    /// The step itself, and those after it.
    pub(crate) after: &'a [Giving],
}

/// The type of a success, as it is written. Of `Result<T>`, an alias with one parameter, `T`.
pub(super) fn output_type(output: &Output) -> Type {
    match output {
        Output::Plain(None) => parse_quote!(()),
        Output::Plain(Some(ty)) => ty.clone(),
        Output::Result(result) => ungrouped(&result.ok).clone(),
        Output::Unknown(ty) => one_argument(ty, "Result").unwrap_or_else(|| ty.clone()),
    }
}

/// The `T` of `Name<T>`.
fn one_argument(ty: &Type, name: &str) -> Option<Type> {
    let Type::Path(TypePath { qself: None, path, .. }) = ungrouped(ty) else { return None };
    let last = path.segments.last().filter(|last| last.ident == name)?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match (arguments.args.first(), arguments.args.len()) {
        (Some(GenericArgument::Type(ty)), 1) => Some(ungrouped(ty).clone()),
        _ => None,
    }
}

/// The `T` of `&T`.
fn borrowed(ty: &Type) -> Option<&Type> {
    match ungrouped(ty) {
        Type::Reference(reference) if reference.mutability.is_none() => Some(ungrouped(&reference.elem)),
        _ => None,
    }
}

fn is_unit(ty: &Type) -> bool {
    matches!(ty, Type::Tuple(tuple) if tuple.elems.is_empty())
}

fn params(sig: &Signature) -> impl Iterator<Item = &PatType> {
    sig.inputs.iter().filter_map(|arg| match arg {
        FnArg::Typed(param) => Some(param),
        FnArg::Receiver(_) => None,
    })
}

impl Scope<'_> {
    /// The parameters of a step or of its condition. Of one that waits, the first is what its signal carries.
    pub(super) fn step(&self, sig: &Signature, wait: bool, diag: &mut Diag) -> (Option<Type>, Vec<Source>) {
        let mut signal = None;
        let mut sources = Vec::new();
        for (place, param) in params(sig).enumerate() {
            let ty = ungrouped(&param.ty);
            if wait && place == 0 {
                if borrowed(ty).is_some() {
                    let text = "the first parameter is what the signal carries, by value; what earlier steps returned comes after it";
                    diag.on(ty, text);
                    continue;
                }
                signal = Some(ty.clone());
                sources.push(Source { ty: ty.clone(), from: From::Signal });
                continue;
            }
            sources.extend(self.resolve(ty, diag));
        }
        if wait && signal.is_none() && diag.is_empty() {
            let text = "a step that waits takes what its signal carries as its first parameter: `_: ()` where it carries nothing";
            diag.on(&sig.ident, text);
        }
        (signal, sources)
    }

    /// The parameters of a compensation.
    pub(super) fn compensation(
        &self,
        name: &Ident,
        step: &Ident,
        sig: &Signature,
        output: &Type,
        diag: &mut Diag,
    ) -> Option<Compensation> {
        let mut sources = Vec::new();
        let mut own = None;
        let mut takes_unknown = false;
        for param in params(sig) {
            let ty = ungrouped(&param.ty);
            let of_outcome = one_argument(ty, "Outcome");
            if borrowed(ty).is_some() || borrowed_option(ty).is_some() {
                sources.extend(self.resolve(ty, diag));
            } else if own.is_some() {
                diag.on(ty, format!("`{name}` takes what `{step}` returned once: leave this one out"));
            } else if same(ty, output) && of_outcome.is_none() {
                own = Some(ty.clone());
                sources.push(Source { ty: ty.clone(), from: From::Own });
            } else if let Some(inner) = of_outcome.filter(|inner| same(inner, output)) {
                own = Some(ty.clone());
                takes_unknown = true;
                sources.push(Source { ty: inner, from: From::Outcome });
            } else {
                let output = spelled(output);
                let text = format!("`{step}` returns `{output}`: take that, by value, or `Outcome<{output}>`");
                diag.on(ty, text);
                own = Some(ty.clone());
            }
        }
        if own.is_none() && !is_unit(output) {
            let output = spelled(output);
            let text = format!(
                "`{name}` takes back `{step}`, and takes nothing of what that returned: add a parameter `{output}`, or `Outcome<{output}>`"
            );
            diag.on(&sig.ident, text);
        }
        let returns = match &sig.output {
            ReturnType::Default => None,
            ReturnType::Type(_, ty) => Some(ungrouped(ty).clone()),
        };
        // The name where it is written, so that errors point there.
        let own = own.unwrap_or_else(|| {
            let ident = &sig.ident;
            parse_quote!(#ident)
        });
        Some(Compensation {
            ident: name.clone(),
            is_async: sig.asyncness.is_some(),
            params: sources,
            takes_unknown,
            returns,
            own,
        })
    }

    /// Where a borrowed parameter comes from.
    fn resolve(&self, ty: &Type, diag: &mut Diag) -> Option<Source> {
        let optional = borrowed_option(ty);
        let Some(wanted) = optional.as_ref().or_else(|| borrowed(ty)) else {
            diag.on(ty, format!("what earlier steps returned is borrowed: write `&{}`", spelled(ty)));
            return None;
        };
        let givers: Vec<usize> =
            self.before.iter().enumerate().filter(|(_, giving)| same(&giving.ty, wanted)).map(|(at, _)| at).collect();
        let is_input = same(self.input, wanted);
        let name = spelled(wanted);
        match (is_input, givers.as_slice()) {
            (true, []) if optional.is_some() => {
                diag.on(ty, format!("the saga's input is always there: write `&{name}`"));
                None
            }
            (true, []) => Some(Source { ty: wanted.clone(), from: From::Input }),
            (false, [giver]) => {
                let giving = &self.before[*giver];
                match (giving.optional, optional.is_some()) {
                    (false, false) => Some(Source { ty: wanted.clone(), from: From::Output(*giver) }),
                    (true, true) => Some(Source { ty: wanted.clone(), from: From::Optional(*giver) }),
                    (true, false) => {
                        let step = &giving.step;
                        diag.on(ty, format!("`{step}` may be skipped, since it has a `when`: write `Option<&{name}>`"));
                        None
                    }
                    (false, true) => {
                        diag.on(ty, format!("`{}` is never skipped: write `&{name}`", giving.step));
                        None
                    }
                }
            }
            (false, []) => {
                diag.on(wanted, self.missing(wanted));
                None
            }
            _ => {
                let mut who: Vec<String> =
                    givers.iter().map(|at| format!("`{}` returns one", self.before[*at].step)).collect();
                if is_input {
                    who.insert(0, "the saga's input is one".to_owned());
                }
                let text = format!(
                    "which `{name}`? {}: give them types of their own, so that a step can say which it takes",
                    who.join(" and ")
                );
                diag.on(wanted, text);
                None
            }
        }
    }

    fn missing(&self, wanted: &Type) -> String {
        let name = spelled(wanted);
        if let Some(later) = self.after.iter().find(|giving| same(&giving.ty, wanted)) {
            return format!("`{}` returns the `{name}`, and that comes no earlier: put it before this one", later.step);
        }
        let mut there = Vec::new();
        if !is_unit(self.input) {
            there.push(format!("`{}` (the input)", spelled(self.input)));
        }
        for giving in self.before.iter().filter(|giving| !is_unit(&giving.ty)) {
            there.push(format!("`{}` (of `{}`)", spelled(&giving.ty), giving.step));
        }
        let there = match there.is_empty() {
            true => {
                "there is nothing before it; a saga's input is what its first step takes, or `input = …`".to_owned()
            }
            false => format!("there is {}", there.join(", ")),
        };
        format!("no earlier step returns a `{name}`, and it is not the saga's input: {there}")
    }
}

/// The `T` of `Option<&T>`.
fn borrowed_option(ty: &Type) -> Option<Type> {
    let inner = one_argument(ty, "Option")?;
    borrowed(&inner).cloned()
}
