//! The clients of one program: one reply queue, one table of waiting calls, a route per service.

use std::{
    collections::HashMap,
    fmt,
    marker::PhantomData,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde::Serialize;
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::{
    Call, ClientOptions,
    directory::Known,
    local::Local,
    policies::ClientPolicies,
    replies::Replies,
    route::{Route, WirePath},
};
use crate::{
    Result,
    codec::{Codecs, EncodeError, Format},
    config::Settings,
    dependency::SetupContext,
    observe::Observer,
    protocol::{Name, encode_request},
    service::{MethodInfo, Outcome, WorkerCall},
    task::Tasks,
    transport::{Requester, Transport, TransportOptions},
};

/// What clients do where a call does not say.
#[derive(Debug, Clone)]
pub(crate) struct ClientSettings {
    pub(crate) timeout: Duration,
    /// What typed clients speak on the short path.
    pub(crate) peer_format: Format,
    /// What is spoken to strangers.
    pub(crate) open_format: Format,
    pub(crate) max_body_bytes: usize,
    pub(crate) parent_calls_tracked: usize,
    pub(crate) rpc_exchange: Name,
}

impl ClientSettings {
    pub(crate) fn read(settings: &Settings, options: &TransportOptions) -> Result<Self> {
        let timeout = settings.duration("rpc_timeout", Duration::from_secs(30))?;
        if timeout.is_zero() {
            return Err(settings.refuse("rpc_timeout", "`0s` would end every call at once; leave it out for `30s`"));
        }
        Ok(Self {
            timeout,
            peer_format: format_setting(settings, "rpc_codec", Format::MessagePack)?,
            open_format: format_setting(settings, "serializer", Format::Json)?,
            max_body_bytes: body_limit(settings)?,
            rpc_exchange: options.rpc_exchange.clone(),
            parent_calls_tracked: settings
                .get("parent_calls_tracked")?
                .unwrap_or(crate::protocol::context_data::PARENT_CALLS_TRACKED),
        })
    }
}

/// The largest body of a request or a reply, sent or received.
pub(crate) fn body_limit(settings: &Settings) -> Result<usize> {
    match settings.get("max_body_bytes")? {
        Some(0) => Err(settings.refuse("max_body_bytes", "0 would refuse every message; leave it out for 16 MiB")),
        limit => Ok(limit.unwrap_or(16 * 1024 * 1024)),
    }
}

pub(crate) fn format_setting(settings: &Settings, key: &str, default: Format) -> Result<Format> {
    match settings.get::<String>(key)?.as_deref() {
        None => Ok(default),
        Some("msgpack") => Ok(Format::MessagePack),
        Some("json") => Ok(Format::Json),
        Some(other) => Err(settings.refuse(key, format!("no codec is called `{other}`: write `msgpack` or `json`"))),
    }
}

/// How many services are remembered that nobody calls at the moment.
const ROUTES_KEPT: usize = 1024;

/// What all clients of one program share.
pub(crate) struct RpcClient {
    transport: Arc<dyn Transport>,
    requester: OnceCell<Arc<dyn Requester>>,
    pub(super) replies: Arc<Replies>,
    routes: Mutex<HashMap<Name, Arc<Route>>>,
    pub(super) codecs: Arc<Codecs>,
    pub(crate) settings: ClientSettings,
    pub(crate) known: Known,
    pub(super) observer: Arc<Observer>,
    owner: String,
    /// What the ids of calls made outside any worker start with, as Nameko's standalone client forms them.
    pub(super) standalone_id: String,
}

impl RpcClient {
    pub(crate) fn new(
        transport: Arc<dyn Transport>,
        owner: &str,
        codecs: Arc<Codecs>,
        settings: ClientSettings,
        tasks: &Tasks,
        observer: Arc<Observer>,
    ) -> Arc<Self> {
        let (replies, mut looks) = Replies::new(tasks, settings.max_body_bytes);
        let (looking, waiting) = (transport.clone(), Arc::downgrade(&replies));
        tasks.spawn_detached(async move {
            while let Some(route) = looks.recv().await {
                if let Some(at) = route.look(&*looking).await
                    && let Some(replies) = waiting.upgrade()
                {
                    replies.queue_gone(&route, at);
                }
            }
        });
        Arc::new(Self {
            transport,
            requester: OnceCell::new(),
            replies,
            routes: Mutex::default(),
            codecs,
            settings,
            known: Known::default(),
            owner: owner.to_owned(),
            observer,
            standalone_id: format!("standalone_rpc_client.{}", Uuid::new_v4()),
        })
    }

    pub(super) fn route(&self, service: &Name) -> Arc<Route> {
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(route) = routes.get(service) {
            return route.clone();
        }
        // Names may come from anywhere. A route that no client and no call holds is found again by asking.
        if routes.len() >= ROUTES_KEPT {
            routes.retain(|_, route| Arc::strong_count(route) > 1);
        }
        routes.entry(service.clone()).or_insert_with(|| Arc::new(Route::new(service.clone()))).clone()
    }

    /// The requester, opened with the first call so that a program that makes none has no reply queue.
    pub(super) async fn requester(&self) -> Result<&Arc<dyn Requester>> {
        self.requester.get_or_try_init(|| self.transport.open_requester(&self.owner, self.replies.clone())).await
    }

    pub(super) fn opened(&self) -> Option<&Arc<dyn Requester>> {
        self.requester.get()
    }

    pub(crate) fn transport(&self) -> &Arc<dyn Transport> {
        &self.transport
    }

    /// How many calls wait for a reply.
    pub(crate) fn pending(&self) -> usize {
        self.replies.len()
    }

    /// The codec for a path.
    pub(super) fn format_for(&self, path: WirePath) -> &Format {
        match path {
            WirePath::Short => &self.settings.peer_format,
            WirePath::Nameko => &self.settings.open_format,
        }
    }
}

impl fmt::Debug for RpcClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RpcClient").field("transport", &self.transport).field("pending", &self.pending()).finish()
    }
}

