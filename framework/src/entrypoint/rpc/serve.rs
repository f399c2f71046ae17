use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use tracing::Instrument;

use super::{
    Method, Shared, Way,
    answer::{Answer, written},
    attempts::{self, Verdict},
};
use crate::{
    codec::Format,
    context::{Cancelled, WorkerContext, WorkerOrigin},
    entrypoint::timeout,
    observe::{self, EntrypointKind, Watch},
    protocol::{Fault, Properties, context_data, excerpt},
    service::{FaultKind, MethodInfo, Outcome, WorkerCall},
    transport::{Delivery, Publishing},
    worker::{Workers, log, unexpected},
};

impl Shared {
    /// One call, from its delivery to its reply.
    pub(super) async fn serve(self: Arc<Self>, delivery: Delivery, workers: &Arc<Workers>, way: Way) {
        let mut message = delivery.message().clone();
        if way == Way::Short && message.properties.cluster_id.is_some() {
            context_data::unfold_token(&mut Arc::make_mut(&mut message).properties);
        }
        let properties = &message.properties;
        let answer = self.answer(&message, way);
        let format = match self.format(properties) {
            Ok(format) => format,
            Err(text) => {
                let reply = answer.fault(delivery, &Format::Json, &Fault::nameko("MalformedRequest", text));
                return written(reply).await;
            }
        };
        let name = match (&properties.kind, way) {
            (Some(kind), Way::Short) => &**kind,
            _ => context_data::requested_method(&message.routing_key, &properties.headers, self.descriptor.name),
        };
        let Some(method) = self.methods.get(name) else {
            self.unknown().rejected();
            let reply = answer.fault(delivery, &format, &Fault::nameko("MethodNotFound", excerpt(name)));
            return written(reply).await;
        };

        if let Some(fault) = attempts::too_many(&delivery, self.descriptor.name, name) {
            tracing::error!(service = self.descriptor.name, method = name, %fault, "call given up");
            method.seen.rejected();
            return written(answer.fault(delivery, &format, &fault)).await;
        }
        if attempts::attempt(&message) > 1 {
            Box::pin(self.counted()).await;
        }

        let mut watch = method.seen.arrived();
        let Deadline { at: deadline, left, of_method, passed } = deadline(&delivery, method.info.timeout);
        let context = WorkerContext::new(WorkerOrigin {
            service: self.descriptor.name,
            entrypoint: method.info.name,
            deadline,
            attempt: 1,
            redelivered: delivery.redelivered() || attempts::attempt(&message) > 1,
            slots: Some(method.slots.clone()),
            short_path: way == Way::Short,
            message: message.clone(),
            idempotency: None,
            trace: watch.trace(&message.properties, way == Way::Short),
        });
        if passed {
            let outcome = Outcome::Cancelled(Cancelled::DeadlinePassed);
            return written(self.settle(watch, outcome, &context, &format, answer, delivery)).await;
        }
        let _running = workers.enter(context.clone());
        if let Err(reason) = take_slots(method, &context, &mut watch).await {
            let outcome = tell(Outcome::Cancelled(reason), of_method, &context, method.info);
            return written(self.settle(watch, outcome, &context, &format, answer, delivery)).await;
        }
        // Of a call that somebody else had before nobody can say that nothing has run.
        if let Some(left) = left.filter(|_| !of_method && !context.redelivered())
            && let Some(fault) = self.too_late(&watch, &message.properties, left)
        {
            if let Some(slot) = context.slot() {
                slot.release();
            }
            let outcome = Outcome::Fault { fault, kind: FaultKind::Rejected };
            return written(self.settle(watch, outcome, &context, &format, answer, delivery)).await;
        }
        let delivery = if attempts::counts(&delivery) {
            // Rare, so it takes no room in the future of every call.
            match Box::pin(self.count_attempt(delivery, way, &context)).await {
                Verdict::Run(delivery) => delivery,
                Verdict::Counted => return,
                Verdict::Cancelled(delivery, reason) => {
                    let outcome = tell(Outcome::Cancelled(reason), of_method, &context, method.info);
                    return written(self.settle(watch, outcome, &context, &format, answer, delivery)).await;
                }
            }
        } else {
            delivery
        };
        log::arguments(method.info, &format, &message.body);
        let call = WorkerCall::new(method.info.index, format.clone(), context.clone());
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
        written(self.settle(watch, outcome, &context, &format, answer, delivery)).await;
    }

    /// Why a call is not begun any more, of whose caller's time so much was left when it arrived. How long it waited before that, in the
    /// broker's queue, its caller's budget tells.
    fn too_late(&self, watch: &Watch, properties: &Properties, left: Duration) -> Option<Box<Fault>> {
        let left = left.saturating_sub(watch.wait());
        self.limits.too_late(watch, left, properties.expiration?.saturating_sub(left))
    }

