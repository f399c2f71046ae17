use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use lapin::{
    BasicProperties, Channel, Confirmation,
    message::BasicReturnMessage,
    options::{BasicPublishOptions, ConfirmSelectOptions},
    types::ShortString,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{self, Instant},
};
use tracing::{debug, warn};
use uuid::Uuid;

use super::{
    convert::{self, Outgoing},
    failure::{Failure, closed},
    link::Link,
    refusals::{Refusal, Refusals},
    repairs::{Lost, Repairs},
    shared::{STABLE_AFTER, Shared, backoff},
    window::{Confirm, Identity, Publish, Verdict, Window},
};
use crate::{Error, ErrorKind, Result, protocol::Message, transport::Published};

/// How many wait before the channel. Whoever comes later waits to be let in.
const MAX_QUEUED: usize = 256;

/// How long the oldest publish may wait for its confirm: a queue that has no leader confirms nothing, and everything behind it waits.
const CONFIRM_LIMIT: Duration = Duration::from_secs(30);

/// The asking side.
pub(super) struct Publisher(mpsc::Sender<Publish>);

impl Publisher {
    /// The asking side, and the task that owns the channel.
    pub(super) fn new(shared: Arc<Shared>) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (sender, jobs) = mpsc::channel(MAX_QUEUED);
        (Self(sender), run(jobs, shared))
    }

    pub(super) async fn publish(&self, shared: &Shared, message: Message) -> Result<Published> {
        let (tell, verdict) = oneshot::channel();
        if self.0.send(Publish { message, tell, again: false }).await.is_ok()
            && let Ok(verdict) = verdict.await
        {
            return verdict;
        }
        Err(over(shared).await)
    }
}

/// Why there will be no further link.
async fn over(shared: &Shared) -> Error {
    match shared.link().await {
        Err(error) => error,
        Ok(_) => closed(),
    }
}

enum End {
    Link,
    Fault(Failure),
}

/// Publishes over one link after the other, until the transport ends. The one owner of the channel that has confirms.
async fn run(mut jobs: mpsc::Receiver<Publish>, shared: Arc<Shared>) {
    let (mut repairs, mut refusals, mut again, mut attempt) =
        (Repairs::default(), Refusals::default(), VecDeque::new(), 0);
    loop {
        let Ok(link) = shared.link().await else { break };
        let began = Instant::now();
        let mut serving = Serving {
            shared: &shared,
            link: &link,
            window: Window::new(),
            jobs: &mut jobs,
            again: &mut again,
            repairs: &mut repairs,
            refusals: &mut refusals,
            stopping: false,
        };
        let end = serving.serve().await;
        serving.give_up(&end);
        repairs.interrupt();
        let End::Fault(failure) = end else {
            refusals.forget();
            shared.registry.delays.forget_silent();
            continue;
        };
        if began.elapsed() > STABLE_AFTER {
            attempt = 0;
        }
        warn!(%failure, "the broker closed the channel that messages are published by, opening another one");
        // The first time is at once.
        if attempt > 0 {
            tokio::select! {
                () = shared.closing.cancelled() => {}
                () = link.over().cancelled() => {}
                () = time::sleep(backoff(attempt)) => {}
            }
        }
        attempt += 1;
    }
    again.extend(repairs.give_up());
    jobs.close();
    while let Some(publish) = again.pop_front() {
        publish.tell(Err(over(&shared).await));
    }
    while let Some(publish) = jobs.recv().await {
        publish.tell(Err(over(&shared).await));
    }
}

/// One incarnation of the channel.
struct Serving<'a> {
    shared: &'a Arc<Shared>,
    link: &'a Arc<Link>,
    window: Window<Failure>,
    jobs: &'a mut mpsc::Receiver<Publish>,
    /// What is known to be nowhere, and goes before anything new.
    again: &'a mut VecDeque<Publish>,
    repairs: &'a mut Repairs,
    refusals: &'a mut Refusals,
    stopping: bool,
}

