//! The sagas of one definition in one process: started, claimed, run, and looked at.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::StreamExt;
use tokio::{
    select,
    sync::{Notify, watch},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

#[cfg(feature = "testing")]
use super::faults::Faults;
use super::{
    Happened, Instance, Progress, SagaId, SagaState, StepProgress, StepState, What,
    definition::StepRetry,
    error::StartError,
    events::SagaEvents,
    log::{Claim, Claimed, Holder, NewSaga, News, SagaLog, Started},
    runner::Runner,
    steps::{Steps, current_context},
    store::Terms,
};
use crate::{Result, observe::Observer, protocol::Value, task::Tasks};

/// The most that one process runs at once of what others left; what it starts itself it runs at once.
const CLAIMED_AT_ONCE: usize = 256;
/// The most that are claimed by one look at the log.
const CLAIMED_TOGETHER: usize = 64;
/// The most that are removed by one change of the log: few enough to hold up nobody else.
const FORGOTTEN_TOGETHER: usize = 500;
/// How often a process removes what is over long enough.
const FORGET_EVERY: Duration = Duration::from_secs(60);
/// How long a stop waits for the steps that run.
const STOP_LIMIT: Duration = Duration::from_secs(5);
/// The longest business id: it is part of a key, of headers, and of an index.
const LONGEST_ID: usize = 200;

pub(crate) struct Engine {
    pub(super) service: &'static str,
    pub(super) steps: Arc<dyn Steps>,
    pub(super) log: Arc<dyn SagaLog>,
    pub(super) holder: Holder,
    /// How long what is over is kept.
    keep: Duration,
    pub(super) events: Option<SagaEvents>,
    pub(super) observer: Arc<Observer>,
    /// No new step begins.
    pub(super) stop: CancellationToken,
    /// Steps that run are dropped.
    pub(super) kill: CancellationToken,
    /// It is time to look for what is due.
    pub(super) look: Notify,
    here: Mutex<HashMap<String, Arc<Here>>>,
    running: AtomicUsize,
    tasks: Tasks,
    #[cfg(feature = "testing")]
    pub(crate) faults: Faults,
}

/// One saga, as this process knows it while it runs here or somebody here waits for it.
pub(super) struct Here {
    /// Something was sent to it.
    pub(super) news: Notify,
    told: AtomicBool,
    runs: AtomicBool,
    rest: watch::Sender<Option<Arc<Instance>>>,
}

impl Here {
    fn new() -> Self {
        let (rest, _) = watch::channel(None);
        Self { news: Notify::new(), told: AtomicBool::new(false), runs: AtomicBool::new(false), rest }
    }

    /// Something was sent to it.
    fn tell(&self) {
        self.told.store(true, Ordering::Release);
        self.news.notify_one();
    }

    /// Whether something was sent since this was last asked, as far as anybody here knows.
    pub(super) fn take_told(&self) -> bool {
        self.told.swap(false, Ordering::AcqRel)
    }
}

impl Engine {
    pub(crate) fn new(
        service: &'static str,
        steps: Arc<dyn Steps>,
        log: Arc<dyn SagaLog>,
        Terms { lease, keep }: Terms,
        events: Option<SagaEvents>,
        observer: Arc<Observer>,
    ) -> Arc<Self> {
        let owner = format!("{service}.{}", uuid::Uuid::new_v4());
        Arc::new(Self {
            service,
            steps,
            log,
            holder: Holder { owner, lease },
            observer,
            keep,
            events,
            stop: CancellationToken::new(),
            kill: CancellationToken::new(),
            look: Notify::new(),
            here: Mutex::default(),
            running: AtomicUsize::new(0),
            tasks: Tasks::new(),
            #[cfg(feature = "testing")]
            faults: Faults::default(),
        })
    }

    pub(super) fn id(&self, id: &str) -> SagaId {
        SagaId::new(self.steps.info().name, id)
    }

    fn here(&self) -> MutexGuard<'_, HashMap<String, Arc<Here>>> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, id: &str) -> Arc<Here> {
        self.here().entry(id.to_owned()).or_insert_with(|| Arc::new(Here::new())).clone()
    }

    /// How a saga ends, as soon as it does so here.
    pub(super) fn watch(&self, id: &str) -> watch::Receiver<Option<Arc<Instance>>> {
        self.known(id).rest.subscribe()
    }

    /// Before another attempt.
    pub(super) fn delay(&self, retry: &StepRetry, attempts: u32) -> Duration {
        #[cfg(feature = "testing")]
        if self.faults.hurries() {
            return Duration::ZERO;
        }
        retry.delay(attempts)
    }

    /// Starts a saga, or finds the one that has its id. Gives whether it began.
    pub(super) async fn start(self: &Arc<Self>, id: String, input: Value) -> Result<bool, StartError> {
        if id.is_empty() || id.len() > LONGEST_ID {
            return Err(StartError::BadId { id, longest: LONGEST_ID });
        }
        if self.stop.is_cancelled() {
            return Err(StartError::Stopping);
        }
        let info = self.steps.info();
        let mut progress = Progress { steps: StepProgress::of(info), ..Progress::default() };
        let mut happened = vec![Happened::new(What::Started)];
        if self.events.is_some() {
            progress.unannounced.push(super::events::STARTED.to_owned());
        }
        if let (Some(step), Some(first)) = (info.steps.first(), progress.steps.first_mut())
            && step.wait.is_none()
            && !step.conditional
        {
            first.state = StepState::Running;
            first.attempts = 1;
            happened.push(Happened::to(What::Begun, step.name).attempt(1));
        }
        let new = NewSaga {
            id: self.id(&id),
            service: self.service.to_owned(),
            version: info.version,
            steps: info.fingerprint(),
            state: SagaState::Running,
            input,
            context: current_context(),
            progress,
            happened,
        };
        let (input, began) = (new.input.clone(), Instant::now());
        match self.log.start(new, &self.holder).await.map_err(StartError::Log)? {
            Started::New(claimed) => {
                self.launch(*claimed, began);
                Ok(true)
            }
            Started::Exists(found) if found.service != self.service => {
                Err(StartError::OtherService { id, service: found.service })
            }
            Started::Exists(found) if found.input != input => Err(StartError::OtherInput { id }),
            Started::Exists(_) => Ok(false),
        }
    }

    /// Runs what is held, in a task of its own.
    fn launch(self: &Arc<Self>, claimed: Claimed, began: Instant) {
        let id = claimed.instance.id.id.clone();
        let here = self.known(&id);
        here.runs.store(true, Ordering::Release);
        here.rest.send_replace(None);
        self.running.fetch_add(1, Ordering::AcqRel);
        let (engine, runner) = (self.clone(), Runner::new(self.clone(), claimed, here.clone(), began));
        self.tasks.spawn(async move {
            let ended = runner.run().await;
            #[cfg(feature = "testing")]
            if matches!(ended, Err(super::runner::Halt::Crashed)) {
                engine.faults.crashed.notify_one();
            }
            here.runs.store(false, Ordering::Release);
            if let Ok(instance) = ended
                && (instance.state.is_over() || instance.state == SagaState::Parked)
            {
                engine.count(instance.state);
                here.rest.send_replace(Some(Arc::new(instance)));
            }
            engine.forget(&id, &here);
            if engine.running.fetch_sub(1, Ordering::AcqRel) >= CLAIMED_AT_ONCE {
                engine.look.notify_one();
            }
        });
    }

    /// One has come to rest here.
    fn count(&self, state: SagaState) {
        let labels = [("service", self.service), ("saga", self.steps.info().name), ("state", state.as_str())];
        self.observer.tally("kinoko_sagas", "Sagas that came to rest here, by their state", &labels).add(1);
    }

    /// Nobody here waits for it, and it does not run here.
    fn forget(&self, id: &str, here: &Arc<Here>) {
        let mut known = self.here();
        if here.rest.receiver_count() == 0 && !here.runs.load(Ordering::Acquire) {
            known.remove(id);
        }
    }

    /// Looks for what is due, listens for what others tell of, and removes what is over long enough, until it is stopped.
    pub(crate) fn begin(self: &Arc<Self>) {
        let engine = self.clone();
        self.tasks.spawn(async move {
            let stop = engine.stop.clone();
            stop.run_until_cancelled(async { tokio::join!(engine.listen(), engine.sweep()) }).await;
        });
        let engine = self.clone();
        self.tasks.spawn(async move {
            loop {
                while engine.claim().await {}
                select! {
                    biased;
                    () = engine.stop.cancelled() => return,
                    () = engine.look.notified() => {}
                    () = sleep(engine.holder.lease / 2) => {}
                }
                engine.here().retain(|_, here| here.runs.load(Ordering::Acquire) || here.rest.receiver_count() > 0);
            }
        });
    }

    /// Hears of what other processes did, and wakes what has to look at it.
    async fn listen(&self) {
        let mut news = self.log.news();
        while let Some(told) = news.next().await {
            match &told {
                News::Of(id) if id.saga != self.steps.info().name => continue,
                News::Of(id) => {
                    if let Some(here) = self.here().get(&id.id) {
                        here.tell();
                    }
                }
                News::Any => self.here().values().for_each(|here| here.tell()),
            }
            self.look.notify_one();
        }
    }

    /// Removes what is over and was kept long enough, from time to time. Several instances at once do no harm.
    async fn sweep(&self) {
        let of = Claim { saga: self.steps.info().name, service: self.service, limit: FORGOTTEN_TOGETHER };
        loop {
            sleep(FORGET_EVERY.min(self.keep)).await;
            loop {
                match self.log.forget(of, self.keep).await {
                    Ok(forgotten) if forgotten == FORGOTTEN_TOGETHER => {}
                    Ok(_) => break,
                    Err(error) => {
                        tracing::warn!(
                            saga = of.saga,
                            error = error.chain(),
                            "sagas that are over could not be removed"
                        );
                        break;
                    }
                }
            }
        }
    }

    /// Takes what is due. Gives whether there may be more.
    pub(crate) async fn claim(self: &Arc<Self>) -> bool {
        let free = CLAIMED_AT_ONCE.saturating_sub(self.running.load(Ordering::Acquire));
        let limit = free.min(CLAIMED_TOGETHER);
        if limit == 0 || self.stop.is_cancelled() {
            return false;
        }
        let began = Instant::now();
        let claim = Claim { saga: self.steps.info().name, service: self.service, limit };
        match self.log.claim(claim, &self.holder).await {
            Ok(claimed) => {
                let more = claimed.len() == limit;
                claimed.into_iter().for_each(|claimed| self.launch(claimed, began));
                more
            }
            Err(error) => {
                let saga = self.steps.info().name;
                tracing::warn!(saga, error = error.chain(), "the log of sagas cannot be asked for what is due");
                false
            }
        }
    }

    /// Sends something to a saga. `false`: there is none.
    pub(super) async fn signal(&self, id: &str, name: &str, payload: Value) -> Result<bool> {
        let sent = self.log.signal(&self.id(id), name, payload).await?;
        let here = self.here().get(id).cloned();
        if let Some(here) = here.filter(|here| here.runs.load(Ordering::Acquire)) {
            here.tell();
        }
        // It may have been given out of hand.
        self.look.notify_one();
        Ok(sent)
    }

    /// Ends what runs here: what is between two steps is released, what runs has a few seconds.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        if timeout(STOP_LIMIT, self.tasks.join()).await.is_err() {
            self.kill.cancel();
            self.tasks.join().await;
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("saga", &self.steps.info().name)
            .field("service", &self.service)
            .field("running", &self.running.load(Ordering::Relaxed))
            .finish_non_exhaustive()
    }
}
