//! `#[rpc]`: from a delivery on one of a service's request queues to the reply that goes back.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use tracing::Instrument;

use crate::{
    Result,
    codec::{Codecs, Format},
    context::{Cancelled, WorkerContext, WorkerOrigin},
    protocol::{Fault, Message, Properties, context_data, encode_reply, names},
    service::{DynService, MethodInfo, Outcome, ServiceDescriptor, WorkerCall},
    task::Tasks,
    transport::{
        Binding, Consumer, Delivery, DeliverySink, Exchange, ExchangeKind, Publishing, Queue, Topology, Transport,
    },
    worker::{Limits, MethodSlots, Workers, log},
};

/// How long the queue of the short path outlives its last consumer: long enough for a restart, short enough to leave nothing behind.
const SHORT_QUEUE_EXPIRES: Duration = Duration::from_secs(5 * 60);

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
}

struct Method {
    info: &'static MethodInfo,
    slots: Arc<MethodSlots>,
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
        nameko_wire: bool,
    ) -> Self {
        let descriptor = service.descriptor();
        let methods = descriptor.methods.iter().map(|info| {
            let slots = Arc::new(MethodSlots::new(limits.clone(), info.max_workers));
            (info.name, Method { info, slots })
        });
        let shared = Shared { methods: methods.collect(), service, descriptor, codecs, limits, tasks };
        Self {
            shared: Arc::new(shared),
            nameko_wire: nameko_wire || descriptor.nameko_wire,
            consumers: Mutex::default(),
        }
    }

    /// Declares the request queues and consumes them. Returns when the broker has the consumers.
    pub(crate) async fn start(&self, transport: &dyn Transport, prefetch: u16) -> Result<()> {
        let service = self.shared.descriptor.name;
        let rpc_queue = names::rpc_queue(service);
        let mut topology = Topology {
            exchanges: vec![Exchange { name: names::RPC_EXCHANGE, kind: ExchangeKind::Topic }],
            queues: vec![Queue::durable(rpc_queue.clone())],
            bindings: vec![Binding {
                exchange: names::RPC_EXCHANGE,
                queue: rpc_queue.clone(),
                routing_key: names::rpc_binding(service),
            }],
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
            let consumer = transport.consume(queue, prefetch, sink).await?;
            self.shared.limits.add_consumer(&consumer);
            self.consumers().push((consumer, workers));
        }
        Ok(())
    }

    fn consumers(&self) -> MutexGuard<'_, Vec<RunningConsumer>> {
        self.consumers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes no more requests; those that have not started go back to their queue.
    pub(crate) async fn stop_taking(&self) {
        let consumers: Vec<_> = self.consumers().iter().map(|(consumer, _)| consumer.clone()).collect();
        for consumer in consumers {
            consumer.cancel().await;
        }
    }

    /// Drops the methods that still run.
    pub(crate) fn cancel_workers(&self) {
        for (_, workers) in self.consumers().iter() {
            workers.cancel_all(Cancelled::Stopping);
        }
    }

    /// How many workers run.
    pub(crate) fn running(&self) -> usize {
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
        let (shared, workers, way) = (self.shared.clone(), self.workers.clone(), self.way);
        self.shared.tasks.spawn(async move { shared.serve(delivery, &workers, way).await });
    }

    fn lost(&self) {
        self.workers.cancel_all(Cancelled::ConnectionLost);
    }
}

impl Shared {
    /// One call, from its delivery to its reply.
    async fn serve(self: Arc<Self>, delivery: Delivery, workers: &Arc<Workers>, way: Way) {
        let message = delivery.message().clone();
        let properties = &message.properties;
        let answer = Answer { way, request: &message };
        let content_type = properties.content_type.as_deref().unwrap_or_default();
        let Some(format) = self.codecs.by_content_type(content_type) else {
            let text = format!("no codec for content type `{content_type}`");
            let reply = answer.fault(delivery, &Format::Json, &Fault::nameko("MalformedRequest", text));
            return written(reply).await;
        };
        let name = match (&properties.kind, way) {
            (Some(kind), Way::Short) => &**kind,
            _ => message.routing_key.split_once('.').map_or(&*message.routing_key, |(_, method)| method),
        };
        let Some(method) = self.methods.get(name) else {
            let reply = answer.fault(delivery, &format, &Fault::nameko("MethodNotFound", name));
            return written(reply).await;
        };

        let Deadline { at: deadline, of_method } = deadline(properties, method.info.timeout);
        let context = WorkerContext::new(WorkerOrigin {
            service: self.descriptor.name,
            entrypoint: method.info.name,
            deadline,
            redelivered: delivery.redelivered(),
            slots: Some(method.slots.clone()),
            message: message.clone(),
        });
        let _running = workers.enter(context.clone());
        if let Err(reason) = take_slots(method, &context).await {
            let outcome = tell(Outcome::Cancelled(reason), of_method, &context, method.info);
            return written(self.settle(outcome, &context, &format, answer, delivery)).await;
        }
        log::arguments(method.info, &format, &message.body);
        let call = WorkerCall { index: method.info.index, format: format.clone(), context: context.clone() };
        let worker = context.clone().scope(self.service.clone().dispatch(call));
        let outcome = match log::span(&context) {
            Some(span) => worker.instrument(span).await,
            None => worker.await,
        };
        // The method is over: whoever waits for its slot need not wait for the socket as well.
        if let Some(slot) = context.slot() {
            slot.release();
        }
        let outcome = tell(outcome, of_method, &context, method.info);
        written(self.settle(outcome, &context, &format, answer, delivery)).await;
    }

