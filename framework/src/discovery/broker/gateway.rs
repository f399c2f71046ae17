//! Discovery as part of a program's life: it begins when all services take requests, and nothing waits for it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    about::About,
    answers::Answers,
    fleet::{Fleet, Neighbours, PERMISSIONS},
    pace::Pace,
    station::{Asked, Bye, Station},
    topic::{BYE, HELLO},
};
use crate::{
    ErrorKind, Result, Settings,
    codec::JSON,
    container::{Extensions, Gateway, Launch, Program, ServiceParts},
    entrypoint::Entrypoint,
    protocol::{Message, Name, Properties, names},
    task::Tasks,
    transport::{ConnectionState, Consumer},
};

/// So many answers at once, then one each time.
const ANSWERS_AT_ONCE: u32 = 100;
const ANSWER_EACH: Duration = Duration::from_millis(50);
/// How long an answer is worth taking.
const ANSWER_TTL: Duration = Duration::from_secs(10);
/// How long the broker may take to confirm.
const SAY_LIMIT: Duration = Duration::from_secs(5);
/// How long a stop waits for the last word.
const BYE_LIMIT: Duration = Duration::from_millis(500);
/// How many greetings may be missed before somebody counts as gone.
const MISSED: u32 = 3;

/// The discovery of a program.
pub(crate) struct BrokerDiscovery {
    /// Taken when it begins.
    program: Mutex<Option<Program>>,
    version: Option<String>,
    is_on: bool,
    neighbours: Neighbours,
    tasks: Tasks,
    stopping: CancellationToken,
}

impl BrokerDiscovery {
    pub(crate) fn make(settings: &Settings, extensions: &mut Extensions) -> Result<Arc<dyn Gateway>> {
        Ok(Arc::new(Self {
            program: Mutex::default(),
            version: extensions.get::<Launch>().version.clone(),
            is_on: settings.get("discovery.broker")?.unwrap_or(true),
            neighbours: extensions.get::<Neighbours>().clone(),
            tasks: Tasks::new(),
            stopping: CancellationToken::new(),
        }))
    }
}

#[async_trait]
impl Gateway for BrokerDiscovery {
    fn entrypoint(&self, _: ServiceParts) -> Option<Arc<dyn Entrypoint>> {
        None
    }

    async fn prepare(&self, program: Program) -> Result<()> {
        // A test has a broker of its own, and nobody to be found there.
        if self.is_on && !program.is_test() {
            *self.program.lock().unwrap_or_else(PoisonError::into_inner) = Some(program);
        }
        Ok(())
    }

    async fn open(&self) -> Result<()> {
        let program = self.program.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(program) = program {
            let (station, asked) = Station::new();
            program.rpc().known.follow(station.roster.clone());
            let about = About::new(station.instance.clone(), self.version.clone());
            let neighbours = self.neighbours.clone();
            let member =
                Member { neighbours, program, station, about, stopping: self.stopping.clone(), is_silent: false };
            self.tasks.spawn(member.take_part(asked));
        }
        Ok(())
    }

    async fn stop_taking(&self) {
        self.stopping.cancel();
    }

    async fn drain(&self, _: Duration) {}

    async fn close(&self) {
        self.tasks.join().await;
    }
}

impl Drop for BrokerDiscovery {
    fn drop(&mut self) {
        self.stopping.cancel();
    }
}

/// A program among the others.
struct Member {
    neighbours: Neighbours,
    program: Program,
    station: Arc<Station>,
    about: About,
    stopping: CancellationToken,
    /// The broker does not let it speak; that was told.
    is_silent: bool,
}

