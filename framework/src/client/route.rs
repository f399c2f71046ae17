//! Which way requests for one service go: the short path between kinoko peers, or Nameko's.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{sync::OnceCell, time::Instant};

use crate::{
    Result,
    observe::{Calls, Observer},
    protocol::{Name, names},
    transport::Transport,
};

/// How long a client stays on Nameko's path before it looks whether the short one is served. It bounds how long a service that
/// moved from Python to Rust is called the longer way.
const REMEMBER: Duration = Duration::from_secs(30);
/// How long an answer of the broker about a queue's consumers is believed.
const LOOK_FRESH: Duration = Duration::from_secs(1);
/// The broker answers a look at once or not at all.
const LOOK_LIMIT: Duration = Duration::from_secs(2);

/// The two ways to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WirePath {
    /// Through the default exchange to a queue that only kinoko instances consume.
    Short,
    /// Through Nameko's exchange to the queue that all instances consume.
    Nameko,
}

/// One service as this program's clients reach it. Shared by all clients of the service.
#[derive(Debug)]
pub(crate) struct Route {
    pub(super) service: Name,
    pub(super) short_queue: Name,
    rpc_queue: Name,
    state: Mutex<State>,
    /// A look was asked for and has not begun. While the broker is away each takes its time, and every call wants one.
    look_wanted: AtomicBool,
    first_look: OnceCell<()>,
    /// What counts the calls of its methods, those that a client declares.
    calls: RwLock<Vec<Arc<Calls>>>,
}

#[derive(Debug, Default)]
struct State {
    nameko_until: Option<Instant>,
    looked: Option<Looked>,
}

/// What the broker said of a service's queues.
#[derive(Debug, Clone, Copy)]
struct Looked {
    at: Instant,
    /// Somebody consumes one of them.
    served: bool,
    /// There is no queue of the short path, and somebody on Nameko's.
    short_gone: bool,
}

impl Route {
    pub(super) fn new(service: Name) -> Self {
        Self {
            short_queue: names::short_queue(&service),
            rpc_queue: names::rpc_queue(&service),
            service,
            state: Mutex::default(),
            look_wanted: AtomicBool::new(false),
            first_look: OnceCell::new(),
            calls: RwLock::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The way to take now, and whether it is time to look if a kinoko instance is there. Calls go Nameko's way until one was seen:
    /// a queue of the short path may be there without an instance, and would keep what is sent to it.
    pub(super) fn path(&self, now: Instant) -> (WirePath, bool) {
        match self.state().nameko_until {
            Some(until) => (WirePath::Nameko, until <= now),
            None => (WirePath::Short, false),
        }
    }

    /// What counts the calls of a method. One that no client declares is counted with all such, under no name of its own: names may come
    /// from anywhere, and each would be a series of its own.
    pub(super) fn calls(&self, observer: &Observer, method: &Name, declared: bool) -> Arc<Calls> {
        let known = |calls: &[Arc<Calls>]| calls.iter().find(|calls| calls.method == *method).cloned();
        if let Some(calls) = known(&self.calls.read().unwrap_or_else(PoisonError::into_inner)) {
            return calls;
        }
        if !declared {
            return observer.other_calls().clone();
        }
        let calls = observer.calls(&self.service, method);
        self.calls.write().unwrap_or_else(PoisonError::into_inner).push(calls.clone());
        calls
    }

    /// Whether nobody has looked yet.
    pub(super) fn is_new(&self) -> bool {
        !self.first_look.initialized()
    }

    /// The look before the first call of a service, which must not end in the queue that a crashed instance left.
    pub(super) async fn look_first(&self, transport: &dyn Transport) {
        self.first_look
            .get_or_init(|| async {
                let _ = self.look(transport).await;
            })
            .await;
    }

    /// No kinoko instance is there: takes Nameko's path for a while.
    pub(super) fn prefer_nameko(&self, now: Instant) {
        self.state().nameko_until = Some(now + REMEMBER);
    }

    /// Nobody is there on either path: the next call tries the short one first again.
    pub(super) fn forget(&self) {
        self.state().nameko_until = None;
    }

    /// Whether the broker said, since then, that nobody consumes the service's queues.
    pub(super) fn no_instance(&self, since: Instant) -> bool {
        matches!(self.state().looked, Some(Looked { at, served: false, .. }) if at >= since)
    }

    /// Whether a look is to be asked for: none is under way.
    pub(super) fn want_look(&self) -> bool {
        !self.look_wanted.swap(true, Ordering::AcqRel)
    }

    /// Asks the broker whether anybody consumes the service's queues, unless it was asked just now. Returns when it was asked, if the
    /// queue of the short path was gone and others are there to answer.
    pub(super) async fn look(&self, transport: &dyn Transport) -> Option<Instant> {
        self.look_wanted.store(false, Ordering::Release);
        let now = Instant::now();
        let fresh = self.state().looked.filter(|looked| now < looked.at + LOOK_FRESH);
        let looked = match fresh {
            Some(looked) => looked,
            None => self.ask(transport, now).await?,
        };
        looked.short_gone.then_some(looked.at)
    }

    async fn ask(&self, transport: &dyn Transport, now: Instant) -> Option<Looked> {
        let asked: Result<Result<_>, _> = tokio::time::timeout(LOOK_LIMIT, async {
            let short = transport.queue_status(&self.short_queue).await?;
            let rpc = transport.queue_status(&self.rpc_queue).await?;
            Ok((short.map(|queue| queue.consumers), rpc.map_or(0, |queue| queue.consumers)))
        })
        .await;
        // An unreachable broker says nothing about the service.
        let Ok(Ok((short, rpc))) = asked else { return None };
        let consumers = short.unwrap_or(0);
        let looked = Looked { at: now, served: consumers + rpc > 0, short_gone: short.is_none() && rpc > 0 };
        let mut state = self.state();
        state.looked = Some(looked);
        match (consumers, rpc) {
            (0, 0) => {}
            (0, _) => state.nameko_until = Some(now + REMEMBER),
            _ => state.nameko_until = None,
        }
        Some(looked)
    }
}