impl Serving<'_> {
    async fn serve(&mut self) -> End {
        let channel = match open(self.link).await {
            Ok(channel) => channel,
            Err(Failure::Lost) => return End::Link,
            Err(failure) => return End::Fault(failure),
        };
        let (mut faults, mut blocked) = (self.link.faults(), self.link.blocked());
        let mut over = pin!(self.link.over().cancelled());
        let mut closing = pin!(self.shared.closing.cancelled());
        let mut unanswered = pin!(time::sleep(CONFIRM_LIMIT));
        let mut open_since = Instant::now();
        let failure = loop {
            tokio::select! {
                biased;
                () = &mut over => return End::Link,
                () = &mut closing, if !self.stopping => {
                    self.stopping = true;
                    self.again.extend(self.repairs.give_up());
                }
                _ = blocked.changed() => open_since = Instant::now(),
                _ = faults.changed() => {}
                failure = poll_fn(|cx| self.go_on(cx, &channel)) => break failure,
                () = &mut unanswered => {
                    let oldest = self.window.oldest().map_or_else(Instant::now, |since| since.max(open_since));
                    if oldest.elapsed() >= CONFIRM_LIMIT && !self.link.is_blocked() {
                        if let Some(message) = self.window.oldest_message() {
                            self.refusals.add_silent(message);
                            self.shared.registry.delays.add_silent(&message.exchange);
                        }
                        // A channel that is stuck in the broker may never say that it is closed.
                        let (link, channel) = (self.link.clone(), channel.clone());
                        self.shared.tasks.spawn(async move { link.close_channel(&channel).await });
                        break Failure::Late { what: "confirm a message", limit: CONFIRM_LIMIT };
                    }
                    unanswered.as_mut().reset(Instant::now().max(oldest + CONFIRM_LIMIT));
                }
            }
            // With nothing outstanding nobody else tells of it.
            if self.window.is_empty() && !channel.status().connected() {
                break Failure::Ended;
            }
        };
        if self.link.is_connected() {
            return End::Fault(failure);
        }
        debug!(%failure, "a publish met the end of the connection");
        self.link.over().cancelled().await;
        End::Link
    }

    /// Tells verdicts and publishes what waits, until there is nothing more to do. Ready with the channel's end.
    fn go_on(&mut self, cx: &mut Context<'_>, channel: &Channel) -> Poll<Failure> {
        loop {
            if let Err(failure) = self.window.look(cx) {
                return Poll::Ready(failure);
            }
            self.tell();
            if let Poll::Ready(again) = self.repairs.poll(cx, self.shared, self.link, self.refusals) {
                self.again.extend(again);
            }
            let mut begun = 0;
            // Before an alarm is over nothing is handed to lapin, which would send it even when who asked has given up.
            while !self.stopping && !self.link.is_blocked() && !self.window.is_full() && self.repairs.has_room() {
                let publish = match self.again.pop_front() {
                    Some(publish) => publish,
                    None => match self.jobs.poll_recv(cx) {
                        Poll::Ready(Some(publish)) => publish,
                        _ => break,
                    },
                };
                if let Err(failure) = self.begin(publish, channel) {
                    return Poll::Ready(failure);
                }
                begun += 1;
            }
            if begun == 0 {
                return Poll::Pending;
            }
        }
    }

    fn tell(&mut self) {
        let mut told = 0;
        while let Some((publish, verdict, since)) = self.window.pop() {
            told += 1;
            match verdict {
                Verdict::Taken => {
                    self.refusals.heard(&publish.message);
                    publish.tell(Ok(Published { routed: true }));
                }
                Verdict::Refused => publish.tell(Err(Error::new(
                    ErrorKind::Rejected,
                    "a queue did not take the message: it is full, or the broker failed",
                ))),
                Verdict::Returned => {
                    let items =
                        if self.stopping { Vec::new() } else { self.shared.registry.route_of(&publish.message) };
                    let lost =
                        Lost { publish, since, without_exchange: false, verdict: Ok(Published { routed: false }) };
                    self.again.extend(self.repairs.take(lost, items));
                }
            }
        }
        self.link.in_flight().end(told);
    }

    /// Publishes a message, unless nobody waits for it any more or it cannot be sent.
    fn begin(&mut self, publish: Publish, channel: &Channel) -> Result<(), Failure> {
        let Some(mut publish) = self.repairs.pass(publish).filter(|publish| !publish.is_given_up()) else {
            return Ok(());
        };
        if let Some(error) = self.refusals.of(&publish.message) {
            publish.tell(Err(error));
            return Ok(());
        }
        if !publish.again && self.refusals.is_missing(&publish.message) {
            let items = self.shared.registry.of_exchange(&publish.message.exchange);
            self.repairs.look_for(publish, items);
            return Ok(());
        }
        publish.message.properties.message_id.get_or_insert_with(|| Uuid::new_v4().to_string().into());
        let outgoing = match convert::outgoing(&publish.message, None) {
            Ok(outgoing) => outgoing,
            Err(error) => {
                publish.tell(Err(error));
                return Ok(());
            }
        };
        let Outgoing { exchange, routing_key, properties } = outgoing;
        let confirming = confirm(channel.clone(), (exchange, routing_key), properties, publish.message.body.clone());
        self.link.in_flight().begin();
        self.window.push(publish, confirming)
    }

    /// Ends every publish without a verdict, but for those that are known to be nowhere.
    fn give_up(self, end: &End) {
        let reason = match end {
            End::Link => "the connection was lost".to_owned(),
            End::Fault(failure) => failure.to_string(),
        };
        let refusal = match end {
            End::Fault(failure) => Refusal::of(failure).map(|refusal| (refusal, failure)),
            End::Link => None,
        };
        let mut outstanding = self.window.into_outstanding();
        self.link.in_flight().end(outstanding.len());
        let first = refusal
            .as_ref()
            .and_then(|(refusal, _)| refusal.place_in(outstanding.iter().map(|(publish, _)| &publish.message)));
        let mut untaken = outstanding.split_off(first.unwrap_or(outstanding.len())).into_iter();
        for (publish, _) in outstanding {
            let text = format!("whether the broker has the message is unknown: {reason}");
            publish.tell(Err(Error::new(ErrorKind::OutcomeUnknown, text)));
        }
        if let Some((refusal, failure)) = refusal
            && let Some((publish, since)) = untaken.next()
        {
            let items = match &refusal {
                Refusal::MissingExchange(exchange) => self.shared.registry.of_exchange(exchange),
                _ => Vec::new(),
            };
            let verdict = Err(self.refusals.add(refusal, failure));
            self.again.extend(self.repairs.take(Lost { publish, since, without_exchange: true, verdict }, items));
        }
        self.again.extend(untaken.map(|(publish, _)| publish));
    }
}

