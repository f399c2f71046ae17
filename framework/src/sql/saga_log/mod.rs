//! The log of sagas in a database: what `kinoko::saga` asks of a log, on SQLite and PostgreSQL.
//!
//! Changes of many sagas are one commit: [`writer`] gathers what comes while the last commit is under way. [`statements`] has the SQL, which
//! takes any number of changes as one parameter of JSON; [`rows`] reads sagas back; [`news`] is what other processes say.

mod news;
mod rows;
mod statements;
mod writer;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use serde_json::json;
use sqlx::{Any, AssertSqlSafe, SqlSafeStr, SqlStr};

pub(super) use self::statements::TABLES;
use self::{
    news::Ear,
    rows::{entries, instance},
    statements::Statements,
    writer::{Change, Writer},
};
use super::{
    Database,
    backend::{Backend, Cell, Cells, Dialect, millis},
    place::Place,
    pools::Pools,
};
use crate::{
    Result,
    dependency::SetupContext,
    protocol::Value,
    saga::{
        Claim, Claimed, Holder, Instance, Lease, LogError, NewSaga, News, Opened, SagaFilter, SagaId, SagaLog,
        SagaLogKind, Started, TimelineEntry, Transition,
    },
};

/// A log of sagas in a database, which all instances of a service share. Its tables are kinoko's own.
///
/// What is appended at the same time by many sagas is one commit. The setting `saga.log: postgres://…` opens one, and so does `sqlite:…`.
pub struct SqlLog<D: Backend> {
    database: Database<D>,
    statements: &'static Statements,
    writer: Writer,
    ear: Ear,
}

impl<D: Backend> SqlLog<D> {
    /// The log in this database. Makes its tables where they are missing.
    ///
    /// # Errors
    ///
    /// Where the database does not answer, or its tables are of a later version of kinoko.
    pub async fn new(database: Database<D>) -> Result<Self> {
        database.ensure(&statements::TABLES).await?;
        let statements = Statements::of(database.dialect());
        let ear = Ear::new();
        let writer = Writer::spawn(database.clone(), statements, ear.own());
        Ok(Self { database, statements, writer, ear })
    }

    async fn fetch(&self, doing: &str, sql: SqlStr, values: Vec<Cell>) -> Result<Vec<Cells>> {
        let rows = async { D::fetch(&mut *self.database.acquire().await?, sql, values).await };
        rows.await.map_err(|error| self.database.failed(doing, error))
    }

    /// Adds the signals of sagas of one name.
    async fn with_signals(&self, saga: &str, instances: &mut [Instance]) -> Result<()> {
        let ids: Vec<_> = instances.iter().map(|instance| json!({"id": instance.id.id})).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let values = vec![saga.into(), Value::from(ids).to_string().into()];
        let rows =
            self.fetch("reading signals of sagas", SqlStr::from_static(&self.statements.signals), values).await?;
        for mut row in rows {
            let (id, signal) =
                rows::signal(&mut row).map_err(|error| self.database.failed("reading a signal", error))?;
            if let Some(instance) = instances.iter_mut().find(|instance| instance.id.id == id) {
                instance.signals.push(signal);
            }
        }
        Ok(())
    }

    fn instances(&self, rows: Vec<Cells>) -> Result<Vec<Instance>> {
        let read = rows.into_iter().map(|mut row| instance(&mut row));
        read.collect::<Result<_, _>>().map_err(|error| self.database.failed("reading a saga", error))
    }
}

#[async_trait]
impl<D: Backend> SagaLog for SqlLog<D> {
    async fn start(&self, new: NewSaga, holder: &Holder) -> Result<Started> {
        loop {
            if let Some(instance) = self.writer.start(new.clone(), holder).await? {
                let lease = Lease { id: new.id, holder: holder.clone(), fence: 1 };
                return Ok(Started::New(Box::new(Claimed { lease, instance })));
            }
            // One that was there, and is not any more, was over and has just been removed.
            if let Some(instance) = self.load(&new.id).await? {
                return Ok(Started::Exists(Box::new(instance)));
            }
        }
    }

    async fn claim(&self, claim: Claim<'_>, holder: &Holder) -> Result<Vec<Claimed>> {
        let limit = i64::try_from(claim.limit).unwrap_or(i64::MAX);
        let values = vec![
            claim.service.into(),
            claim.saga.into(),
            limit.into(),
            (&*holder.owner).into(),
            millis(holder.lease).into(),
        ];
        let rows = {
            let _writing = self.database.writing().await?;
            self.fetch("claiming sagas", SqlStr::from_static(&self.statements.claim), values).await?
        };
        let fences = rows.iter().map(|row| row.int(rows::FENCE)).collect::<Result<Vec<_>, _>>();
        let fences = fences.map_err(|error| self.database.failed("claiming sagas", error))?;
        let mut instances = self.instances(rows)?;
        self.with_signals(claim.saga, &mut instances).await?;
        let claimed = instances.into_iter().zip(fences).map(|(instance, fence)| {
            let lease = Lease { id: instance.id.clone(), holder: holder.clone(), fence: fence.unsigned_abs() };
            Claimed { lease, instance }
        });
        Ok(claimed.collect())
    }

