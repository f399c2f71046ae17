//! What other processes tell of the sagas in PostgreSQL: one connection that listens for as long as somebody wants to know.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    saga::{News, SagaId},
    sql::{Database, Dialect, backend::Backend},
    task::Tasks,
};

pub(super) const CHANNEL: &str = "kinoko_saga";

/// How many a slow listener may be behind; then it is told that it has missed some.
const BEHIND: usize = 1024;

/// One log's end of the channel.
pub(super) struct Ear {
    /// Tells what this log says itself from what others say.
    own: String,
    listening: Mutex<Weak<Listening>>,
}

/// What listens, until it is dropped.
struct Listening {
    told: broadcast::Sender<News>,
    _stop: DropGuard,
}

impl Ear {
    pub(super) fn new() -> Self {
        Self { own: uuid::Uuid::new_v4().to_string(), listening: Mutex::default() }
    }

    /// What is told of a saga, for the others.
    pub(super) fn word_of(&self, id: &SagaId) -> String {
        word_of(&self.own, id)
    }

    pub(super) fn own(&self) -> &str {
        &self.own
    }

    pub(super) fn news<D: Backend>(&self, database: &Database<D>) -> BoxStream<'static, News> {
        if database.dialect() != Dialect::Postgres {
            return stream::pending().boxed();
        }
        let listening = self.listening(database);
        let told = listening.told.subscribe();
        let news = stream::unfold((told, listening), async |(mut told, listening)| {
            let news = match told.recv().await {
                Ok(news) => news,
                Err(RecvError::Lagged(_)) => News::Any,
                Err(RecvError::Closed) => return None,
            };
            Some((news, (told, listening)))
        });
        news.boxed()
    }

    fn listening<D: Backend>(&self, database: &Database<D>) -> Arc<Listening> {
        let mut listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listening) = listening.upgrade() {
            return listening;
        }
        let (told, _) = broadcast::channel(BEHIND);
        let (stop, own) = (CancellationToken::new(), self.own.clone());
        let (database, stopped, sender) = (database.clone(), stop.clone(), told.clone());
        Tasks::new().spawn_detached(async move {
            let heard = |word: Option<&str>| {
                if let Some(news) = word.map_or(Some(News::Any), |word| read(&own, word)) {
                    // Nobody may be there to hear it any more.
                    let _ = sender.send(news);
                }
            };
            stopped.run_until_cancelled(database.listen(CHANNEL, heard)).await;
        });
        let new = Arc::new(Listening { told, _stop: stop.drop_guard() });
        *listening = Arc::downgrade(&new);
        new
    }
}

/// Who tells it, and of which saga. The name of a saga has no space.
pub(super) fn word_of(own: &str, id: &SagaId) -> String {
    format!("{own} {} {}", id.saga, id.id)
}

/// `None`: what this log said itself.
fn read(own: &str, word: &str) -> Option<News> {
    let mut words = word.splitn(3, ' ');
    match (words.next(), words.next(), words.next()) {
        (Some(teller), ..) if teller == own => None,
        (_, Some(saga), Some(id)) => Some(News::Of(SagaId::new(saga, id))),
        _ => Some(News::Any),
    }
}