    /// Answers, and ends the delivery.
    fn settle(
        &self,
        outcome: Outcome,
        context: &WorkerContext,
        format: &Format,
        answer: Answer<'_>,
        delivery: Delivery,
    ) -> Publishing {
        match outcome {
            Outcome::Reply(body) => {
                tracing::debug!(service = context.service(), method = context.entrypoint(), "call answered");
                answer.send(delivery, format, body)
            }
            Outcome::Fault { fault, expected } => {
                let (service, method, call_id) = (context.service(), context.entrypoint(), context.call_id());
                if expected {
                    tracing::warn!(service, method, call_id, fault = %fault, "call failed as expected");
                } else {
                    tracing::error!(service, method, call_id, fault = %fault, "call failed");
                }
                answer.fault(delivery, format, &fault)
            }
            Outcome::Cancelled(reason) => {
                let (service, method, call_id) = (context.service(), context.entrypoint(), context.call_id());
                tracing::warn!(service, method, call_id, %reason, "call dropped");
                match reason {
                    // The caller has gone; running it again would serve nobody.
                    Cancelled::DeadlinePassed => delivery.ack(),
                    Cancelled::ConnectionLost | Cancelled::Stopping => delivery.requeue(),
                }
                Publishing::done(Ok(()))
            }
        }
    }
}

/// Waits for a place among the method's and the container's workers. A call can outlive its deadline or its connection
/// meanwhile, and then nobody wants it run.
async fn take_slots(method: &Method, context: &WorkerContext) -> Result<(), Cancelled> {
    if !method.slots.take_free() {
        // Rare, so it takes no room in the future of every call.
        context.until_cancelled(Box::pin(method.slots.take())).await?.ok_or(Cancelled::Stopping)?;
    }
    if let Some(slot) = context.slot() {
        slot.taken();
    }
    Ok(())
}

/// Until when a call may run.
struct Deadline {
    at: Option<Instant>,
    /// It is the method's own limit: the caller waits longer.
    of_method: bool,
}

/// What the caller's budget leaves, and no longer than the method may take.
fn deadline(properties: &Properties, limit: Option<Duration>) -> Deadline {
    let budget = context_data::remaining_budget(properties, context_data::unix_ms());
    let of_method = limit.is_some_and(|limit| budget.is_none_or(|budget| limit < budget));
    let shorter = if of_method { limit } else { budget };
    // A limit beyond the end of time is none.
    Deadline { at: shorter.and_then(|shorter| Instant::now().checked_add(shorter)), of_method }
}

/// Of a method's own limit its caller is told: it still waits, perhaps without an end.
fn tell(outcome: Outcome, of_method: bool, context: &WorkerContext, method: &MethodInfo) -> Outcome {
    match outcome {
        Outcome::Cancelled(Cancelled::DeadlinePassed) if of_method => timed_out(context, method),
        outcome => outcome,
    }
}

#[cold]
fn timed_out(context: &WorkerContext, method: &MethodInfo) -> Outcome {
    let (service, name, limit) = (context.service(), method.name, method.timeout.unwrap_or_default());
    let fault = Fault {
        code: Some("TIMEOUT".into()),
        http: Some(504),
        grpc: Some("DEADLINE_EXCEEDED".into()),
        ..Fault::internal("Timeout", format!("`{service}.{name}` took longer than the {limit:?} that it may"))
    };
    Outcome::Fault { fault: Box::new(fault), expected: false }
}

/// Where one call's reply goes.
struct Answer<'a> {
    way: Way,
    request: &'a Message,
}

impl Answer<'_> {
    fn fault(self, delivery: Delivery, format: &Format, fault: &Fault) -> Publishing {
        match encode_reply::<()>(format, Err(fault)) {
            Ok(body) => self.send(delivery, format, body),
            Err(error) => {
                tracing::error!(%error, %fault, "a fault could not be encoded");
                delivery.ack();
                Publishing::done(Ok(()))
            }
        }
    }

    fn send(self, delivery: Delivery, format: &Format, body: bytes::Bytes) -> Publishing {
        // Nobody to tell: the work was done all the same.
        let request = &self.request.properties;
        let Some(reply_to) = request.reply_to.clone() else {
            delivery.ack();
            return Publishing::done(Ok(()));
        };
        delivery.reply(Message {
            exchange: match self.way {
                Way::Short => names::DEFAULT_EXCHANGE,
                Way::Nameko => names::RPC_EXCHANGE,
            },
            routing_key: reply_to,
            properties: Properties {
                content_type: Some(format.content_type()),
                content_encoding: Some(format.content_encoding()),
                correlation_id: request.correlation_id.clone(),
                ..Properties::default()
            },
            body,
        })
    }
}

async fn written(reply: Publishing) {
    if let Err(error) = reply.await {
        tracing::warn!(error = error.chain(), "a reply could not be sent; its request goes to somebody else");
    }
}
