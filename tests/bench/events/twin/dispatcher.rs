//! The dispatching side: one task owns the channel that has confirms.

use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::{FutureExt, future::BoxFuture};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions},
    types::ShortString,
};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::{EVENT, Names, declare_exchange};
use crate::{
    Failed,
    events::QueueType,
    load::{self, Clock, Done, Load},
    payload::{Codec, Payload},
};

/// The most that wait for their confirm, and the most that wait to be published.
const WINDOW: usize = 256;

pub(crate) struct Dispatcher {
    _connection: Connection,
    jobs: mpsc::Sender<Job>,
}

struct Job {
    body: Vec<u8>,
    tell: oneshot::Sender<Verdict>,
}

#[derive(Debug, Clone, Copy)]
enum Verdict {
    Taken,
    Refused,
    Returned,
}

struct Outstanding {
    message_id: Uuid,
    confirm: BoxFuture<'static, lapin::Result<Confirmation>>,
    confirmed: Option<bool>,
    returned: bool,
    tell: oneshot::Sender<Verdict>,
}

struct Owner {
    channel: Channel,
    exchange: ShortString,
    window: VecDeque<Outstanding>,
}

impl Dispatcher {
    pub(crate) async fn connect(broker: &str, queue: QueueType) -> Result<Arc<Self>, Failed> {
        let connection =
            Connection::connect(broker, ConnectionProperties::default().with_connection_name("twin".into())).await?;
        let channel = connection.create_channel().await?;
        let names = Names::of(queue);
        declare_exchange(&channel, &names).await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let (jobs, mut waiting) = mpsc::channel(WINDOW);
        tokio::spawn(async move {
            let mut owner = Owner { channel, exchange: names.exchange, window: VecDeque::new() };
            let error = poll_fn(|cx| owner.poll(cx, &mut waiting)).await;
            eprintln!("twin: {error}");
        });
        Ok(Arc::new(Self { _connection: connection, jobs }))
    }

    pub(crate) async fn load(self: Arc<Self>, run: Load, payload: Payload) -> Result<Done, Failed> {
        let payload = Arc::new(payload);
        load::run(run, Clock::EveryCall, move || {
            let (dispatcher, payload) = (self.clone(), payload.clone());
            async move { dispatcher.dispatch(&payload).await }
        })
        .await
    }

    async fn dispatch(&self, payload: &Payload) -> Result<(), Failed> {
        let body = Codec::Json.encode(payload)?;
        let (tell, verdict) = oneshot::channel();
        self.jobs.send(Job { body, tell }).await?;
        match verdict.await? {
            Verdict::Taken => Ok(()),
            Verdict::Refused => Err("a queue refused the event".into()),
            Verdict::Returned => Err("no queue took the event".into()),
        }
    }
}

impl Owner {
    /// Looks at all that wait for their confirm before anything is told, and tells it from the front only: lapin hands a returned message
    /// to whichever confirm resolves next, and a return comes before its own confirm.
    fn poll(&mut self, cx: &mut Context<'_>, jobs: &mut mpsc::Receiver<Job>) -> Poll<lapin::Error> {
        loop {
            if let Err(error) = self.look(cx) {
                return Poll::Ready(error);
            }
            while let Some(&Outstanding { confirmed: Some(taken), returned, .. }) = self.window.front() {
                let verdict = match (taken, returned) {
                    (_, true) => Verdict::Returned,
                    (true, _) => Verdict::Taken,
                    (false, _) => Verdict::Refused,
                };
                if let Some(publish) = self.window.pop_front() {
                    let _ = publish.tell.send(verdict);
                }
            }
            let before = self.window.len();
            while self.window.len() < WINDOW
                && let Poll::Ready(Some(job)) = jobs.poll_recv(cx)
            {
                self.publish(job);
            }
            if self.window.len() == before {
                return Poll::Pending;
            }
        }
    }

    fn look(&mut self, cx: &mut Context<'_>) -> lapin::Result<()> {
        let mut carried = Vec::new();
        for publish in self.window.iter_mut().filter(|publish| publish.confirmed.is_none()) {
            let Poll::Ready(confirmation) = publish.confirm.poll_unpin(cx) else { continue };
            let (taken, returned) = match confirmation? {
                Confirmation::Ack(returned) => (true, returned),
                Confirmation::Nack(returned) => (false, returned),
                Confirmation::NotRequested => (false, None),
            };
            publish.confirmed = Some(taken);
            carried.extend(returned);
        }
        for returned in carried {
            let id = returned.delivery.properties.message_id().as_ref();
            let id = id.and_then(|id| Uuid::try_parse(id.as_str()).ok());
            if let Some(publish) = self.window.iter_mut().find(|publish| Some(publish.message_id) == id) {
                publish.returned = true;
            }
        }
        Ok(())
    }

    fn publish(&mut self, job: Job) {
        let message_id = Uuid::new_v4();
        let properties = BasicProperties::default()
            .with_delivery_mode(2)
            .with_content_type("application/json".into())
            .with_content_encoding("utf-8".into())
            .with_message_id(message_id.to_string().into())
            .with_priority(0);
        let (channel, exchange) = (self.channel.clone(), self.exchange.clone());
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let confirm =
            async move { channel.basic_publish(exchange, EVENT.into(), options, &job.body, properties).await?.await };
        self.window.push_back(Outstanding {
            message_id,
            confirm: confirm.boxed(),
            confirmed: None,
            returned: false,
            tell: job.tell,
        });
    }
}
