//! Rules over several items at once, and over whole signatures and heads.

use std::collections::HashMap;

use quote::ToTokens;
use syn::{
    FnArg, GenericParam, Generics, Ident, ItemImpl, ItemTrait, PathArguments, ReceiverKind, Safety, Signature, Type,
    TypePath, ext::IdentExt,
};

use crate::{
    args::{Compensate, StepArgs},
    diag::Diag,
    model::{
        Access, ConsumerModel, Entrypoints, ErrorKind, ErrorModel, GrpcModel, HttpModel, MethodModel, Role, RpcModel,
        ungrouped,
    },
};

/// What every method that callers reach has to look like.
pub(crate) fn signature(sig: &Signature, diag: &mut Diag) {
    receiver(sig, diag);
    method_generics(&sig.generics, diag);
    if let Some(word) = &sig.constness {
        diag.on(word, "an entrypoint runs in a worker, never in a constant: leave `const` out");
    }
    if let Safety::Unsafe(word) = &sig.safety {
        diag.on(word, "an entrypoint cannot be unsafe: callers can promise nothing");
    }
    if let Some(abi) = &sig.abi {
        diag.on(abi, "an entrypoint is called by the framework: leave `extern` out");
    }
}

fn receiver(sig: &Signature, diag: &mut Diag) {
    let text = "an entrypoint takes `&self`: workers share the service, so use a `Mutex` or an atomic for state";
    match sig.inputs.first() {
        Some(FnArg::Receiver(receiver)) => match &receiver.kind {
            ReceiverKind::Reference(_, None, None) if receiver.mutability.is_none() => {}
            ReceiverKind::Reference(_, Some(lifetime), None) => {
                diag.on(lifetime, "leave the lifetime out: an entrypoint takes `&self`");
            }
            _ => diag.on(receiver, text),
        },
        Some(FnArg::Typed(_)) | None => diag.on(&sig.ident, text),
    }
}

fn method_generics(generics: &Generics, diag: &mut Diag) {
    let text = "an entrypoint cannot be generic: the caller's bytes do not choose a type; write the concrete type";
    for param in &generics.params {
        match param {
            GenericParam::Lifetime(lifetime) => {
                diag.on(
                    lifetime,
                    "an entrypoint has no lifetime parameters: leave them out, borrows last as long as the call",
                );
            }
            GenericParam::Type(_) | GenericParam::Const(_) => diag.on(param, text),
        }
    }
    if let Some(clause) = &generics.where_clause {
        diag.on(clause, "an entrypoint has no bounds: its types are concrete");
    }
}

/// Names that are taken twice, and names that the client has itself.
///
/// A method that the client cannot have leaves the list, so that the client is without mistakes.
pub(crate) fn methods(methods: &mut Vec<RpcModel>, diag: &mut Diag) {
    methods.retain(|rpc| {
        let taken = rpc.method.ident.unraw() == "from_service";
        if taken {
            let text = "`from_service` is the client's own: give the method another name and keep this one for callers with \
                        `#[rpc(name = \"from_service\")]`";
            diag.on(&rpc.method.ident, text);
        }
        !taken
    });
    names(methods, diag);
}

/// Names that are taken twice.
pub(crate) fn names(methods: &[RpcModel], diag: &mut Diag) {
    let mut names: HashMap<&str, &RpcModel> = HashMap::new();
    for rpc in methods {
        // With `cfg` on both, there may be one of them in each build.
        match names.insert(&rpc.by.wire_name, rpc) {
            Some(first) if first.method.cfgs.is_empty() || rpc.method.cfgs.is_empty() => {
                let text =
                    format!("two methods named `{}`: a caller could not choose; rename one of them", rpc.by.wire_name);
                diag.at(rpc.by.renamed.unwrap_or(rpc.method.span()), text);
            }
            _ => {}
        }
    }
}

/// Two methods that would take from one queue. Of event handlers the compiler tells, since it knows the events.
pub(crate) fn queues(consumers: &[ConsumerModel], diag: &mut Diag) {
    let mut seen: HashMap<String, &ConsumerModel> = HashMap::new();
    for consumer in consumers {
        let Some(queue) = &consumer.by.queue else { continue };
        match seen.insert(queue.value(), consumer) {
            Some(first) if first.method.cfgs.is_empty() || consumer.method.cfgs.is_empty() => {
                let text = "the service consumes this queue already, and each message would go to one of the methods, nobody \
                            knows which: leave one of them out";
                diag.on(queue, text);
            }
            _ => {}
        }
    }
}

