//! RabbitMQ, through lapin: connections that mend themselves, without lapin's own recovery.
//!
//! One thread runs it all on a runtime of its own: the [`supervisor`] makes one [`link`] (two connections) after the other,
//! consumers, requesters and the publisher run on whichever link there is. Only requests and replies are published on the caller's task.
//! No type of lapin leaves this folder, and no text of its URI type, which shows the password.

mod brokers;
mod connection;
mod consumer;
mod convert;
mod delays;
mod failure;
mod guard;
mod in_flight;
mod item;
mod link;
mod pace;
mod publisher;
mod ready;
mod refusals;
mod registry;
mod repairs;
mod requester;
mod settle;
mod shared;
mod stack;
mod supervisor;
#[cfg(feature = "tls")]
mod tls;
mod topology;
mod uri;
mod window;

use std::{
    fmt,
    future::Future,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    thread,
    time::Duration,
};

use async_trait::async_trait;
use tokio::{
    runtime::{Builder, Handle},
    sync::{oneshot, watch},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

#[cfg(feature = "__fuzz")]
pub use self::guard::fuzz;
use self::{
    brokers::Brokers,
    consumer::AmqpConsumer,
    delays::Delay,
    failure::{Failure, closed},
    item::Item,
    link::Link,
    publisher::Publisher,
    ready::Ready,
    registry::Registry,
    requester::AmqpRequester,
    shared::{Phase, Shared},
};
use super::{
    ConnectionState, Consumer, DeliverySink, Published, Queue, QueueStatus, ReplySink, Requester, Topology, Transport,
    TransportOptions, no_exchange,
};
use crate::{
    Error, ErrorKind, Result,
    protocol::{Message, Name},
};

/// The transport over RabbitMQ.
pub(crate) struct AmqpTransport {
    shared: Arc<Shared>,
    runtime: Handle,
    /// Begun with the first message: most programs publish none.
    publisher: OnceLock<Publisher>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
    finished: watch::Receiver<bool>,
}

impl AmqpTransport {
    /// Connects, and waits for the first attempt. A broker that is away is tried again in the background.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for a URL or certificate files that cannot be read;
    /// [`ErrorKind::Refused`](crate::ErrorKind::Refused) for credentials or a virtual host that the broker refuses.
    pub(crate) async fn connect(url: &str, options: TransportOptions) -> Result<Arc<dyn Transport>> {
        let shared = Arc::new(Shared {
            brokers: Brokers::parse(url, &options)?,
            connection_name: options.connection_name,
            rpc_exchange: options.rpc_exchange,
            registry: Registry::default(),
            redeclare_interval: options.redeclare_interval,
            state: watch::Sender::new(ConnectionState::Connecting("not yet connected".to_owned())),
            phase: watch::Sender::new(Phase::Down),
            closing: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        stack::warn_if_small();
        let runtime = Builder::new_current_thread().enable_all().thread_name("kinoko-amqp-blocking").build()?;
        let handle = runtime.handle().clone();
        let (first, first_attempt) = oneshot::channel();
        let (finish, finished) = watch::channel(false);
        let supervised = shared.clone();
        let thread = thread::Builder::new().name("kinoko-amqp".to_owned()).spawn(move || {
            runtime.block_on(async {
                supervisor::run(supervised.clone(), first).await;
                supervised.tasks.close();
                supervised.tasks.wait().await;
            });
            // A name that is being looked up cannot be interrupted, and is not worth waiting for.
            runtime.shutdown_background();
            finish.send_replace(true);
        })?;
        let transport = Arc::new(Self {
            shared,
            runtime: handle,
            publisher: OnceLock::new(),
            thread: Mutex::new(Some(thread)),
            finished,
        });
        first_attempt.await.map_err(|_| closed())??;
        Ok(transport)
    }

    /// Where deliveries and replies are taken from lapin and handed over: the runtime of who asked for them, whose tasks they wake.
    /// From the transport's own thread each of them would cost a wake of another thread, a system call.
    fn callers_runtime(&self) -> Handle {
        Handle::try_current().unwrap_or_else(|_| self.runtime.clone())
    }

    /// Runs on the transport's own thread, so that time limits need no runtime of the caller's.
    async fn run<T: Send + 'static>(&self, future: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
        self.shared.tasks.spawn_on(future, &self.runtime).await.map_err(|_| closed())?
    }

    async fn declare_items(&self, items: Vec<Item>) -> Result<()> {
        let items = Arc::new(items);
        self.ask(move |shared, link| {
            let items = items.clone();
            async move { topology::declare(&shared.registry, &link, &items).await }
        })
        .await
    }

    /// Asks the broker over the present link, again with the next one when the link is lost meanwhile.
    async fn ask<T, F>(&self, question: impl Fn(Arc<Shared>, Arc<Link>) -> F + Send + 'static) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let shared = self.shared.clone();
        self.run(async move {
            loop {
                let link = shared.link().await?;
                match question(shared.clone(), link).await {
                    Ok(answer) => return Ok(answer),
                    Err(Failure::Lost) => {}
                    Err(failure) => return Err(failure.into()),
                }
            }
        })
        .await
    }
}

#[async_trait]
impl Transport for AmqpTransport {
    async fn declare(&self, topology: Topology) -> Result<()> {
        topology.check()?;
        let _no_round = self.shared.registry.no_round().await;
        let new = self.shared.registry.add(&topology);
        let declared = self.declare_items(item::items(&topology)).await;
        if declared.as_ref().is_err_and(|error| matches!(error.kind(), ErrorKind::Usage | ErrorKind::Refused)) {
            // For good, another connection's perhaps, or forbidden: it must not be there later, when nobody counts on it any more.
            self.shared.registry.forget_new(&new);
        }
        declared
    }

    async fn consume(&self, queue: Name, prefetch: u16, sink: Arc<dyn DeliverySink>) -> Result<Arc<dyn Consumer>> {
        let (ready, outcome) = Ready::new();
        let entry = consumer::Entry::new(queue, prefetch, sink);
        let given_up = entry.cancel_token().clone().drop_guard();
        self.shared.tasks.spawn_on(consumer::run(entry.clone(), ready, self.shared.clone()), &self.callers_runtime());
        outcome.await.map_err(|_| closed())??;
        given_up.disarm();
        Ok(Arc::new(AmqpConsumer(entry)))
    }

    async fn open_requester(&self, owner: &str, sink: Arc<dyn ReplySink>) -> Result<Arc<dyn Requester>> {
        let (ready, outcome) = Ready::new();
        let entry = requester::Entry::new(owner, sink);
        let given_up = entry.dropped_token().clone().drop_guard();
        self.shared.tasks.spawn_on(requester::run(entry.clone(), ready, self.shared.clone()), &self.callers_runtime());
        outcome.await.map_err(|_| closed())??;
        given_up.disarm();
        Ok(Arc::new(AmqpRequester(entry)))
    }

    async fn publish(&self, message: Message) -> Result<Published> {
        let publisher = self.publisher.get_or_init(|| {
            let (publisher, task) = Publisher::new(self.shared.clone());
            self.shared.tasks.spawn_on(task, &self.runtime);
            publisher
        });
        publisher.publish(&self.shared, message).await
    }

    async fn publish_later(&self, message: Message, delay: Duration) -> Result<()> {
        let Some(delay) = Delay::new(delay)? else { return self.publish(message).await.map(drop) };
        let delays = &self.shared.registry.delays;
        let delay = delays.heard(delay);
        if let Some(missing) = delays.missing(delay, &message.exchange) {
            let (items, exchange) = (Arc::new(missing), message.exchange.clone());
            self.ask(move |shared, link| {
                let (items, exchange) = (items.clone(), exchange.clone());
                async move {
                    match topology::declare(&shared.registry, &link, &items).await {
                        Err(failure) if failure.missing_exchange().as_ref() == Some(&exchange) => {
                            Err(no_exchange(&exchange).into())
                        }
                        outcome => outcome,
                    }
                }
            })
            .await?;
            delays.add(delay, &message.exchange);
        }
        match self.publish(delays::delayed(message, delay)).await? {
            Published { routed: true } => Ok(()),
            Published { routed: false } => {
                Err(Error::new(ErrorKind::Unavailable, "a queue that keeps messages for a while was deleted"))
            }
        }
    }

    async fn queue_status(&self, queue: &Name) -> Result<Option<QueueStatus>> {
        let queue = queue.clone();
        self.ask(move |_, link| {
            let queue = queue.clone();
            async move { topology::queue_status(&link, &queue).await }
        })
        .await
    }

    async fn remove_queue(&self, queue: &Name) -> Result<bool> {
        let queue = queue.clone();
        self.ask(move |shared, link| {
            let queue = queue.clone();
            async move {
                let _round = shared.registry.round().await;
                let gone = topology::remove_queue(&shared.registry, &link, &queue).await?;
                if gone {
                    shared.registry.forget(&queue);
                }
                Ok(gone)
            }
        })
        .await
    }

    fn is_adopted(&self, queue: &Queue) -> bool {
        self.shared.registry.is_adopted(&Item::Queue(queue.clone()))
    }

    fn state(&self) -> watch::Receiver<ConnectionState> {
        self.shared.state.subscribe()
    }

    fn address(&self) -> String {
        self.shared.brokers.current().to_string()
    }

    async fn close(&self) {
        self.shared.closing.cancel();
        // An error means that the thread is gone, which is what is waited for.
        let _ = self.finished.clone().wait_for(|finished| *finished).await;
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // It sent `finished` as its last act, so this does not block; a panic of it was reported by the panic hook.
            let _ = thread.join();
        }
    }
}

impl Drop for AmqpTransport {
    fn drop(&mut self) {
        self.shared.closing.cancel();
    }
}

impl fmt::Debug for AmqpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AmqpTransport")
            .field("address", self.shared.brokers.current())
            .field("state", &*self.shared.state.borrow())
            .finish_non_exhaustive()
    }
}
