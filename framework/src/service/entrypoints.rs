//! What a container needs to know of methods that a message or the clock fires.

use std::time::Duration;

use crate::{
    event::{Event, EventName},
    protocol::{Name, Shape, names},
};

/// One method that events fire.
#[derive(Debug, Clone, Copy)]
pub struct EventHandlerInfo {
    /// What [`DynService::dispatch`](super::DynService::dispatch) knows it by.
    pub index: usize,
    /// The method, by the name that is part of its queues' names.
    pub method: &'static str,
    /// The doc comment.
    pub doc: &'static str,
    /// What it handles: each has a queue of its own.
    pub events: &'static [EventName],
    /// The type of its payload, as it is written. Empty where it takes none.
    pub payload: &'static str,
    /// What its payload looks like.
    pub shape: Option<Shape>,
    /// Who shares its queue.
    pub kind: HandlerKind,
    /// Whether its queue outlives its consumers: Nameko's `reliable_delivery`.
    pub reliable: bool,
    /// How its deliveries are worked.
    pub handling: HandlingInfo,
}

impl EventHandlerInfo {
    /// The queue of one event, as Nameko names it; of a broadcast handler without the instance.
    pub(crate) fn shared_queue(&self, service: &str, event: &EventName) -> Name {
        let EventName { source, name } = event;
        match self.kind {
            HandlerKind::Singleton => names::singleton_queue(source, name),
            HandlerKind::ServicePool | HandlerKind::Broadcast => {
                names::service_pool_queue(source, name, service, self.method)
            }
        }
    }
}

/// Who gets an event: Nameko's handler types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HandlerKind {
    /// One instance of each service that handles it.
    #[default]
    ServicePool,
    /// One instance of all services that handle it this way.
    Singleton,
    /// Every instance.
    Broadcast,
}

/// One event that a service says it dispatches.
#[derive(Debug, Clone, Copy)]
pub struct DispatchInfo {
    /// Which.
    pub event: EventName,
    /// What it carries.
    pub shape: Shape,
}

impl DispatchInfo {
    /// The event of this type, which looks like that.
    pub const fn of<E: Event>(shape: Shape) -> Self {
        Self { event: E::EVENT, shape }
    }
}

/// One method that the messages of a queue fire.
#[derive(Debug, Clone, Copy)]
pub struct ConsumerInfo {
    /// What [`DynService::dispatch`](super::DynService::dispatch) knows it by.
    pub index: usize,
    /// The method.
    pub method: &'static str,
    /// The doc comment.
    pub doc: &'static str,
    /// The queue.
    pub queue: &'static str,
    /// What binds the queue to an exchange, if this service does it.
    pub bind: Option<BindInfo>,
    /// Whether the queue is declared, durable as kombu does it; else it has to be there.
    pub declare: bool,
    /// The type of its payload, as it is written. Empty where it takes none.
    pub payload: &'static str,
    /// What its payload looks like.
    pub shape: Option<Shape>,
    /// How its deliveries are worked.
    pub handling: HandlingInfo,
}

/// An exchange that a consumed queue is bound to.
#[derive(Debug, Clone, Copy)]
pub struct BindInfo {
    /// The exchange.
    pub exchange: &'static str,
    /// `direct`, `topic`, `fanout` or `headers`.
    pub kind: crate::transport::ExchangeKind,
    /// The routing key, or a topic's pattern.
    pub routing_key: &'static str,
}

/// How a handler's deliveries are worked.
#[derive(Debug, Clone, Copy)]
pub struct HandlingInfo {
    /// What becomes of those that fail.
    pub retry: RetryPolicy,
    /// The most workers of it that run at once in one instance; `None`: the container's limit alone.
    pub concurrency: Option<usize>,
    /// Several deliveries to one worker.
    pub batch: Option<BatchInfo>,
    /// The field of the payload whose values are worked in order each.
    pub ordered_by: Option<&'static str>,
    /// Whether what was handled before is dropped.
    pub idempotent: Option<IdempotencyInfo>,
    /// How long a worker of it may run.
    pub timeout: Option<Duration>,
}

impl HandlingInfo {
    /// One at a time each, the default retries.
    pub const DEFAULT: Self = Self {
        retry: RetryPolicy::DEFAULT,
        concurrency: None,
        batch: None,
        ordered_by: None,
        idempotent: None,
        timeout: None,
    };
}

/// When a delivery that failed is tried again, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How often it is tried in all; `None`: without end.
    pub attempts: Option<u32>,
    /// The delay after the first attempt; it doubles with each.
    pub first: Duration,
    /// The longest delay.
    pub longest: Duration,
    /// Whether each delay is drawn at random from its upper half.
    pub jitter: bool,
}

impl RetryPolicy {
    /// 5 attempts, 1 s to 1 min, jittered.
    pub const DEFAULT: Self =
        Self { attempts: Some(5), first: Duration::from_secs(1), longest: Duration::from_secs(60), jitter: true };
}

/// Several deliveries to one worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchInfo {
    /// The most.
    pub size: usize,
    /// How long the first waits for others.
    pub within: Duration,
}

impl BatchInfo {
    /// How long where a handler does not say: 200 ms.
    pub const WITHIN: Duration = Duration::from_millis(200);
}

/// How what was handled before is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdempotencyInfo {
    /// Where it is remembered.
    pub store: IdempotencyStore,
    /// How long; `None`: the setting `idempotency.window`.
    pub window: Option<Duration>,
}

impl IdempotencyInfo {
    /// How long where neither the method nor the settings say: a day.
    pub const WINDOW: Duration = Duration::from_secs(24 * 60 * 60);
}

/// Where what was handled is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdempotencyStore {
    /// In the service's database, which all of its instances share.
    Database,
    /// In the memory of this process.
    Process,
}

/// One method that the clock fires.
#[derive(Debug, Clone, Copy)]
pub struct TimerInfo {
    /// What [`DynService::dispatch`](super::DynService::dispatch) knows it by.
    pub index: usize,
    /// The method.
    pub method: &'static str,
    /// The doc comment.
    pub doc: &'static str,
    /// When it fires.
    pub schedule: Schedule,
    /// Whether it fires at the start as well.
    pub eager: bool,
    /// Whether it fires in one instance of all.
    pub once_per_fleet: bool,
    /// How long a worker of it may run.
    pub timeout: Option<Duration>,
}

/// When a timer fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// Every so often since the start.
    Every(Duration),
    /// By the calendar.
    Cron {
        /// Five fields, or six with seconds first.
        expression: &'static str,
        /// A zone of the IANA database, such as `Europe/Berlin`; `UTC` where none is given.
        zone: &'static str,
    },
}
