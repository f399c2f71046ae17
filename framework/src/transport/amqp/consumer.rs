use std::{
    fmt,
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::{FutureExt, StreamExt};
use lapin::{
    Channel,
    options::{BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions},
    types::{FieldTable, ShortString},
};
use tokio::{
    sync::Notify,
    task,
    time::{self, Instant},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::{
    convert::{incoming, short},
    failure::Failure,
    link::Link,
    ready::Ready,
    registry::Consuming,
    settle::ChannelSettler,
    shared::{STABLE_AFTER, Shared, backoff},
    topology,
};
use crate::{
    Result,
    protocol::Name,
    transport::{Consumer, ConsumerStatus, Delivery, DeliverySink, Settler},
};

/// How many deliveries one wake hands over before other tasks of the thread have their turn.
const BATCH: usize = 256;

/// How long the deliveries that were on their way are waited for after a cancel; what comes later goes back with the channel.
const HAND_BACK_LIMIT: Duration = Duration::from_secs(2);

/// How long a channel that gives everything back stays open after its last acknowledgement: a quorum queue takes many of them step by step, and
/// what it has not taken when the channel ends comes again (seen in 3.10).
const ACKNOWLEDGED: Duration = Duration::from_millis(100);

/// What the handle and the task of one consumer share.
pub(super) struct Entry {
    queue: Name,
    sink: Arc<dyn DeliverySink>,
    prefetch: AtomicU32,
    status: Mutex<ConsumerStatus>,
    grown: Notify,
    cancel: CancellationToken,
    /// Whether the end gives everything back at once.
    at_once: AtomicBool,
    done: CancellationToken,
}

/// The handle of a consumer.
pub(super) struct AmqpConsumer(pub(super) Arc<Entry>);

impl Entry {
    pub(super) fn new(queue: Name, prefetch: u16, sink: Arc<dyn DeliverySink>) -> Arc<Self> {
        Arc::new(Self {
            status: Mutex::new(ConsumerStatus { queue: queue.clone(), ..ConsumerStatus::default() }),
            queue,
            sink,
            // 0 would mean no limit at all.
            prefetch: AtomicU32::new(u32::from(prefetch.max(1))),
            grown: Notify::new(),
            cancel: CancellationToken::new(),
            at_once: AtomicBool::new(false),
            done: CancellationToken::new(),
        })
    }

    pub(super) fn cancel_token(&self) -> &CancellationToken {
        &self.cancel
    }

    fn status(&self) -> MutexGuard<'_, ConsumerStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn prefetch(&self) -> u16 {
        u16::try_from(self.prefetch.load(Ordering::Relaxed)).unwrap_or(u16::MAX)
    }
}

#[async_trait]
impl Consumer for AmqpConsumer {
    fn grow(&self, extra: u16) {
        self.0.prefetch.fetch_add(u32::from(extra), Ordering::Relaxed);
        self.0.grown.notify_one();
    }

    fn status(&self) -> ConsumerStatus {
        self.0.status().clone()
    }

    async fn cancel(&self) {
        self.0.cancel.cancel();
        self.0.done.cancelled().await;
    }

    async fn give_back(&self) {
        self.0.at_once.store(true, Ordering::Release);
        self.cancel().await;
    }
}

impl fmt::Debug for AmqpConsumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AmqpConsumer")
            .field("queue", &self.0.queue)
            .field("prefetch", &self.0.prefetch())
            .field("cancelled", &self.0.cancel.is_cancelled())
            .finish()
    }
}

/// How one incarnation of a consumer ended.
enum End {
    /// With its link, or with the transport.
    Link,
    Cancelled,
    /// By a fault of its own, which the link survives.
    Fault(Failure),
}

