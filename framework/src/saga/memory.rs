//! A log in the memory of this process.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use async_trait::async_trait;
use tokio::time::Instant;

use super::{
    Happened, Instance, SagaFilter, SagaId, Signal, TimelineEntry,
    log::{Claim, Claimed, Holder, Lease, LogError, NewSaga, SagaLog, Started, Then, Transition, last_number},
};
use crate::{
    Result,
    protocol::{Value, context_data::unix_ms},
};

/// How many sagas that are over are kept: a process that runs for months must not fill its memory with them.
const OVER_KEPT: usize = 10_000;

/// A log in the memory of this process: for tests, and for sagas that need not outlive it. Its sagas end with it.
///
/// It keeps the 10 000 sagas that were over last, for as long as the setting `saga.keep` says; an older one's id may be used again.
///
/// All instances of a service in this process that are to share one open it by its [`name`](Self::named), as `saga.log: memory://name`
/// does.
#[derive(Default)]
pub struct MemoryLog(Mutex<Sagas>);

#[derive(Default)]
struct Sagas {
    rows: BTreeMap<SagaId, Row>,
    /// What can be claimed from when on.
    due: BTreeSet<(Instant, SagaId)>,
    /// What is over, in that order, with when it ended.
    over: VecDeque<(Instant, SagaId)>,
    /// How many were started.
    started: u64,
}

struct Row {
    instance: Instance,
    timeline: Vec<TimelineEntry>,
    started: Instant,
    order: u64,
    fence: u64,
    claimable: Option<Instant>,
}

impl MemoryLog {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// The one of this name, which everybody in this process has who asks for it; kept for as long as somebody has it.
    pub fn named(name: &str) -> Arc<Self> {
        static NAMED: Mutex<Option<HashMap<String, Weak<MemoryLog>>>> = Mutex::new(None);
        let mut named = NAMED.lock().unwrap_or_else(PoisonError::into_inner);
        let logs = named.get_or_insert_with(HashMap::new);
        if let Some(log) = logs.get(name).and_then(Weak::upgrade) {
            return log;
        }
        logs.retain(|_, log| log.strong_count() > 0);
        let log = Arc::new(Self::new());
        logs.insert(name.to_owned(), Arc::downgrade(&log));
        log
    }

    /// The lease of a saga is over, whoever has it.
    #[cfg(feature = "testing")]
    pub(crate) fn expire(&self, id: &SagaId) {
        self.sagas().schedule(id, Some(Instant::now()));
    }

    fn sagas(&self) -> MutexGuard<'_, Sagas> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sagas {
    /// Moves a saga among what is due.
    fn schedule(&mut self, id: &SagaId, at: Option<Instant>) {
        let Some(row) = self.rows.get_mut(id) else { return };
        let before = std::mem::replace(&mut row.claimable, at);
        if let Some(before) = before {
            self.due.remove(&(before, id.clone()));
        }
        if let Some(at) = at {
            self.due.insert((at, id.clone()));
        }
    }

    /// The row that a lease is for, if it still is.
    fn held(&mut self, lease: &Lease) -> Result<&mut Row, LogError> {
        match self.rows.get_mut(&lease.id) {
            Some(row) if row.fence == lease.fence => Ok(row),
            _ => Err(LogError::LeaseLost),
        }
    }

    /// Counts a saga as over, and forgets the one that is over longest.
    fn is_over(&mut self, id: &SagaId) {
        self.over.push_back((Instant::now(), id.clone()));
        while self.over.len() > OVER_KEPT {
            if let Some((_, oldest)) = self.over.pop_front() {
                self.schedule(&oldest, None);
                self.rows.remove(&oldest);
            }
        }
    }

    /// Whether a saga that is over may be forgotten: it has nothing left to tell, and nobody has asked anything of it.
    fn is_at_rest(&self, id: &SagaId, of: Claim<'_>) -> bool {
        id.saga == of.saga
            && self.rows.get(id).is_some_and(|row| row.claimable.is_none() && row.instance.service == of.service)
    }
}

impl Row {
    fn tell(&mut self, happened: Vec<Happened>) {
        let at_ms = unix_ms();
        self.instance.updated_at_ms = at_ms;
        for what in happened {
            let number = self.timeline.len() as u64 + 1;
            self.timeline.push(TimelineEntry { number, at_ms, what });
        }
    }

    fn seen(&self) -> Instance {
        Instance { age: self.started.elapsed(), ..self.instance.clone() }
    }

    fn claimed(&self, holder: &Holder) -> Claimed {
        let lease = Lease { id: self.instance.id.clone(), holder: holder.clone(), fence: self.fence };
        Claimed { lease, instance: self.seen() }
    }
}

/// A point in time, or the end of it.
fn after(time: Duration) -> Instant {
    const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    Instant::now() + time.min(LONGEST)
}