/// Two methods that answer the same requests.
pub(crate) fn routes(routes: &[HttpModel], diag: &mut Diag) {
    let mut seen: HashMap<(&str, String), &HttpModel> = HashMap::new();
    for route in routes {
        let args = &route.by.args;
        match seen.insert((&args.verb, args.path.shape()), route) {
            Some(first) if first.method.cfgs.is_empty() || route.method.cfgs.is_empty() => {
                let (verb, path, other) = (&args.verb, &first.by.args.path.text, &first.method.ident);
                let text = format!(
                    "`{other}` answers {verb} {path} already, and nobody could tell whom a request means: write another path or method"
                );
                diag.at(args.path.span, text);
            }
            _ => {}
        }
    }
}

/// Two methods that serve one method of a `.proto` file.
pub(crate) fn grpc(methods: &[GrpcModel], diag: &mut Diag) {
    let mut seen: HashMap<String, &GrpcModel> = HashMap::new();
    for grpc in methods {
        let (service, name) = (grpc.by.service.to_token_stream().to_string().replace(' ', ""), grpc.by.name.unraw());
        match seen.insert(format!("{service}::{name}"), grpc) {
            Some(first) if first.method.cfgs.is_empty() || grpc.method.cfgs.is_empty() => {
                let other = &first.method.ident;
                diag.at(
                    grpc.by.args.span,
                    format!("`{other}` serves `{service}::{name}` already: leave one of them out"),
                );
            }
            _ => {}
        }
    }
}

/// What `#[guard]` and `#[public]` can be said of: what somebody calls.
pub(crate) fn access(access: &Access, role: Role, is_fired: bool, has_callers: bool, diag: &mut Diag) {
    let word = access.word();
    if role == Role::Contract {
        let text =
            format!("who may call is the service's own choice: write `#[{word}]` on its method, not in the contract");
        diag.at(access.span, text);
    } else if !is_fired {
        let text = format!(
            "`#[{word}]` works on methods that something fires: mark the method, `#[rpc]` for one, or leave it out"
        );
        diag.at(access.span, text);
    } else if !has_callers {
        let text = format!("the clock has no token, and what it fires needs none: leave `#[{word}]` out");
        diag.at(access.span, text);
    }
}

/// Several messages at once have several callers.
pub(crate) fn guarded_batch(method: &MethodModel, is_batch: bool, diag: &mut Diag) {
    if let Some(access) = method.access.as_ref().filter(|access| access.is_guard() && is_batch) {
        let text = "`#[guard]` looks at one caller's token, and the messages of a batch have one each: leave `batch` out, or write `#[public]`";
        diag.at(access.span, text);
    }
}

/// The same where the whole block is guarded.
pub(crate) fn batches_of_guarded(entrypoints: &Entrypoints, block: Option<&Access>, diag: &mut Diag) {
    if !block.is_some_and(Access::is_guard) {
        return;
    }
    let events = entrypoints.events.iter().map(|event| (&event.method, &event.by.handling));
    let consumers = entrypoints.consumers.iter().map(|consumer| (&consumer.method, &consumer.by.handling));
    for (method, handling) in events.chain(consumers) {
        if handling.batch.is_some() && method.access.is_none() {
            let text = "the block's `#[guard]` looks at one caller's token, and the messages of a batch have one each: leave `batch` out, or \
                        write `#[public]` here";
            diag.at(method.span(), text);
        }
    }
}

/// In a block that serves a contract, names come from the contract.
pub(crate) fn contract_service(methods: &[RpcModel], diag: &mut Diag) {
    for rpc in methods {
        if let Some(span) = rpc.by.renamed {
            diag.at(span, "the contract names its methods: write `name` there, or leave it out");
        }
    }
}

