use std::{pin::pin, sync::Arc, task::Poll, time::Duration};

use futures_util::{FutureExt, future::BoxFuture};
use lapin::{
    BasicProperties, Channel, Confirmation,
    message::BasicReturnMessage,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{self, Instant},
};
use tracing::{debug, warn};
use uuid::Uuid;

use super::{
    convert::{self, Outgoing},
    failure::Failure,
    link::Link,
    shared::{STABLE_AFTER, Shared, backoff},
    window::{Confirm, Identity, Window},
};
use crate::{Error, Result, protocol::Message, transport::Published};

/// How many publishes may wait for their confirm at once. Sharing a confirm channel between tasks credits verdicts to the wrong publish;
/// pipelined from one task in this depth it is as fast as a pool of channels.
const MAX_OUTSTANDING: usize = 256;

/// How many wait before the channel. Whoever comes later waits to be let in.
const MAX_QUEUED: usize = 256;

/// How long the oldest publish may wait for its confirm: a queue that has no leader confirms nothing, and everything behind would wait.
const CONFIRM_LIMIT: Duration = Duration::from_secs(30);

/// A message to publish, and who asked for it.
struct Job {
    message: Message,
    tell: oneshot::Sender<Result<Published>>,
}

/// The asking side.
pub(super) struct Publisher(mpsc::Sender<Job>);

impl Publisher {
    /// The asking side, and the task that owns the channel.
    pub(super) fn new(shared: Arc<Shared>) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (sender, jobs) = mpsc::channel(MAX_QUEUED);
        (Self(sender), run(jobs, shared))
    }

    pub(super) async fn publish(&self, shared: &Shared, message: Message) -> Result<Published> {
        let (tell, verdict) = oneshot::channel();
        if self.0.send(Job { message, tell }).await.is_ok()
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
        Ok(_) => super::failure::closed(),
    }
}

enum End {
    Link,
    Fault(Failure),
}

/// Publishes over one link after the other, until the transport ends. The one owner of the channel that has confirms.
async fn run(mut jobs: mpsc::Receiver<Job>, shared: Arc<Shared>) {
    let mut attempt = 0;
    loop {
        let Ok(link) = shared.link().await else { break };
        let began = Instant::now();
        let mut window = Window::new();
        let end = serve(&mut jobs, &mut window, &shared, &link).await;
        let reason = match &end {
            End::Link => "the connection was lost".to_owned(),
            End::Fault(failure) => failure.to_string(),
        };
        link.in_flight().end(window.give_up(&reason));
        let End::Fault(failure) = end else { continue };
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
    jobs.close();
    while let Some(job) = jobs.recv().await {
        let _ = job.tell.send(Err(over(&shared).await));
    }
}

type Publishes = Window<BoxFuture<'static, Result<Confirm, Failure>>>;

async fn serve(jobs: &mut mpsc::Receiver<Job>, window: &mut Publishes, shared: &Shared, link: &Link) -> End {
    let channel = match open(link).await {
        Ok(channel) => channel,
        Err(Failure::Lost) => return End::Link,
        Err(failure) => return End::Fault(failure),
    };
    let (mut faults, mut blocked) = (link.faults(), link.blocked());
    let mut over = pin!(link.over().cancelled());
    let mut closing = pin!(shared.closing.cancelled());
    let mut stopping = false;
    let mut open_since = Instant::now();
    let failure = loop {
        // Before an alarm is over nothing is handed to lapin, which would send it even when who asked has given up.
        let may_publish = !stopping && !link.is_blocked();
        let limit = window.oldest().map(|since| since.max(open_since) + CONFIRM_LIMIT);
        let looked = std::future::poll_fn(|cx| {
            loop {
                let told = match window.poll(cx) {
                    Ok(told) => told,
                    Err(failure) => return Poll::Ready(failure),
                };
                link.in_flight().end(told);
                let mut begun = 0;
                while may_publish && window.len() < MAX_OUTSTANDING {
                    let Poll::Ready(Some(job)) = jobs.poll_recv(cx) else { break };
                    if begin(job, &channel, window) {
                        link.in_flight().begin();
                        begun += 1;
                    }
                }
                if begun == 0 {
                    return Poll::Pending;
                }
            }
        });
        tokio::select! {
            biased;
            () = &mut over => return End::Link,
            () = &mut closing, if !stopping => stopping = true,
            _ = blocked.changed() => open_since = Instant::now(),
            _ = faults.changed() => {}
            failure = looked => break failure,
            () = time::sleep_until(limit.unwrap_or_else(Instant::now)), if limit.is_some() && may_publish => {
                link.close_channel(&channel).await;
                break Failure::Late { what: "confirm a message", limit: CONFIRM_LIMIT };
            }
        }
        // With nothing outstanding nobody else tells of it.
        if window.len() == 0 && !channel.status().connected() {
            break Failure::Ended;
        }
    };
    if link.is_connected() {
        return End::Fault(failure);
    }
    debug!(%failure, "a publish met the end of the connection");
    link.over().cancelled().await;
    End::Link
}

async fn open(link: &Link) -> Result<Channel, Failure> {
    let channel = link.publishing_channel().await?;
    link.ask("turn on confirms", channel.confirm_select(ConfirmSelectOptions::default())).await?;
    Ok(channel)
}

/// Puts a message into the window, unless nobody waits for it any more or it cannot be sent.
fn begin(job: Job, channel: &Channel, window: &mut Publishes) -> bool {
    let Job { mut message, tell } = job;
    if tell.is_closed() {
        return false;
    }
    let message_id = message.properties.message_id.get_or_insert_with(|| Uuid::new_v4().to_string().into()).clone();
    let outgoing = match convert::outgoing(&message, None) {
        Ok(outgoing) => outgoing,
        Err(error) => {
            let _ = tell.send(Err(error));
            return false;
        }
    };
    let Message { exchange, routing_key, body, .. } = message;
    let Outgoing { exchange: to, routing_key: key, properties } = outgoing;
    let publish = publish(channel.clone(), (to, key), properties, body);
    window.push(Identity { message_id, exchange, routing_key }, publish.boxed(), tell);
    true
}

async fn publish(
    channel: Channel,
    (exchange, routing_key): (lapin::types::ShortString, lapin::types::ShortString),
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