/// Consumes over one link after the other, until it is cancelled or the transport ends.
///
/// One task feeds one sink, so `lost` comes before anything of the next link by itself.
pub(super) async fn run(entry: Arc<Entry>, mut ready: Ready, shared: Arc<Shared>) {
    let _done = entry.done.clone().drop_guard();
    let mut consuming = Some(shared.registry.consuming(&entry.queue));
    let mut attempt = 0;
    loop {
        let link = tokio::select! {
            biased;
            () = entry.cancel.cancelled() => return,
            link = shared.link() => match link {
                Ok(link) => link,
                Err(error) => return ready.tell(Err(error)),
            },
        };
        let began = Instant::now();
        let mut running = Running::new();
        let serving =
            AssertUnwindSafe(running.serve(&entry, &mut ready, &mut consuming, &shared, &link)).catch_unwind();
        let end = serving.await.unwrap_or_else(|_| End::Fault(Failure::Panicked));
        let started = running.started;
        drop(running);
        if link.is_over() || began.elapsed() > STABLE_AFTER {
            attempt = 0;
        }
        match &end {
            End::Cancelled => entry.status().stopped("it was cancelled"),
            End::Link => entry.status().interrupted("the connection was lost"),
            End::Fault(failure) => entry.status().interrupted(failure.to_string()),
        }
        match end {
            End::Cancelled => return,
            End::Link => {
                if started {
                    entry.sink.lost();
                }
                continue;
            }
            End::Fault(failure) => {
                if started {
                    entry.sink.lost();
                    warn!(queue = &*entry.queue, %failure, "the broker ended a consumer, starting it again");
                } else if ready.is_waiting() && failure.is_final() {
                    return ready.tell(Err(failure.into()));
                } else {
                    debug!(queue = &*entry.queue, %failure, "could not start a consumer, trying again");
                }
            }
        }
        // The first restart is at once.
        if attempt > 0 {
            tokio::select! {
                () = entry.cancel.cancelled() => return,
                () = shared.closing.cancelled() => {}
                () = link.over().cancelled() => {}
                () = time::sleep(backoff(attempt)) => {}
            }
        }
        attempt += 1;
        if let Err(failure) = topology::declare(&shared.registry, &link, &shared.registry.of_queue(&entry.queue)).await
        {
            debug!(queue = &*entry.queue, %failure, "could not declare a consumer's queue again");
        }
    }
}

/// One incarnation: a channel, and on it one lapin consumer for each share of the prefetch.
struct Running {
    streams: Vec<lapin::Consumer>,
    prefetch: u16,
    started: bool,
    /// When nothing was left to hand over: what comes next has come since then.
    drained: Instant,
}

impl Running {
    fn new() -> Self {
        Self { streams: Vec::new(), prefetch: 0, started: false, drained: Instant::now() }
    }

    async fn serve(
        &mut self,
        entry: &Entry,
        ready: &mut Ready,
        consuming: &mut Option<Consuming<'_>>,
        shared: &Shared,
        link: &Arc<Link>,
    ) -> End {
        // Not given up when it is cancelled meanwhile: the broker might have the consumer already, and go on delivering to nobody.
        let channel = match self.start(entry, link).await {
            Ok(channel) => channel,
            Err(Failure::Lost) => return End::Link,
            Err(failure) => return End::Fault(failure),
        };
        self.started = true;
        entry.status().started();
        let settler: Arc<dyn Settler> = Arc::new(ChannelSettler::new(channel.clone(), link.clone()));
        ready.tell(Ok(()));
        // Whatever ends a stream cancels it, and where one consumer is the active one, the next would begin before the first message is back.
        let leave = || {
            if shared.registry.is_single_active(&entry.queue) {
                let _ = channel.close(200, ShortString::default()).now_or_never();
            }
        };
        let mut over = pin!(link.over().cancelled());
        let mut closing = pin!(shared.closing.cancelled());
        let mut cancel = pin!(entry.cancel.cancelled());
        loop {
            let push = |delivery: lapin::message::Delivery, waited| {
                let tag = delivery.delivery_tag;
                let (message, redelivered) = incoming(delivery, &entry.queue);
                let delivery = Delivery::new(message, redelivered, tag, settler.clone());
                entry.sink.deliver(delivery.after_waiting(waited));
            };
            let batch = tokio::select! {
                biased;
                () = &mut over => {
                    leave();
                    return End::Link;
                }
                () = &mut closing => {
                    leave();
                    return End::Link;
                }
                () = &mut cancel => {
                    let at_once = entry.at_once.load(Ordering::Acquire);
                    if at_once {
                        time::sleep(ACKNOWLEDGED).await;
                    }
                    // Something new may be waiting for the next link before there can be a round.
                    let _round = tokio::select! {
                        biased;
                        round = shared.registry.round() => round,
                        () = &mut over => return End::Link,
                        () = &mut closing => {
                            leave();
                            return End::Link;
                        }
                    };
                    let is_single_active = shared.registry.is_single_active(&entry.queue);
                    consuming.take();
                    if at_once {
                        // One step for the broker: a cancel would let the next consumer begin before the first message is back.
                        link.close_channel(&channel).await;
                        return End::Cancelled;
                    }
                    self.hand_back(link, &channel).await;
                    if is_single_active {
                        self.wake_next(entry, link, &channel).await;
                    }
                    return End::Cancelled;
                }
                () = entry.grown.notified() => {
                    match self.add(entry, link, &channel).await {
                        Ok(()) => continue,
                        Err(Failure::Lost) => return End::Link,
                        Err(failure) => return End::Fault(failure),
                    }
                }
                batch = std::future::poll_fn(|cx| self.poll_batch(cx, push)) => batch,
            };
            match batch {
                Ok(BATCH) => task::yield_now().await,
                Ok(_) => {}
                Err(_) if link.is_over() => return End::Link,
                Err(error) => return End::Fault(ended(error)),
            }
        }
    }

