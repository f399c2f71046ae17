//! A request under way: sent on one path, sent again on the other where the first leads nowhere, then its reply.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::{Instant, timeout_at};

use super::{
    replies::{Answered, Verdict, Waiting},
    route::{Route, WirePath},
    rpc::RpcClient,
};
use crate::{
    ErrorKind,
    codec::Format,
    context::{Slot, WorkerContext},
    observe::CallWatch,
    protocol::{Message, Name, Properties, Value, context_data, excerpt, names},
    transport::Publishing,
};

/// Everything that a request is sent from, as often as it takes.
pub(super) struct Request {
    pub(super) rpc: Arc<RpcClient>,
    pub(super) route: Arc<Route>,
    pub(super) method: Name,
    pub(super) format: Format,
    pub(super) body: Bytes,
    pub(super) headers: Vec<(Name, Value)>,
    pub(super) deadline: Instant,
    pub(super) context: Option<WorkerContext>,
    pub(super) watch: CallWatch,
}

/// Why there is no reply, before it becomes a [`CallError`](super::CallError) of some type.
pub(super) enum Failure {
    TimedOut {
        sent: bool,
    },
    Unknown {
        did_you_mean: Option<String>,
    },
    NotSent(String),
    /// It can never be sent: a name or a header that no message has room for.
    NotSendable(String),
    Lost,
    TooLarge {
        bytes: usize,
        limit: usize,
    },
    Encode(String),
    BadReply(String),
}

impl Request {
    /// The way to take.
    pub(super) async fn path(&self, now: Instant) -> WirePath {
        if self.route.is_new() {
            // What cannot be seen by the deadline is found out by sending. Boxed, as only the first call waits for it.
            let look = timeout_at(self.deadline, self.route.look_first(&**self.rpc.transport()));
            let _ = Box::pin(look).await;
        }
        let (path, due) = self.route.path(now);
        if due {
            self.rpc.replies.look(self.route.clone());
        }
        path
    }

    /// Registers the call and publishes the request. Returns when it is written, or when there is a verdict before that.
    pub(super) async fn send(&self, path: WirePath, now: Instant) -> Result<Waiting, Failure> {
        if self.deadline <= now {
            return Err(Failure::TimedOut { sent: false });
        }
        let mut waiting = self.rpc.replies.wait(now, self.deadline, &self.route, path);
        let message = self.message(path, &waiting.correlation_id, now)?;
        let mut publish = match self.rpc.opened() {
            Some(requester) => requester.request(message),
            None => {
                let rpc = self.rpc.clone();
                Publishing::Waiting(Box::pin(async move { Ok(rpc.requester().await?.request(message)) }))
            }
        };
        tokio::select! {
            biased;
            sent = &mut publish => match sent {
                Ok(()) => Ok(waiting),
                Err(error) if error.kind() == ErrorKind::Codec => Err(Failure::NotSendable(error.chain())),
                Err(error) => Err(Failure::NotSent(error.chain())),
            },
            // The reply can be here before the write is known to be done.
            verdict = &mut waiting.verdict => match verdict {
                Ok(Verdict::TimedOut) if publish.is_waiting() => Err(Failure::NotSent(self.unreachable())),
                Ok(verdict) => {
                    waiting.early = Some(verdict);
                    Ok(waiting)
                }
                Err(_) => Err(Failure::Lost),
            },
        }
    }

    /// Waits for the reply. Inside a worker its slot is given back meanwhile.
    pub(super) async fn answer(&self, waiting: &mut Waiting, path: WirePath) -> Result<(Format, Bytes), Failure> {
        let parked = self.context.as_ref().and_then(WorkerContext::slot).map(Slot::park);
        let answered = self.follow(waiting, path).await;
        if let Some(parked) = parked {
            parked.resume().await;
        }
        answered
    }

