//! What fires the methods of a block: one entrypoint for each attribute of each method.

use std::rc::Rc;

use syn::{Attribute, Path};

use super::{
    Access, Entrypoint, Giver, GrpcModel, HttpModel, MethodModel, Role, Rpc, RpcModel, grpc::Grpc, http::Http, payload,
};
use crate::{
    args::{ConsumeArgs, EventHandlerArgs, GrpcArgs, HttpArgs, RpcArgs, TimerArgs},
    check,
    diag::Diag,
    syntax::{Method, take_ours},
};

pub(crate) type EventHandlerModel = Entrypoint<EventHandlerArgs>;
pub(crate) type ConsumerModel = Entrypoint<ConsumeArgs>;
pub(crate) type TimerModel = Entrypoint<TimerArgs>;

/// The entrypoints that are right, in lists by kind.
#[derive(Default)]
pub(crate) struct Entrypoints {
    pub(crate) rpc: Vec<RpcModel>,
    pub(crate) events: Vec<EventHandlerModel>,
    pub(crate) consumers: Vec<ConsumerModel>,
    pub(crate) timers: Vec<TimerModel>,
    pub(crate) routes: Vec<HttpModel>,
    pub(crate) sockets: Vec<RpcModel>,
    pub(crate) grpc: Vec<GrpcModel>,
    /// The service of a `.proto` file that the block names.
    pub(crate) proto: Option<Path>,
    /// How many there are, the wrong ones too.
    pub(crate) count: usize,
}

impl Entrypoints {
    /// Whether something else than an RPC fires one of them.
    pub(crate) fn has_others_than_rpc(&self) -> bool {
        !(self.events.is_empty()
            && self.consumers.is_empty()
            && self.timers.is_empty()
            && self.routes.is_empty()
            && self.sockets.is_empty()
            && self.grpc.is_empty())
    }

    /// The methods whose arguments are decoded by their names, each once.
    pub(crate) fn by_name(&self) -> impl Iterator<Item = &Rc<MethodModel>> {
        let methods = self.rpc.iter().map(|rpc| &rpc.method);
        let methods = methods.chain(self.routes.iter().map(|route| &route.method));
        let methods: Vec<_> = methods.chain(self.sockets.iter().map(|socket| &socket.method)).collect();
        let firsts: Vec<usize> = methods.iter().map(|method| method.first).collect();
        methods
            .into_iter()
            .enumerate()
            .filter(move |(at, method)| !firsts[..*at].contains(&method.first))
            .map(|(_, method)| method)
    }

