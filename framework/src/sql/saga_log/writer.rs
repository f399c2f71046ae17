//! Group commit: changes that come while a commit is under way are the next one, together.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::json;
use sqlx::SqlStr;
use tokio::sync::{mpsc, oneshot};

use super::{news::word_of, statements::Statements};
use crate::{
    Error, ErrorKind, Result,
    saga::{Holder, Instance, Lease, LogError, NewSaga, SagaId, Then, Transition},
    sql::{
        Database,
        backend::{Backend, Cells, millis},
    },
    task::Tasks,
};

/// The most changes of one commit.
const MOST: usize = 512;

/// How long a parameter may be, in bytes. With TLS each 16 KiB are a write of their own, and sqlx leaves Nagle's algorithm on: the last of
/// several waits for an acknowledgement, which the server delays by 40 ms.
const LONGEST_PART: usize = 14 * 1024;

/// Hands changes to the task that writes them.
pub(super) struct Writer(mpsc::UnboundedSender<Waiting>);

/// A change, and who waits for it. Its queue is as long as there are sagas that run: each waits for its change.
struct Waiting {
    change: Change,
    answer: oneshot::Sender<Result<Answer, LogError>>,
}

/// One change of one saga.
pub(super) enum Change {
    Start(Box<Start>),
    Append(Box<Append>),
    Renew(Renew),
}

pub(super) struct Start {
    row: StartRow,
    happened: String,
    /// What it is, when the database has said when it was started.
    instance: Instance,
}

#[derive(Serialize)]
struct StartRow {
    #[serde(flatten)]
    id: SagaId,
    service: String,
    version: u32,
    steps: String,
    state: &'static str,
    input: String,
    context: String,
    progress: String,
    owner: String,
    lease: i64,
}

#[derive(Serialize)]
pub(super) struct Append {
    #[serde(flatten)]
    id: SagaId,
    owner: String,
    fence: u64,
    seq: u64,
    state: &'static str,
    progress: String,
    keep: u8,
    /// `None`: nobody is to take it before a signal comes.
    wait: Option<i64>,
    seen: u64,
    #[serde(skip)]
    happened: String,
}

#[derive(Serialize)]
pub(super) struct Renew {
    #[serde(flatten)]
    id: SagaId,
    owner: String,
    fence: u64,
    lease: i64,
}

/// Lines of a timeline.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    id: &'a SagaId,
    seq: u64,
    happened: &'a str,
}

/// What became of a change.
enum Answer {
    /// The saga is in the log.
    Started(Box<Instance>),
    /// There was one of its id.
    Exists,
    /// It was changed: so many signals has it.
    Changed(u64),
}

impl Change {
    fn start(new: NewSaga, holder: &Holder) -> Result<Self> {
        let row = StartRow {
            id: new.id.clone(),
            service: new.service.clone(),
            version: new.version,
            steps: new.steps.clone(),
            state: new.state.as_str(),
            input: new.input.to_string(),
            context: serde_json::to_string(&new.context)?,
            progress: serde_json::to_string(&new.progress)?,
            owner: holder.owner.clone(),
            lease: millis(holder.lease),
        };
        let happened = serde_json::to_string(&new.happened)?;
        // The database says when.
        let instance = new.into_instance(holder, 0);
        Ok(Self::Start(Box::new(Start { row, happened, instance })))
    }

    pub(super) fn append(lease: &Lease, transition: Transition) -> Result<Self> {
        let (keep, wait) = match transition.then {
            Then::Keep => (1, Some(millis(lease.holder.lease))),
            Then::DueIn(time) => (0, Some(millis(time))),
            Then::Rest => (0, None),
        };
        Ok(Self::Append(Box::new(Append {
            id: lease.id.clone(),
            owner: lease.holder.owner.clone(),
            fence: lease.fence,
            seq: transition.seq,
            state: transition.state.as_str(),
            progress: serde_json::to_string(&transition.progress)?,
            keep,
            wait,
            seen: transition.seen,
            happened: serde_json::to_string(&transition.happened)?,
        })))
    }

    pub(super) fn renew(lease: &Lease) -> Self {
        let (owner, time) = (lease.holder.owner.clone(), millis(lease.holder.lease));
        Self::Renew(Renew { id: lease.id.clone(), owner, fence: lease.fence, lease: time })
    }

    fn id(&self) -> &SagaId {
        match self {
            Self::Start(start) => &start.row.id,
            Self::Append(append) => &append.id,
            Self::Renew(renew) => &renew.id,
        }
    }
}