    async fn follow(&self, waiting: &mut Waiting, mut path: WirePath) -> Result<(Format, Bytes), Failure> {
        loop {
            let verdict = match waiting.early.take() {
                Some(verdict) => verdict,
                None => (&mut waiting.verdict).await.unwrap_or(Verdict::Lost),
            };
            match (verdict, path) {
                (Verdict::Reply(reply), _) => return self.read(reply),
                (Verdict::TooLarge { bytes }, _) => return Err(self.large_reply(bytes)),
                (Verdict::TimedOut, _) => return Err(Failure::TimedOut { sent: true }),
                (Verdict::Lost, _) => return Err(Failure::Lost),
                (Verdict::Returned, WirePath::Short) => {
                    // No kinoko instance: a Python service, or none at all.
                    let now = Instant::now();
                    self.route.prefer_nameko(now);
                    path = WirePath::Nameko;
                    // Rare, so it takes no room in the future of every call.
                    *waiting = Box::pin(self.send(path, now)).await?;
                }
                (Verdict::Returned, WirePath::Nameko) => {
                    self.route.forget();
                    return Err(Failure::Unknown { did_you_mean: self.rpc.known.suggest(&self.route.service) });
                }
            }
        }
    }

    fn read(&self, reply: Answered) -> Result<(Format, Bytes), Failure> {
        let content_type = reply.content_type.as_deref().unwrap_or("application/json");
        match self.rpc.codecs.by_content_type(content_type) {
            Some(format) => Ok((format, reply.body)),
            None => Err(Failure::BadReply(format!(
                "its content type `{}` is of no codec that this program has",
                excerpt(content_type)
            ))),
        }
    }

    #[cold]
    fn large_reply(&self, bytes: usize) -> Failure {
        let limit = self.rpc.settings.max_body_bytes;
        Failure::BadReply(format!("it has {bytes} bytes, {limit} are allowed (max_body_bytes)"))
    }

    fn message(&self, path: WirePath, correlation_id: &Name, now: Instant) -> Result<Message, Failure> {
        let wanted = self.rpc.format_for(path);
        let (format, body) = match (path, *wanted == self.format) {
            // What the call was encoded in is what kinoko peers read, whatever it is.
            (WirePath::Short, _) | (_, true) => (&self.format, self.body.clone()),
            (WirePath::Nameko, false) => {
                let body = self.format.transcode(&self.body, wanted).map_err(|error| Failure::Encode(error.chain()))?;
                (wanted, body)
            }
        };
        let limit = self.rpc.settings.max_body_bytes;
        if body.len() > limit {
            return Err(Failure::TooLarge { bytes: body.len(), limit });
        }
        let short_path = path == WirePath::Short;
        let mut properties = Properties {
            content_type: Some(format.content_type()),
            content_encoding: Some(format.content_encoding()),
            correlation_id: Some(correlation_id.clone()),
            expiration: Some(self.deadline - now),
            timestamp_ms: Some(context_data::unix_ms()),
            kind: short_path.then(|| self.method.clone()),
            ..Properties::default()
        };
        let tracked = self.rpc.settings.parent_calls_tracked;
        match &self.context {
            Some(context) => context.pass_on(&mut properties, tracked, short_path, self.watch.trace()),
            // On the short path the service forms the same id from the correlation id, which saves the bytes.
            None if short_path => {}
            None => {
                let id = context_data::standalone_call_id(&self.rpc.standalone_id);
                context_data::write_stack(&mut properties, vec![id], false);
            }
        }
        if self.context.is_none()
            && let Some(trace) = self.watch.trace()
        {
            context_data::write_trace_parent(&mut properties, &trace.own.header(), short_path);
        }
        for (name, value) in &self.headers {
            context_data::write_header(&mut properties, name.clone(), value, short_path);
        }
        let (exchange, routing_key) = if short_path {
            (names::DEFAULT_EXCHANGE, self.route.short_queue.clone())
        } else {
            (self.rpc.settings.rpc_exchange.clone(), names::rpc_routing_key(&self.route.service, &self.method))
        };
        // Both transports alike: in memory a longer name would only be unknown.
        let longest = routing_key.len().max(self.method.len());
        if longest > names::MAX_BYTES {
            return Err(Failure::NotSendable(format!(
                "the names of the service and the method are too long: {longest} bytes on the wire, AMQP allows {}",
                names::MAX_BYTES
            )));
        }
        Ok(Message { exchange, routing_key, properties, body })
    }

    fn unreachable(&self) -> String {
        let transport = self.rpc.transport();
        transport.state().borrow().unreachable(&transport.address())
    }
}