impl Member {
    async fn take_part(mut self, mut asked: mpsc::Receiver<Asked>) {
        let transport = self.program.transport().clone();
        let services: Vec<_> = self.program.descriptors().iter().map(|service| service.name).collect();
        let opened = tokio::select! {
            opened = self.station.open(&*transport, Some(&services)) => opened,
            () = self.stopping.cancelled() => return,
        };
        let consumer = match opened {
            Ok(consumer) => consumer,
            Err(error) if error.kind() == ErrorKind::Closed => return,
            Err(error) => {
                tracing::warn!(%error, "other programs do not see this one: {PERMISSIONS}; `discovery.broker: false` turns it off");
                let _ = transport.remove_queue(&self.station.queue).await;
                return;
            }
        };
        let _consumer: Arc<dyn Consumer> = consumer;
        self.neighbours.set(Fleet::of(self.station.clone(), &transport));
        let (mut state, mut answers) = (transport.state(), Answers::default());
        let mut pace = Pace::new(ANSWERS_AT_ONCE, ANSWER_EACH);
        let (mut connected, mut speak_at) = (false, Instant::now());
        let stopping = self.stopping.clone();
        loop {
            tokio::select! {
                biased;
                () = stopping.cancelled() => break,
                () = sleep_until(speak_at) => {
                    let interval = self.station.roster.interval();
                    self.hello(interval * MISSED, !connected).await;
                    connected = true;
                    // Many programs must not do it in step.
                    speak_at = Instant::now() + interval.mul_f64(0.5 + fastrand::f64() / 2.0);
                }
                changed = state.changed() => match changed {
                    Err(_) => break,
                    Ok(()) if *state.borrow_and_update() == ConnectionState::Connected => {
                        // What was said meanwhile was missed, and what it said is forgotten.
                        (connected, speak_at) = (false, Instant::now());
                    }
                    Ok(()) => {}
                },
                Some(asked) = asked.recv() => {
                    if pace.take() {
                        self.answer(&mut answers, asked).await;
                    }
                }
            }
        }
        if *state.borrow() == ConnectionState::Connected && !self.is_silent {
            let _ = timeout(BYE_LIMIT, transport.publish(self.bye())).await;
        }
    }

    /// Says that it is here. Who `is_new` wants to hear from the others as well.
    async fn hello(&mut self, ttl: Duration, is_new: bool) {
        let services = self.about.services(&self.program, "");
        let presence = self.about.presence(&self.program, &services, ttl);
        let body = serde_json::to_vec(&presence).map(Bytes::from).unwrap_or_default();
        let mut message = spoken(HELLO, body);
        if is_new {
            message.properties.reply_to = Some(self.station.queue.clone());
            message.properties.correlation_id = Some(self.station.instance.clone().into());
        }
        self.say(message).await;
    }

    fn bye(&self) -> Message {
        let bye = Bye { instance: self.station.instance.clone() };
        spoken(BYE, serde_json::to_vec(&bye).map(Bytes::from).unwrap_or_default())
    }

    async fn answer(&mut self, answers: &mut Answers, asked: Asked) {
        let Asked { kind, of, reply_to, correlation_id } = asked;
        let ttl = self.station.roster.interval() * MISSED;
        let Some(body) = answers.to(kind, &of, &self.about, &self.program, ttl) else { return };
        let mut message = spoken("", body);
        message.exchange = names::DEFAULT_EXCHANGE;
        message.routing_key = reply_to;
        message.properties.correlation_id = correlation_id;
        message.properties.expiration = Some(ANSWER_TTL);
        self.say(message).await;
    }

    async fn say(&mut self, message: Message) {
        if self.is_silent {
            return;
        }
        let said = tokio::select! {
            said = timeout(SAY_LIMIT, self.program.transport().publish(message)) => said,
            () = self.stopping.cancelled() => return,
        };
        match said {
            Ok(Err(error)) if error.kind() == ErrorKind::Refused => {
                self.is_silent = true;
                tracing::warn!(%error, "other programs do not hear this one: {PERMISSIONS}; `discovery.broker: false` turns it off");
            }
            Ok(Err(error)) => tracing::debug!(%error, "discovery: not said"),
            Ok(Ok(_)) | Err(_) => {}
        }
    }
}

/// A message to everybody.
fn spoken(key: &'static str, body: Bytes) -> Message {
    Message {
        exchange: names::DISCOVERY_EXCHANGE,
        routing_key: Name::from_static(key),
        properties: Properties {
            content_type: Some(JSON),
            content_encoding: Some(Name::from_static("utf-8")),
            ..Properties::default()
        },
        body,
    }
}
