//! The databases of one process: services with the same URL share a pool, and a relay.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::{sync::Mutex, time::timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::warn;

use super::{
    Database,
    backend::{Backend, Dialect},
    outbox::Relay,
    place::Place,
};
use crate::{
    Result,
    dependency::{Dependency, Scope, SetupContext},
    event::Sender,
    task::Tasks,
};

/// How long relays may take to finish what they have begun: less than any dependency may take to stop.
const FINISH_LIMIT: Duration = Duration::from_secs(8);

/// All databases of a process.
pub(super) struct Pools<D: Backend>(Arc<Inner<D>>);

struct Inner<D: Backend> {
    /// By their identity.
    databases: Mutex<HashMap<String, (Database<D>, Place)>>,
    /// What asks them whether they answer.
    watching: Tasks,
    stopped: CancellationToken,
    sender: Arc<Sender>,
    relays: Tasks,
    /// Relays finish.
    stop: CancellationToken,
    /// Relays end where they are. Dropped without a stop, that is the end of them as well.
    abandon: CancellationToken,
    _abandons: DropGuard,
}

impl<D: Backend> Clone for Pools<D> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<D: Backend> Pools<D> {
    pub(super) async fn database(&self, place: &Place) -> Result<Database<D>> {
        let mut databases = self.0.databases.lock().await;
        let identity = place.identity();
        if let Some((database, _)) = databases.get(&identity) {
            return Ok(database.clone());
        }
        let database = Database::open(place).await?;
        databases.insert(identity, (database.clone(), place.clone()));
        // SQLite runs in this process: there is no connection to lose.
        if database.dialect() != Dialect::Sqlite {
            self.0.watching.spawn(database.clone().watch(self.0.stopped.clone()));
        }
        Ok(database)
    }

    fn relay(&self, database: &Database<D>, place: &Place) {
        let Inner { sender, relays, stop, abandon, .. } = &*self.0;
        let (database, sender) = (database.clone(), sender.clone());
        let relay = Relay { database, sender, poll: place.poll };
        let (stop, abandon) = (stop.clone(), abandon.clone());
        relays.spawn(async move {
            let _ = abandon.run_until_cancelled(relay.run(stop)).await;
        });
    }
}

impl<D: Backend> Dependency for Pools<D> {
    type Options = ();

    const SCOPE: Scope = Scope::Process;

    async fn setup(cx: &SetupContext, (): ()) -> Result<Self> {
        let abandon = CancellationToken::new();
        Ok(Self(Arc::new(Inner {
            databases: Mutex::default(),
            watching: Tasks::new(),
            stopped: CancellationToken::new(),
            sender: cx.sender().clone(),
            relays: Tasks::new(),
            stop: CancellationToken::new(),
            _abandons: abandon.clone().drop_guard(),
            abandon,
        })))
    }

    async fn start(&self) -> Result<()> {
        for (database, place) in self.0.databases.lock().await.values() {
            if place.relay && database.0.outbox.available().is_ok() {
                self.relay(database, place);
            }
        }
        Ok(())
    }

    fn unready(&self) -> Option<String> {
        // Held while a database is connected to, which is before the program could be ready.
        let databases = self.0.databases.try_lock().ok()?;
        let mut reasons: Vec<_> = databases.values().filter_map(|(database, _)| database.unready()).collect();
        reasons.sort_unstable();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }

    async fn stop(&self) -> Result<()> {
        let Inner { databases, watching, stopped, relays, stop, abandon, .. } = &*self.0;
        stop.cancel();
        if timeout(FINISH_LIMIT, relays.join()).await.is_err() {
            warn!("what the outbox has begun to send is not confirmed, it stays there and is sent again");
            abandon.cancel();
            relays.join().await;
        }
        stopped.cancel();
        watching.join().await;
        for (database, _) in std::mem::take(&mut *databases.lock().await).into_values() {
            database.close().await;
        }
        Ok(())
    }
}