    /// What counts requests for methods that there are none of, made with the first.
    #[cold]
    fn unknown(&self) -> &observe::Entrypoint {
        let unknown = || self.limits.observer().entrypoint(self.descriptor.name, "other", EntrypointKind::Rpc, None);
        self.unknown.get_or_init(unknown)
    }

    /// Answers a request whose body is too large to look at. When it returns, nothing holds the body any more.
    pub(super) fn refuse_large(&self, delivery: Delivery, way: Way) -> Publishing {
        let message = delivery.message().clone();
        let (service, bytes, limit) = (self.descriptor.name, message.body.len(), self.settings.max_body_bytes);
        tracing::debug!(service, bytes, limit, "refused a request that is too large");
        let text = format!("the request's body has {bytes} bytes, {limit} are allowed (max_body_bytes)");
        let content_type = message.properties.content_type.as_deref().unwrap_or_default();
        let format = self.codecs.by_content_type(content_type).unwrap_or(Format::Json);
        self.answer(&message, way).fault(delivery, &format, &Fault::nameko("MalformedRequest", text))
    }

    /// The codec of a request, or why there is none.
    fn format(&self, properties: &Properties) -> Result<Format, String> {
        // What kombu calls it in a header.
        if properties.headers.get("compression").is_some_and(|compression| !compression.is_null()) {
            return Err("the body is compressed: send it without `compression`".to_owned());
        }
        let Some(content_type) = properties.content_type.as_deref() else {
            return Err("the request has no content type".to_owned());
        };
        self.codecs
            .by_content_type(content_type)
            .ok_or_else(|| format!("no codec for content type `{}`", excerpt(content_type)))
    }

    /// Answers, and ends the delivery.
    fn settle(
        &self,
        watch: Watch,
        outcome: Outcome,
        context: &WorkerContext,
        format: &Format,
        answer: Answer<'_>,
        delivery: Delivery,
    ) -> Publishing {
        let limit = self.settings.max_body_bytes;
        let outcome = match outcome {
            Outcome::Reply(body) if body.len() > limit => {
                unexpected(Fault::reply_too_large("its result", body.len(), limit))
            }
            // Of methods that something else than a call fires.
            Outcome::Response(_) | Outcome::Done | Outcome::Failed(_) | Outcome::Batch(_) => no_call(),
            outcome => outcome,
        };
        watch.end(context, &outcome);
        match outcome {
            Outcome::Reply(body) => answer.send(delivery, format, body),
            Outcome::Fault { fault, .. } => answer.fault(delivery, format, &fault),
            Outcome::Cancelled(Cancelled::ConnectionLost | Cancelled::Stopping) => {
                delivery.requeue();
                Publishing::done(Ok(()))
            }
            // The caller has gone; running it again would serve nobody.
            _ => {
                delivery.ack();
                Publishing::done(Ok(()))
            }
        }
    }
}

#[cold]
fn no_call() -> Outcome {
    unexpected(Fault::internal("NoCall", "the method answers no calls"))
}

/// Waits for a place among the method's and the container's workers. A call can outlive its deadline or its connection
/// meanwhile, and then nobody wants it run.
async fn take_slots(method: &Method, context: &WorkerContext, watch: &mut Watch) -> Result<(), Cancelled> {
    if !method.slots.take_free() {
        // Rare, so it takes no room in the future of every call.
        let taken = context.until_cancelled(Box::pin(method.slots.take())).await;
        watch.waited();
        taken?.ok_or(Cancelled::Stopping)?;
    }
    if let Some(slot) = context.slot() {
        slot.taken();
    }
    Ok(())
}

/// Until when a call may run.
struct Deadline {
    at: Option<Instant>,
    /// What is left of the caller's budget.
    left: Option<Duration>,
    /// It is the method's own limit: the caller waits longer.
    of_method: bool,
    /// It was over before the request was handed over.
    passed: bool,
}

/// What the caller's budget leaves, and no longer than the method may take.
fn deadline(delivery: &Delivery, limit: Option<Duration>) -> Deadline {
    let properties = &delivery.message().properties;
    let budget = context_data::remaining_budget(properties, context_data::unix_ms(), delivery.waited());
    let of_method = limit.is_some_and(|limit| budget.is_none_or(|budget| limit < budget));
    let shorter = if of_method { limit } else { budget };
    // A limit beyond the end of time is none.
    Deadline {
        at: shorter.and_then(|shorter| Instant::now().checked_add(shorter)),
        left: budget,
        of_method,
        passed: budget.is_some_and(|budget| budget.is_zero()),
    }
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
    unexpected(timeout(context.service(), method.name, method.timeout))
}