async fn open(link: &Link) -> Result<Channel, Failure> {
    let channel = link.publishing_channel().await?;
    link.ask("turn on confirms", channel.confirm_select(ConfirmSelectOptions::default())).await?;
    Ok(channel)
}

async fn confirm(
    channel: Channel,
    (exchange, routing_key): (ShortString, ShortString),
    properties: BasicProperties,
    body: bytes::Bytes,
) -> Result<Confirm, Failure> {
    let failed = |error| Failure::Broker { what: "publish a message", error };
    let options = BasicPublishOptions { mandatory: true, immediate: false };
    let written = channel.basic_publish(exchange, routing_key, options, &body, properties).await.map_err(failed)?;
    match written.await.map_err(failed)? {
        Confirmation::Ack(carried) => Ok(Confirm { taken: true, carried: carried.map(|message| identity(&message)) }),
        Confirmation::Nack(carried) => Ok(Confirm { taken: false, carried: carried.map(|message| identity(&message)) }),
        // Only without `confirm_select`, which `open` waited for. What lapin then calls success would be none.
        Confirmation::NotRequested => Err(Failure::Ended),
    }
}

fn identity(message: &BasicReturnMessage) -> Identity {
    let message_id = message.properties.message_id().as_ref().map(|id| id.as_str()).unwrap_or_default();
    Identity {
        message_id: message_id.to_owned().into(),
        exchange: message.exchange.as_str().to_owned().into(),
        routing_key: message.routing_key.as_str().to_owned().into(),
    }
}