impl Writer {
    /// Starts the task, which ends with this.
    /// `own` is what this log calls itself before others.
    pub(super) fn spawn<D: Backend>(database: Database<D>, statements: &'static Statements, own: &str) -> Self {
        let (sender, queue) = mpsc::unbounded_channel();
        let place = Place { database, statements, own: own.to_owned() };
        Tasks::new().spawn_detached(place.run(queue));
        Self(sender)
    }

    /// Starts a saga. `None`: there is one of its id.
    pub(super) async fn start(&self, new: NewSaga, holder: &Holder) -> Result<Option<Instance>> {
        match self.write(Change::start(new, holder)?).await {
            Ok(Answer::Started(instance)) => Ok(Some(*instance)),
            Ok(_) => Ok(None),
            Err(LogError::Failed(error)) => Err(error),
            Err(LogError::LeaseLost) => Err(closed()),
        }
    }

    /// Changes a saga that is held. Gives how many signals it has.
    pub(super) async fn change(&self, change: Change) -> Result<u64, LogError> {
        match self.write(change).await? {
            Answer::Changed(signals) => Ok(signals),
            Answer::Started(_) | Answer::Exists => Err(LogError::LeaseLost),
        }
    }

    async fn write(&self, change: Change) -> Result<Answer, LogError> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Waiting { change, answer }).map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the log of sagas is closed")
}

/// Where changes are written.
struct Place<D: Backend> {
    database: Database<D>,
    statements: &'static Statements,
    own: String,
}

impl<D: Backend> Place<D> {
    async fn run(self, mut queue: mpsc::UnboundedReceiver<Waiting>) {
        let mut batch = Vec::new();
        while queue.recv_many(&mut batch, MOST).await > 0 {
            let (changes, waiting): (Vec<_>, Vec<_>) =
                batch.drain(..).map(|waiting| (waiting.change, waiting.answer)).unzip();
            let answers = match self.commit(&changes).await {
                Ok(answers) => answers,
                // What the database does not take, a character perhaps, must not keep the others from going on.
                Err(_) if changes.len() > 1 => {
                    let mut answers = Vec::with_capacity(changes.len());
                    for change in changes.chunks(1) {
                        answers.push(alone(self.commit(change).await));
                    }
                    answers
                }
                Err(error) => vec![Err(LogError::Failed(error))],
            };
            for (waiting, answer) in waiting.into_iter().zip(answers) {
                // Who has gone meanwhile asks again, or not.
                let _ = waiting.send(answer);
            }
        }
    }

    /// Makes all changes, in one commit.
    async fn commit(&self, changes: &[Change]) -> Result<Vec<Result<Answer, LogError>>> {
        let mut tx = self.database.begin().await?;
        let made = async {
            if let Some(plan) = self.statements.plan {
                D::execute(&mut tx, SqlStr::from_static(plan), Vec::new()).await?;
            }
            let made = make::<D>(&mut tx, self.statements, changes).await?;
            self.tell_others(&mut tx, changes).await?;
            Ok(made)
        };
        let made = made.await.map_err(|error| self.database.failed("writing to the log of sagas", error))?;
        tx.commit().await?;
        Ok(made)
    }

    /// What a process gives out of hand when it stops goes on at once elsewhere.
    async fn tell_others(&self, connection: &mut D::Connection, changes: &[Change]) -> sqlx::Result<()> {
        let Some(sql) = &self.statements.tell_others else { return Ok(()) };
        let released = changes.iter().filter_map(|change| match change {
            Change::Append(append) if append.keep == 0 && append.wait == Some(0) => Some(&append.id),
            _ => None,
        });
        let words: Vec<_> = released.map(|id| json!({"word": word_of(&self.own, id)})).collect();
        run_all::<D, _>(connection, sql, &words).await.map(drop)
    }
}

fn alone(committed: Result<Vec<Result<Answer, LogError>>>) -> Result<Answer, LogError> {
    committed?.pop().unwrap_or_else(|| Err(closed().into()))
}