/// The part of a service block before its braces. Gives the type's name.
pub(crate) fn service_head(head: &ItemImpl, diag: &mut Diag) -> Option<Ident> {
    let clean = diag.count();
    if let Some((path, _)) = &head.trait_ {
        let name = path.to_token_stream().to_string().replace(' ', "");
        let text = format!(
            "`#[service]` goes on the inherent block, `impl {0} {{ … }}`; a contract's trait is served by \
             `#[service(contract = {name})] impl {0} {{}}` beside this block",
            head.self_ty.to_token_stream()
        );
        diag.on(path, text);
    }
    if !head.generics.params.is_empty() {
        diag.on(
            &head.generics,
            "a service is one concrete type: the container could not choose; write the concrete type",
        );
    }
    let ident = match ungrouped(&head.self_ty) {
        Type::Path(TypePath { qself: None, path, .. }) => path.segments.last(),
        _ => None,
    };
    match ident {
        Some(last) if matches!(last.arguments, PathArguments::None) => {
            (diag.count() == clean).then(|| last.ident.clone())
        }
        // Told above.
        Some(_) if !head.generics.params.is_empty() => None,
        Some(last) => {
            diag.on(&last.arguments, "a service is a struct without parameters: put it into a struct of its own");
            None
        }
        None => {
            diag.on(&head.self_ty, "a service is a struct: write `impl SomeStruct`");
            None
        }
    }
}

/// The part of a saga before its braces. Gives the type's name.
pub(crate) fn saga_head(head: &ItemImpl, diag: &mut Diag) -> Option<Ident> {
    if let Some((path, _)) = &head.trait_ {
        let text =
            format!("`#[saga]` goes on the inherent block: write `impl {} {{ … }}`", head.self_ty.to_token_stream());
        diag.on(path, text);
        return None;
    }
    if !head.generics.params.is_empty() {
        diag.on(&head.generics, "a saga is one concrete type: a log could not tell which; write the concrete type");
        return None;
    }
    match ungrouped(&head.self_ty) {
        Type::Path(TypePath { qself: None, path, .. }) => path.segments.last().map(|last| last.ident.clone()),
        _ => {
            diag.on(&head.self_ty, "a saga is a struct: write `impl SomeStruct`");
            None
        }
    }
}

/// What every method that a saga calls has to look like.
pub(crate) fn step(sig: &Signature, diag: &mut Diag) {
    let borrows = matches!(
        sig.inputs.first(),
        Some(FnArg::Receiver(receiver))
            if matches!(receiver.kind, ReceiverKind::Reference(_, None, None)) && receiver.mutability.is_none()
    );
    if !borrows {
        diag.on(&sig.ident, "a saga's methods take `&self`: all sagas of a process share the struct");
    }
    if !sig.generics.params.is_empty() {
        diag.on(
            &sig.generics,
            "a saga's methods cannot be generic: the log does not choose a type; write the concrete type",
        );
    }
    if let Safety::Unsafe(word) = &sig.safety {
        diag.on(word, "a saga's methods cannot be unsafe: the log can promise nothing");
    }
}

/// After the first step without a compensation nothing is taken back any more.
pub(crate) fn pivot<'a>(steps: impl Iterator<Item = (&'a Ident, &'a StepArgs)>, diag: &mut Diag) {
    let mut pivot: Option<&Ident> = None;
    for (name, args) in steps {
        match (&args.compensate, pivot) {
            (None, None) => pivot = Some(name),
            (Some(Compensate::By(undo)), Some(pivot)) => {
                let text = format!(
                    "there is no going back after `{pivot}`, which has no `compensate`: leave this one out, or write \
                     `compensate = none` on `{pivot}` if there is nothing to take back of it"
                );
                diag.on(undo, text);
            }
            (Some(none), Some(pivot)) => {
                diag.on(none.ident(), format!("there is no going back after `{pivot}`: leave this out"));
            }
            _ => {}
        }
    }
}

/// The part of a contract before its braces.
pub(crate) fn contract_head(head: &ItemTrait, diag: &mut Diag) {
    if !head.generics.params.is_empty() {
        diag.on(&head.generics, "a contract is the same for all callers: write concrete types instead of parameters");
    } else if let Some(clause) = &head.generics.where_clause {
        diag.on(clause, "a contract has no bounds: leave `where` out");
    }
    if let Some(word) = &head.unsafety {
        diag.on(word, "a contract cannot be unsafe: callers can promise nothing");
    }
}

/// One code for two variants of an error.
pub(crate) fn codes(model: &ErrorModel, diag: &mut Diag) {
    let mut seen: Vec<&str> = Vec::new();
    for variant in &model.variants {
        let ErrorKind::Data { code, code_span, .. } = &variant.kind else { continue };
        if seen.contains(&code.as_str()) {
            diag.at(*code_span, format!("code `{code}` is used twice: the caller could not tell the variants apart"));
        }
        seen.push(code);
    }
}
