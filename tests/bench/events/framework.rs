//! kinoko's side: a dispatcher and a service, as a user writes them.

use std::sync::Arc;

use kinoko::{App, Event, EventDispatcher, RunningApp, prelude::*};
use serde::{Deserialize, Serialize};

use super::{QueueType, peer::HANDLED};
use crate::{
    Failed,
    load::{self, Clock, Done, Load},
    payload::Payload,
};

#[event(source = "bench_kinoko_classic", name = "placed")]
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct ClassicPlaced(Payload);

#[event(source = "bench_kinoko_quorum", name = "placed")]
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct QuorumPlaced(Payload);

#[derive(Dependencies)]
struct Classic;

#[service(name = "bench_kinoko_classic", wire = "nameko")]
impl Classic {
    #[event_handler(ClassicPlaced)]
    async fn on_placed(&self, event: ClassicPlaced) {
        HANDLED.note(event.0);
    }
}

#[derive(Dependencies)]
struct Quorum;

#[service(name = "bench_kinoko_quorum")]
impl Quorum {
    #[event_handler(QuorumPlaced)]
    async fn on_placed(&self, event: QuorumPlaced) {
        HANDLED.note(event.0);
    }
}

/// The queue that events of this kind wait in.
pub(crate) fn queue(queue: QueueType) -> String {
    let service = format!("bench_kinoko_{}", queue.name());
    format!("evt-{service}-placed--{service}.on_placed")
}

pub(crate) struct Dispatcher {
    events: EventDispatcher,
    queue: QueueType,
}

impl Dispatcher {
    pub(crate) async fn connect(broker: &str, queue: QueueType) -> Result<Self, Failed> {
        Ok(Self { events: EventDispatcher::connect(broker).await?, queue })
    }

    pub(crate) async fn load(&self, clock: Clock, run: Load, payload: Payload) -> Result<Done, Failed> {
        match self.queue {
            QueueType::Classic => self.dispatch(clock, run, ClassicPlaced(payload)).await,
            QueueType::Quorum => self.dispatch(clock, run, QuorumPlaced(payload)).await,
        }
    }

    async fn dispatch(&self, clock: Clock, run: Load, event: impl Event) -> Result<Done, Failed> {
        let (events, event) = (self.events.clone(), Arc::new(event));
        load::run(run, clock, move || {
            let dispatch = events.dispatch(&*event);
            async move {
                let dispatched = dispatch.await?;
                if dispatched.routed { Ok(()) } else { Err("no queue took the event".into()) }
            }
        })
        .await
    }
}

pub(crate) struct Handler(RunningApp);

impl Handler {
    pub(crate) async fn start(broker: &str, queue: QueueType) -> Result<Self, Failed> {
        let app = App::new().broker(broker);
        let app = match queue {
            QueueType::Classic => app.service::<Classic>(),
            QueueType::Quorum => app.service::<Quorum>(),
        };
        Ok(Self(app.start().await?))
    }

    pub(crate) async fn stop(self) -> Result<(), Failed> {
        Ok(self.0.stop().await?)
    }
}