    async fn start(&mut self, entry: &Entry, link: &Link) -> Result<Channel, Failure> {
        let channel = link.consuming_channel().await?;
        self.add(entry, link, &channel).await?;
        Ok(channel)
    }

    /// Starts one more lapin consumer for what the prefetch has grown by: a consumer keeps the prefetch it was started with.
    async fn add(&mut self, entry: &Entry, link: &Link, channel: &Channel) -> Result<(), Failure> {
        let wanted = entry.prefetch();
        let Some(missing @ 1..) = wanted.checked_sub(self.prefetch) else {
            return Ok(());
        };
        link.ask("limit the deliveries of a consumer", channel.basic_qos(missing, BasicQosOptions::default())).await?;
        self.begin(entry, link, channel).await?;
        self.prefetch = wanted;
        Ok(())
    }

    async fn begin(&mut self, entry: &Entry, link: &Link, channel: &Channel) -> Result<(), Failure> {
        let queue = short("queue", &entry.queue)?;
        let consume =
            channel.basic_consume(queue, ShortString::default(), BasicConsumeOptions::default(), FieldTable::default());
        self.streams.push(link.ask("consume a queue", consume).await?);
        Ok(())
    }

    /// RabbitMQ makes the next consumer the active one, but a classic queue delivers nothing to it before something else happens to
    /// the queue (seen in 3.10): a consumer that comes and goes is something.
    async fn wake_next(&mut self, entry: &Entry, link: &Link, channel: &Channel) {
        if self.begin(entry, link, channel).await.is_ok() {
            self.hand_back(link, channel).await;
        }
    }

    /// Hands over what is ready, at most [`BATCH`]; an error is the end of a stream, with its reason if it has one.
    fn poll_batch(
        &mut self,
        cx: &mut Context<'_>,
        mut push: impl FnMut(lapin::message::Delivery, Duration),
    ) -> Poll<Result<usize, Option<lapin::Error>>> {
        let (mut count, waited) = (0, self.drained.elapsed());
        for stream in &mut self.streams {
            while count < BATCH {
                match stream.poll_next_unpin(cx) {
                    Poll::Ready(Some(Ok(delivery))) => {
                        push(delivery, waited);
                        count += 1;
                    }
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(Some(error))),
                    Poll::Ready(None) => return Poll::Ready(Err(None)),
                    Poll::Pending => break,
                }
            }
        }
        if count < BATCH {
            self.drained = Instant::now();
        }
        if count == 0 { Poll::Pending } else { Poll::Ready(Ok(count)) }
    }

    /// Cancels on the broker, then gives back what was still on its way.
    async fn hand_back(&mut self, link: &Link, channel: &Channel) {
        for mut stream in self.streams.drain(..) {
            let cancelled =
                link.ask("cancel a consumer", channel.basic_cancel(stream.tag(), BasicCancelOptions::default()));
            if cancelled.await.is_err() {
                return;
            }
            let give_back = async {
                while let Some(Ok(delivery)) = stream.next().await {
                    let options = BasicNackOptions { multiple: false, requeue: true };
                    if channel.basic_nack(delivery.delivery_tag, options).await.is_err() {
                        return;
                    }
                }
            };
            tokio::select! {
                () = give_back => {}
                () = link.over().cancelled() => return,
                () = time::sleep(HAND_BACK_LIMIT) => {}
            }
        }
    }
}

fn ended(error: Option<lapin::Error>) -> Failure {
    let what = "go on consuming";
    match error {
        Some(error) => Failure::Broker { what, error },
        None => Failure::Ended,
    }
}
