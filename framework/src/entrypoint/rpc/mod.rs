//! `#[rpc]`: from a delivery on one of a service's request queues to the reply that goes back.

mod answer;
mod attempts;
mod leaving;
mod serve;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
    time::Duration,
};

use async_trait::async_trait;
use tokio::sync::RwLock;

use self::answer::written;
use super::Entrypoint;
use crate::{
    Result,
    codec::Codecs,
    context::Cancelled,
    observe::{self, EntrypointKind},
    protocol::{Name, names},
    service::{DynService, MethodInfo, ServiceDescriptor},
    task::Tasks,
    transport::{
        Binding, Consumer, ConsumerStatus, Delivery, DeliverySink, Exchange, ExchangeKind, Queue, Topology, Transport,
    },
    worker::{Limits, MethodSlots, Workers},
};

/// How long the queue of the short path outlives its last consumer: long enough for a restart, short enough to leave nothing behind.
const SHORT_QUEUE_EXPIRES: Duration = Duration::from_secs(5 * 60);

/// What the settings say of RPC.
#[derive(Debug, Clone)]
pub(crate) struct RpcSettings {
    /// Only Nameko's path is served.
    pub(crate) nameko_wire: bool,
    /// Where requests and replies of Nameko's path travel.
    pub(crate) rpc_exchange: Name,
    pub(crate) max_body_bytes: usize,
}

/// The RPC side of one container.
pub(crate) struct RpcEntrypoint {
    shared: Arc<Shared>,
    nameko_wire: bool,
    consumers: Mutex<Vec<RunningConsumer>>,
}

/// A consumer of one request queue, and the workers that its deliveries fired.
type RunningConsumer = (Arc<dyn Consumer>, Arc<Workers>);

struct Shared {
    service: Arc<dyn DynService>,
    descriptor: &'static ServiceDescriptor,
    methods: HashMap<&'static str, Method>,
    codecs: Arc<Codecs>,
    limits: Arc<Limits>,
    tasks: Tasks,
    settings: RpcSettings,
    /// Weak: the transport holds its consumers, and they hold this.
    transport: OnceLock<Weak<dyn Transport>>,
    /// Requests for methods that there are none of.
    unknown: OnceLock<Arc<observe::Entrypoint>>,
    /// Held for reading while an attempt is counted.
    counting: RwLock<()>,
}

struct Method {
    info: &'static MethodInfo,
    slots: Arc<MethodSlots>,
    seen: Arc<observe::Entrypoint>,
}

/// The way that a queue's requests came, and their replies go.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Short,
    Nameko,
}

impl RpcEntrypoint {
    pub(crate) fn new(
        service: Arc<dyn DynService>,
        codecs: Arc<Codecs>,
        limits: Arc<Limits>,
        tasks: Tasks,
        settings: RpcSettings,
    ) -> Self {
        let descriptor = service.descriptor();
        let nameko_wire = settings.nameko_wire || descriptor.nameko_wire;
        let methods = descriptor.methods.iter().map(|info| {
            let slots = Arc::new(MethodSlots::new(limits.clone(), info.max_workers));
            let seen = limits.observer().entrypoint(descriptor.name, info.name, EntrypointKind::Rpc, None);
            (info.name, Method { info, slots, seen })
        });
        let shared = Shared {
            methods: methods.collect(),
            service,
            descriptor,
            codecs,
            limits,
            tasks,
            settings,
            transport: OnceLock::new(),
            unknown: OnceLock::new(),
            counting: RwLock::default(),
        };
        Self { shared: Arc::new(shared), nameko_wire, consumers: Mutex::default() }
    }

    /// Takes requests that come by no broker, while the consumers run.
    #[cfg(feature = "testing")]
    pub(crate) fn direct(&self) -> Option<Arc<dyn DeliverySink>> {
        let workers = self.consumers().first()?.1.clone();
        Some(Arc::new(RequestSink { shared: self.shared.clone(), workers, way: Way::Short }))
    }

    fn consumers(&self) -> MutexGuard<'_, Vec<RunningConsumer>> {
        self.consumers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Entrypoint for RpcEntrypoint {
    async fn start(&self, transport: &Arc<dyn Transport>, max_workers: u16) -> Result<()> {
        if self.shared.methods.is_empty() {
            return Ok(());
        }
        // It starts once.
        let _ = self.shared.transport.set(Arc::downgrade(transport));
        let service = self.shared.descriptor.name;
        let rpc_queue = names::rpc_queue(service);
        let rpc_exchange = &self.shared.settings.rpc_exchange;
        let mut topology = Topology {
            exchanges: vec![Exchange::durable(rpc_exchange.clone(), ExchangeKind::Topic)],
            queues: vec![Queue::durable(rpc_queue.clone())],
            bindings: vec![Binding::new(rpc_exchange.clone(), rpc_queue.clone(), names::rpc_binding(service))],
        };
        let mut queues = vec![(rpc_queue, Way::Nameko)];
        if !self.nameko_wire {
            let short_queue = names::short_queue(service);
            topology.queues.push(Queue::durable(short_queue.clone()).expires(SHORT_QUEUE_EXPIRES));
            queues.push((short_queue, Way::Short));
        }
        transport.declare(topology).await?;
        for (queue, way) in queues {
            let workers = Workers::new(&self.shared.tasks);
            let sink = Arc::new(RequestSink { shared: self.shared.clone(), workers: workers.clone(), way });
            let consumer = transport.consume(queue, max_workers, sink).await?;
            self.shared.limits.add_consumer(&consumer);
            self.consumers().push((consumer, workers));
        }
        Ok(())
    }

    async fn stop_taking(&self) {
        let consumers: Vec<_> = self.consumers().iter().map(|(consumer, _)| consumer.clone()).collect();
        for consumer in consumers {
            consumer.cancel().await;
        }
    }

    fn cancel_workers(&self) {
        for (_, workers) in self.consumers().iter() {
            workers.cancel_all(Cancelled::Stopping);
        }
    }

    fn consumer_statuses(&self) -> Vec<ConsumerStatus> {
        self.consumers().iter().map(|(consumer, _)| consumer.status()).collect()
    }

    fn running(&self) -> usize {
        self.consumers().iter().map(|(_, workers)| workers.len()).sum()
    }
}

/// Where one request queue's deliveries go.
struct RequestSink {
    shared: Arc<Shared>,
    workers: Arc<Workers>,
    way: Way,
}

impl DeliverySink for RequestSink {
    fn deliver(&self, delivery: Delivery) {
        if delivery.message().body.len() > self.shared.settings.max_body_bytes {
            // Here and not in the task: the body is gone before the next one comes, whatever the workers are busy with.
            let refused = self.shared.refuse_large(delivery, self.way);
            self.shared.tasks.spawn(written(refused));
            return;
        }
        let (shared, workers, way) = (self.shared.clone(), self.workers.clone(), self.way);
        self.shared.tasks.spawn(async move { shared.serve(delivery, &workers, way).await });
    }

    fn lost(&self) {
        self.workers.cancel_all(Cancelled::ConnectionLost);
    }
}