    async fn append(&self, lease: &Lease, transition: Transition) -> Result<u64, LogError> {
        self.writer.change(Change::append(lease, transition)?).await
    }

    async fn renew(&self, lease: &Lease) -> Result<u64, LogError> {
        self.writer.change(Change::renew(lease)).await
    }

    async fn signal(&self, id: &SagaId, name: &str, payload: Value) -> Result<bool> {
        let failed = |error| self.database.failed("signalling a saga", error);
        let mut tx = self.database.begin().await?;
        let count = SqlStr::from_static(&self.statements.count_signal);
        let counted = D::fetch(&mut tx, count, vec![(&*id.saga).into(), (&*id.id).into()]).await.map_err(failed)?;
        let Some(number) = counted.first() else { return Ok(false) };
        let number = number.int(0).map_err(failed)?;
        let mut values =
            vec![(&*id.saga).into(), (&*id.id).into(), number.into(), name.into(), payload.to_string().into()];
        if self.database.dialect() == Dialect::Postgres {
            values.push(self.ear.word_of(id).into());
        }
        D::execute(&mut tx, SqlStr::from_static(&self.statements.add_signal), values).await.map_err(failed)?;
        tx.commit().await?;
        Ok(true)
    }

    async fn load(&self, id: &SagaId) -> Result<Option<Instance>> {
        let values = vec![(&*id.saga).into(), (&*id.id).into()];
        let rows = self.fetch("reading a saga", SqlStr::from_static(&self.statements.load), values).await?;
        let mut instances = self.instances(rows)?;
        self.with_signals(&id.saga, &mut instances).await?;
        Ok(instances.pop())
    }

    async fn timeline(&self, id: &SagaId) -> Result<Vec<TimelineEntry>> {
        let values = vec![(&*id.saga).into(), (&*id.id).into()];
        let rows = self.fetch("reading a saga's timeline", SqlStr::from_static(statements::TIMELINE), values).await?;
        entries(rows).map_err(|error| self.database.failed("reading a saga's timeline", error))
    }

    async fn list(&self, filter: &SagaFilter) -> Result<Vec<Instance>> {
        let limit = |number: usize| Cell::from(i64::try_from(number).unwrap_or(i64::MAX));
        let values =
            vec![filter.saga.clone().into(), filter.service.clone().into(), limit(filter.limit), limit(filter.offset)];
        let sql = AssertSqlSafe(self.statements.list(&filter.states)).into_sql_str();
        let rows = self.fetch("listing sagas", sql, values).await?;
        self.instances(rows)
    }

    async fn forget(&self, of: Claim<'_>, rested: Duration) -> Result<usize> {
        let failed = |error| self.database.failed("removing sagas that are over", error);
        let limit = i64::try_from(of.limit).unwrap_or(i64::MAX);
        let mut tx = self.database.begin().await?;
        let values = vec![of.service.into(), of.saga.into(), millis(rested).into(), limit.into()];
        let forget = SqlStr::from_static(&self.statements.forget);
        let removed = D::fetch(&mut tx, forget, values).await.map_err(failed)?;
        let count = removed.len();
        let ids = removed.into_iter().map(|mut row| Ok(json!({"id": row.text(0)?})));
        let ids = Value::from(ids.collect::<Result<Vec<_>, _>>().map_err(failed)?).to_string();
        for forget in &self.statements.forget_parts {
            let values = vec![of.saga.into(), (&*ids).into()];
            D::execute(&mut tx, SqlStr::from_static(forget), values).await.map_err(failed)?;
        }
        tx.commit().await?;
        Ok(count)
    }

    fn news(&self) -> BoxStream<'static, News> {
        self.ear.news(&self.database)
    }
}

/// What the setting `saga.log` opens.
pub(crate) const SAGA_LOG: SagaLogKind =
    SagaLogKind { schemes: &["sqlite", "postgres", "postgresql"], open: |cx, url| Box::pin(open(cx, url)) };

async fn open(cx: &SetupContext, url: &str) -> Opened {
    let database = cx.require::<Pools<Any>>().await?.database(&Place::at(url)).await?;
    Ok(Arc::new(SqlLog::new(database).await?))
}

impl<D: Backend> fmt::Debug for SqlLog<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SqlLog").field(&self.database).finish()
    }
}