    /// Reads a method's entrypoints, and takes our attributes off it. Gives whether it has any.
    pub(crate) fn read(&mut self, method: &mut Method, role: Role, krate: &Path, diag: &mut Diag) -> bool {
        let mut found = |name: &str| match role {
            Role::Contract if name != "rpc" => Vec::new(),
            _ => take_ours(&mut method.attrs, name, krate),
        };
        let rpc = found("rpc");
        let (events, consumers, timers) = (found("event_handler"), found("consume"), found("timer"));
        let (routes, sockets, grpc) = (found("http"), found("websocket"), found("grpc"));
        for (once, word) in [(&rpc, "rpc"), (&sockets, "websocket")] {
            if let Some(second) = once.get(1) {
                diag.on(second, format!("`#[{word}]` is given twice: leave one of them out"));
            }
        }
        let (has_http, has_grpc) = (cfg!(feature = "http"), cfg!(feature = "grpc"));
        for (attrs, word, feature, is_there) in [
            (&routes, "http", "http", has_http),
            (&sockets, "websocket", "http", has_http),
            (&grpc, "grpc", "grpc", has_grpc),
        ] {
            if let Some(attr) = attrs.first().filter(|_| !is_there) {
                let text = format!(
                    "`#[{word}]` needs kinoko's feature `{feature}`: write `kinoko = {{ …, features = [\"{feature}\"] }}` in \
                     Cargo.toml"
                );
                diag.on(attr, text);
            }
        }
        let by_rpc = role == Role::Contract || !rpc.is_empty();
        let access = Access::take(&mut method.attrs, krate, diag);
        let first = self.count;
        let others = [&events, &consumers, &timers, &routes, &sockets, &grpc];
        self.count += usize::from(by_rpc) + others.map(Vec::len).iter().sum::<usize>();
        if let Some(access) = &access {
            let of_callers = self.count - first - timers.len();
            check::access(access, role, self.count > first, of_callers > 0, diag);
        }
        if self.count == first {
            return false;
        }
        let giver = Giver { caller: by_rpc || !sockets.is_empty(), request: !routes.is_empty() };
        // All of them are read, whatever is wrong with one.
        let rpc_args = by_rpc.then(|| diag.clean(|diag| read_rpc(rpc.first(), diag)));
        let mut read = Read { index: first + usize::from(by_rpc), diag };
        let events = read.each(&events, EventHandlerArgs::parse);
        let consumers = read.each(&consumers, ConsumeArgs::parse);
        let timers = read.each(&timers, TimerArgs::parse);
        let routes = read.each(&routes, HttpArgs::parse);
        let sockets = read.each(&sockets, |attr, diag| RpcArgs::parse(attr, "websocket", diag));
        let grpc = read.each(&grpc, GrpcArgs::parse);

        let Some(mut model) = MethodModel::read(method, first, giver, role, krate, diag) else { return true };
        let rpc = rpc_args.flatten().and_then(|args| diag.clean(|diag| Rpc::read(args, &mut model, role, diag)));
        let mut routes_read = Vec::new();
        for (index, args) in routes {
            let read = args.and_then(|args| diag.clean(|diag| Http::read(args, &mut model, diag)));
            routes_read.extend(read.map(|by| (index, by)));
        }
        let mut sockets_read = Vec::new();
        for (index, args) in sockets {
            let read = diag.clean(|diag| Rpc::read(args, &mut model, role, diag));
            sockets_read.extend(read.map(|by| (index, by)));
        }
        let mut grpc_read = Vec::new();
        for (index, args) in grpc {
            let read = diag.clean(|diag| Grpc::read(args, self.proto.as_ref(), &model, diag)).flatten();
            grpc_read.extend(read.map(|by| (index, by)));
        }
        model.access = access;
        let method = Rc::new(model);
        self.rpc.extend(rpc.map(|by| Entrypoint { index: first, method: method.clone(), by }));
        self.routes.extend(of(routes_read, &method));
        self.sockets.extend(of(sockets_read, &method));
        self.grpc.extend(of(grpc_read, &method));
        self.events.extend(right(events, &method, diag, |args, diag| {
            payload::check(&method, args.handling.batch.as_ref(), diag);
            check::guarded_batch(&method, args.handling.batch.is_some(), diag);
        }));
        self.consumers.extend(right(consumers, &method, diag, |args, diag| {
            payload::check(&method, args.handling.batch.as_ref(), diag);
            check::guarded_batch(&method, args.handling.batch.is_some(), diag);
        }));
        self.timers.extend(right(timers, &method, diag, |args, diag| payload::none(&method, &args.word, diag)));
        true
    }
}

fn read_rpc(attr: Option<&Attribute>, diag: &mut Diag) -> RpcArgs {
    attr.map(|attr| RpcArgs::parse(attr, "rpc", diag)).unwrap_or_default()
}

/// Reads attributes, each with its index.
struct Read<'a> {
    index: usize,
    diag: &'a mut Diag,
}

impl Read<'_> {
    fn each<A>(&mut self, attrs: &[Attribute], parse: fn(&Attribute, &mut Diag) -> A) -> Vec<(usize, A)> {
        let first = self.index;
        self.index += attrs.len();
        let parsed = attrs.iter().zip(first..).filter_map(|(attr, index)| {
            let args = self.diag.clean(|diag| parse(attr, diag))?;
            Some((index, args))
        });
        parsed.collect()
    }
}

/// Entrypoints of one method.
fn of<A>(read: Vec<(usize, A)>, method: &Rc<MethodModel>) -> impl Iterator<Item = Entrypoint<A>> {
    read.into_iter().map(|(index, by)| Entrypoint { index, method: method.clone(), by })
}

/// Those of a method's entrypoints that its signature fits.
fn right<A>(
    parsed: Vec<(usize, A)>,
    method: &Rc<MethodModel>,
    diag: &mut Diag,
    check: impl Fn(&A, &mut Diag),
) -> Vec<Entrypoint<A>> {
    let right = parsed.into_iter().filter_map(|(index, by)| {
        diag.clean(|diag| check(&by, diag))?;
        Some(Entrypoint { index, method: method.clone(), by })
    });
    right.collect()
}