#[async_trait]
impl SagaLog for MemoryLog {
    async fn start(&self, new: NewSaga, holder: &Holder) -> Result<Started> {
        let mut sagas = self.sagas();
        if let Some(row) = sagas.rows.get(&new.id) {
            return Ok(Started::Exists(Box::new(row.seen())));
        }
        sagas.started += 1;
        let order = sagas.started;
        let (id, happened) = (new.id.clone(), new.happened.clone());
        let mut row = Row {
            instance: new.into_instance(holder, unix_ms()),
            timeline: Vec::new(),
            started: Instant::now(),
            order,
            fence: 1,
            claimable: None,
        };
        row.tell(happened);
        let claimed = row.claimed(holder);
        sagas.rows.insert(id.clone(), row);
        sagas.schedule(&id, Some(after(holder.lease)));
        Ok(Started::New(Box::new(claimed)))
    }

    async fn claim(&self, claim: Claim<'_>, holder: &Holder) -> Result<Vec<Claimed>> {
        let mut sagas = self.sagas();
        let now = Instant::now();
        let due: Vec<SagaId> = sagas
            .due
            .iter()
            .take_while(|(at, _)| *at <= now)
            .map(|(_, id)| id)
            .filter(|id| id.saga == claim.saga && sagas.rows[*id].instance.service == claim.service)
            .take(claim.limit)
            .cloned()
            .collect();
        let mut claimed = Vec::with_capacity(due.len());
        for id in due {
            sagas.schedule(&id, Some(after(holder.lease)));
            if let Some(row) = sagas.rows.get_mut(&id) {
                row.fence += 1;
                row.instance.owner = Some(holder.owner.clone());
                claimed.push(row.claimed(holder));
            }
        }
        Ok(claimed)
    }

    async fn append(&self, lease: &Lease, transition: Transition) -> Result<u64, LogError> {
        let mut sagas = self.sagas();
        let row = sagas.held(lease)?;
        let signals = last_number(&row.instance.signals);
        if row.instance.seq == transition.seq {
            return Ok(signals);
        }
        if row.instance.owner.as_ref() != Some(&lease.holder.owner) || row.instance.seq + 1 != transition.seq {
            return Err(LogError::LeaseLost);
        }
        let ends = transition.state.is_over() && !row.instance.state.is_over();
        row.instance.seq = transition.seq;
        row.instance.state = transition.state;
        row.instance.progress = transition.progress;
        row.tell(transition.happened);
        let due = match transition.then {
            Then::Keep => Some(after(lease.holder.lease)),
            released => {
                row.instance.owner = None;
                match released {
                    _ if signals > transition.seen => Some(Instant::now()),
                    Then::DueIn(time) => Some(after(time)),
                    _ => None,
                }
            }
        };
        sagas.schedule(&lease.id, due);
        if ends {
            sagas.is_over(&lease.id);
        }
        Ok(signals)
    }

    async fn renew(&self, lease: &Lease) -> Result<u64, LogError> {
        let mut sagas = self.sagas();
        let row = sagas.held(lease)?;
        if row.instance.owner.as_ref() != Some(&lease.holder.owner) {
            return Err(LogError::LeaseLost);
        }
        let signals = last_number(&row.instance.signals);
        sagas.schedule(&lease.id, Some(after(lease.holder.lease)));
        Ok(signals)
    }

    async fn signal(&self, id: &SagaId, name: &str, payload: Value) -> Result<bool> {
        let mut sagas = self.sagas();
        let Some(row) = sagas.rows.get_mut(id) else { return Ok(false) };
        let number = last_number(&row.instance.signals) + 1;
        row.instance.signals.push(Signal { number, name: name.to_owned(), payload });
        if row.instance.owner.is_none() {
            sagas.schedule(id, Some(Instant::now()));
        }
        Ok(true)
    }

    async fn load(&self, id: &SagaId) -> Result<Option<Instance>> {
        Ok(self.sagas().rows.get(id).map(Row::seen))
    }

    async fn timeline(&self, id: &SagaId) -> Result<Vec<TimelineEntry>> {
        Ok(self.sagas().rows.get(id).map(|row| row.timeline.clone()).unwrap_or_default())
    }

    async fn list(&self, filter: &SagaFilter) -> Result<Vec<Instance>> {
        let sagas = self.sagas();
        let mut rows: Vec<&Row> = sagas.rows.values().filter(|row| filter.lets_through(&row.instance)).collect();
        rows.sort_unstable_by_key(|row| std::cmp::Reverse(row.order));
        Ok(rows.into_iter().skip(filter.offset).take(filter.limit).map(Row::seen).collect())
    }

    async fn forget(&self, of: Claim<'_>, rested: Duration) -> Result<usize> {
        let mut sagas = self.sagas();
        let long_enough = sagas.over.iter().take_while(|(at, _)| at.elapsed() >= rested);
        let ids = long_enough.map(|(_, id)| id).filter(|id| sagas.is_at_rest(id, of));
        let ids: HashSet<SagaId> = ids.take(of.limit).cloned().collect();
        sagas.over.retain(|(_, id)| !ids.contains(id));
        for id in &ids {
            sagas.rows.remove(id);
        }
        Ok(ids.len())
    }
}

impl fmt::Debug for MemoryLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryLog").field("sagas", &self.sagas().rows.len()).finish()
    }
}