/// The client of one service, as generated clients are made of.
#[derive(Clone)]
pub struct ServiceClient {
    pub(super) service: Name,
    pub(super) target: Target,
    /// How long its calls wait, where neither the call nor the method says.
    timeout: Option<Duration>,
    pub(super) policies: Option<Arc<ClientPolicies>>,
}

#[derive(Clone)]
pub(super) enum Target {
    Remote { rpc: Arc<RpcClient>, route: Arc<Route> },
    Local(Arc<Local>),
}

/// A method as its client calls it.
#[derive(Debug, Clone, Copy)]
pub struct ClientMethod {
    /// The name on the wire.
    pub name: &'static str,
    /// How long to wait for a reply, where the call does not say.
    pub timeout: Option<Duration>,
}

/// A generated client.
pub trait TypedClient: Clone + Send + Sync + 'static {
    /// The service that it calls.
    const SERVICE: &'static str;

    /// Its methods, each by its name in the code and by its name on the wire.
    const METHODS: &'static [(&'static str, &'static str)];

    /// Wraps the untyped one.
    fn from_client(client: ServiceClient) -> Self;
}

impl ServiceClient {
    pub(crate) fn remote(rpc: Arc<RpcClient>, service: Name, timeout: Option<Duration>) -> Self {
        rpc.known.add(service.clone());
        Self { timeout, ..Self::unregistered(rpc, service) }
    }

    /// The client of a field, with the policies that its options and the settings say.
    pub(crate) fn of_field<C: TypedClient>(cx: &SetupContext, options: ClientOptions) -> Result<Self> {
        let (policies, timeout) = ClientPolicies::read::<C>(cx, options)?;
        let client = Self::remote(cx.rpc().clone(), C::SERVICE.into(), timeout);
        Ok(Self { policies: policies.map(Arc::new), ..client })
    }

    pub(super) fn unregistered(rpc: Arc<RpcClient>, service: Name) -> Self {
        let route = rpc.route(&service);
        Self { service, target: Target::Remote { rpc, route }, timeout: None, policies: None }
    }

    /// A client that calls a service value in this process, through encoding and decoding, so that a fake cannot hide a type that does not travel.
    pub fn local(
        service: &'static str,
        methods: &'static [MethodInfo],
        dispatch: impl Fn(WorkerCall) -> BoxFuture<'static, Outcome> + Send + Sync + 'static,
    ) -> Self {
        let target = Target::Local(Arc::new(Local { service, methods, dispatch: Box::new(dispatch) }));
        Self { service: service.into(), target, timeout: None, policies: None }
    }

    /// A call of a method, its arguments encoded now, so that it borrows nothing.
    pub fn call<T, E>(&self, method: ClientMethod, kwargs: &(impl Serialize + ?Sized)) -> Call<T, E> {
        let (format, body) = match &self.target {
            Target::Remote { rpc, .. } => {
                let format = &rpc.settings.peer_format;
                (format.clone(), encode_request::<[(); 0], _>(format, &[], kwargs))
            }
            Target::Local(_) => (Format::MessagePack, encode_request::<[(); 0], _>(&Format::MessagePack, &[], kwargs)),
        };
        Call { declared: true, ..self.encoded(method.name.into(), method.timeout, format, body) }
    }

    pub(super) fn encoded<T, E>(
        &self,
        method: Name,
        timeout: Option<Duration>,
        format: Format,
        body: Result<Bytes, EncodeError>,
    ) -> Call<T, E> {
        let of_method = self.policies.as_ref().and_then(|policies| policies.timeout_of(&method));
        Call {
            client: self.clone(),
            method,
            format,
            body,
            timeout: of_method.or(timeout).or(self.timeout),
            headers: Vec::new(),
            declared: false,
            answer: PhantomData,
        }
    }
}

impl fmt::Debug for ServiceClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceClient").field("service", &self.service).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_that_were_tried_once_are_forgotten() {
        let transport = crate::transport::MemoryTransport::open("");
        let settings = ClientSettings::read(&Settings::default(), &TransportOptions::default()).unwrap();
        let client =
            RpcClient::new(transport, "test", Arc::new(Codecs::default()), settings, &Tasks::new(), Observer::off());
        let kept = client.route(&"kept".into());
        for number in 0..10 * ROUTES_KEPT {
            client.route(&format!("tried-{number}").into());
        }
        assert!(client.routes.lock().unwrap().len() <= ROUTES_KEPT);
        assert!(Arc::ptr_eq(&kept, &client.route(&"kept".into())), "what somebody holds stays");
    }
}
