//! The last failures and the last spans, as many as there is room for.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use super::{Ended, EntrypointKind, Span, SpanSink};

/// How many failures are kept.
const FAILURES: usize = 100;

/// One that somebody may want to look at.
#[derive(Debug, Clone, serde::Serialize)]
pub(crate) struct Failure {
    #[serde(serialize_with = "rfc3339")]
    pub(crate) at: SystemTime,
    pub(crate) service: &'static str,
    pub(crate) method: &'static str,
    pub(crate) kind: EntrypointKind,
    pub(crate) outcome: Ended,
    pub(crate) call_id: String,
    pub(crate) trace_id: Option<String>,
    pub(crate) text: String,
}

pub(super) fn rfc3339<S: serde::Serializer>(at: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&jiff::Timestamp::try_from(*at).unwrap_or_default())
}

/// What is kept in memory, the oldest going first.
pub(crate) struct Recent {
    failures: Mutex<VecDeque<Arc<Failure>>>,
    spans: Mutex<VecDeque<Arc<Span>>>,
    most_spans: usize,
}

impl Recent {
    pub(super) fn new(most_spans: usize) -> Self {
        Self { failures: Mutex::default(), spans: Mutex::default(), most_spans }
    }

    pub(super) fn add_failure(&self, failure: Arc<Failure>) {
        push(&self.failures, failure, FAILURES);
    }

    /// The newest first.
    pub(crate) fn failures(&self) -> Vec<Arc<Failure>> {
        lock(&self.failures).iter().rev().cloned().collect()
    }

    /// The newest first.
    pub(crate) fn spans(&self) -> Vec<Arc<Span>> {
        lock(&self.spans).iter().rev().cloned().collect()
    }
}

impl SpanSink for Recent {
    fn span(&self, span: &Arc<Span>) {
        push(&self.spans, span.clone(), self.most_spans);
    }
}

fn push<T>(queue: &Mutex<VecDeque<T>>, item: T, most: usize) {
    let mut queue = lock(queue);
    while queue.len() >= most.max(1) {
        queue.pop_front();
    }
    if most > 0 {
        queue.push_back(item);
    }
}

fn lock<T>(queue: &Mutex<VecDeque<T>>) -> MutexGuard<'_, VecDeque<T>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}
