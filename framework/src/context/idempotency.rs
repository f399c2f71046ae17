//! The keys under which a worker's calls may be repeated without being done twice.

use std::sync::atomic::{AtomicU32, Ordering};

use super::WorkerContext;
use crate::protocol::Name;

/// What the keys of one worker's calls are made of.
///
/// In the worker's context rather than in a task-local of its own: so it goes where the context goes, into tasks of
/// [`kinoko::spawn`](crate::spawn), and not into a worker that a local client runs in the same task.
#[derive(Debug)]
pub(crate) struct IdempotencyKeys {
    key: Name,
    calls: AtomicU32,
}

impl IdempotencyKeys {
    #[cfg(any(test, feature = "saga"))]
    pub(crate) fn new(key: impl Into<Name>) -> Self {
        Self { key: key.into(), calls: AtomicU32::new(0) }
    }

    /// The key of the next call: the worker's own, then `{key}#2`, `{key}#3`, …
    fn next(&self) -> Name {
        match self.calls.fetch_add(1, Ordering::Relaxed) + 1 {
            1 => self.key.clone(),
            number => format!("{}#{number}", self.key).into(),
        }
    }
}

/// The key of the next call that the current worker makes, if its calls have keys.
pub(crate) fn next_key() -> Option<Name> {
    WorkerContext::current()?.0.idempotency.as_ref().map(IdempotencyKeys::next)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use super::*;
    use crate::{
        client::{Call, ClientMethod, ServiceClient},
        context::WorkerOrigin,
        protocol::{MethodShapes, context_data::IDEMPOTENCY_KEY},
        service::{MethodInfo, Outcome},
    };

    type Seen = Arc<Mutex<Vec<Option<String>>>>;

    /// Notes the key of each request; where it is told to, calls on with another client.
    fn noting(seen: &Seen, then: Option<ServiceClient>) -> ServiceClient {
        static METHODS: &[MethodInfo] = &[MethodInfo {
            index: 0,
            name: "run",
            doc: "",
            params: &[],
            returns: "",
            error: None,
            timeout: None,
            max_workers: None,
            shapes: MethodShapes::UNKNOWN,
        }];
        let seen = seen.clone();
        ServiceClient::local("noting", METHODS, move |call| {
            let key = call.context.header(IDEMPOTENCY_KEY).and_then(|value| value.as_str().map(str::to_owned));
            seen.lock().unwrap_or_else(PoisonError::into_inner).push(key);
            let then = then.clone();
            Box::pin(async move {
                if let Some(then) = then {
                    let _ = run(&then).await;
                }
                Outcome::Done
            })
        })
    }

    fn run(client: &ServiceClient) -> Call<(), std::convert::Infallible> {
        client.call(ClientMethod { name: "run", timeout: None }, &())
    }

    #[tokio::test]
    async fn calls_of_a_worker_are_numbered_and_those_of_the_called_have_none() {
        let seen = Seen::default();
        let leaf = noting(&seen, None);
        let calling_on = noting(&seen, Some(leaf.clone()));
        let context = WorkerContext::new(WorkerOrigin {
            idempotency: Some(IdempotencyKeys::new("place/17/charge")),
            ..WorkerOrigin::default()
        });
        context
            .scope(async {
                let _ = run(&calling_on).await;
                let _ = run(&leaf).header(IDEMPOTENCY_KEY, "its own").await;
                let spawned = leaf.clone();
                crate::spawn(async move { run(&spawned).await.ok() }).await.unwrap();
            })
            .await;
        let _ = run(&leaf).await;
        let seen = seen.lock().unwrap();
        let seen: Vec<_> = seen.iter().map(Option::as_deref).collect();
        assert_eq!(seen, [Some("place/17/charge"), None, Some("its own"), Some("place/17/charge#2"), None]);
    }
}