async fn make<D: Backend>(
    connection: &mut D::Connection,
    statements: &'static Statements,
    changes: &[Change],
) -> sqlx::Result<Vec<Result<Answer, LogError>>> {
    let mut starts = Vec::new();
    let mut appends = Vec::new();
    let mut renewals = Vec::new();
    for change in changes {
        match change {
            Change::Start(start) => starts.push(&**start),
            Change::Append(append) => appends.push(&**append),
            Change::Renew(renewal) => renewals.push(renewal),
        }
    }
    let rows: Vec<&StartRow> = starts.iter().map(|start| &start.row).collect();
    let mut started = answered(run_all::<D, _>(connection, &statements.start, &rows).await?)?;
    let appended = answered(run_all::<D, _>(connection, &statements.append, &appends).await?)?;
    let renewed = answered(run_all::<D, _>(connection, &statements.renew, &renewals).await?)?;
    let mut told: HashMap<&SagaId, Told<'_>> = HashMap::new();
    for start in &starts {
        if started.contains_key(&start.row.id) {
            let line = Told { id: &start.row.id, seq: 0, happened: &start.happened };
            told.entry(&start.row.id).or_insert(line);
        }
    }
    for append in &appends {
        if appended.contains_key(&append.id) {
            told.entry(&append.id).or_insert(Told { id: &append.id, seq: append.seq, happened: &append.happened });
        }
    }
    let told: Vec<&Told<'_>> = told.values().collect();
    run_all::<D, _>(connection, &statements.tell, &told).await?;

    let is_open = |change: &&Change| match change {
        Change::Start(_) => false,
        Change::Append(append) => !appended.contains_key(&append.id),
        Change::Renew(renewal) => !renewed.contains_key(&renewal.id),
    };
    let open: Vec<&SagaId> = changes.iter().filter(is_open).map(Change::id).collect();
    let standing = standing(run_all::<D, _>(connection, &statements.standing, &open).await?)?;
    let answers = changes.iter().map(|change| match change {
        Change::Start(start) => Ok(match started.remove(&start.row.id) {
            Some(at) => {
                let instance = Instance { started_at_ms: at, updated_at_ms: at, ..start.instance.clone() };
                Answer::Started(Box::new(instance))
            }
            None => Answer::Exists,
        }),
        Change::Append(append) => match (appended.get(&append.id), standing.get(&append.id)) {
            (Some(signals), _) => Ok(Answer::Changed(*signals)),
            // An earlier try was appended, and its answer was lost.
            (None, Some(Standing { fence, seq, signals })) if *fence == append.fence && *seq == append.seq => {
                Ok(Answer::Changed(*signals))
            }
            _ => Err(LogError::LeaseLost),
        },
        Change::Renew(renewal) => match renewed.get(&renewal.id) {
            Some(signals) => Ok(Answer::Changed(*signals)),
            None => Err(LogError::LeaseLost),
        },
    });
    Ok(answers.collect())
}

/// Runs a statement over rows of JSON: all at once, or in several parts where they are many.
async fn run_all<D: Backend, R: Serialize>(
    connection: &mut D::Connection,
    sql: &'static str,
    rows: &[R],
) -> sqlx::Result<Vec<Cells>> {
    let mut answers = Vec::new();
    let mut rows = rows.iter().peekable();
    let mut part = String::new();
    while let Some(row) = rows.next() {
        let row_json = serde_json::to_string(row).map_err(|error| sqlx::Error::Encode(error.into()))?;
        part.push(if part.is_empty() { '[' } else { ',' });
        part.push_str(&row_json);
        // The next one is about as long.
        if rows.peek().is_none() || part.len() + row_json.len() > LONGEST_PART {
            part.push(']');
            let cells = D::fetch(connection, SqlStr::from_static(sql), vec![std::mem::take(&mut part).into()]).await?;
            answers.extend(cells);
        }
    }
    Ok(answers)
}

/// Rows of saga, id and a number.
fn answered(rows: Vec<Cells>) -> sqlx::Result<HashMap<SagaId, u64>> {
    let read = |mut row: Cells| Ok((SagaId { saga: row.text(0)?, id: row.text(1)? }, row.int(2)?.unsigned_abs()));
    rows.into_iter().map(read).collect()
}

/// How a saga stands that was not changed.
struct Standing {
    fence: u64,
    seq: u64,
    signals: u64,
}

fn standing(rows: Vec<Cells>) -> sqlx::Result<HashMap<SagaId, Standing>> {
    let read = |mut row: Cells| {
        let number = |column| row.int(column).map(i64::unsigned_abs);
        let standing = Standing { fence: number(2)?, seq: number(3)?, signals: number(4)? };
        Ok((SagaId { saga: row.text(0)?, id: row.text(1)? }, standing))
    };
    rows.into_iter().map(read).collect()
}
