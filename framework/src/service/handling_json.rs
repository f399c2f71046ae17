//! How a handler's deliveries are worked, as `list --json` and documents say it.

use std::time::Duration;

use serde_json::json;

use super::{BindInfo, HandlingInfo, IdempotencyStore, RetryPolicy};
use crate::{protocol::Value, transport::ExchangeKind};

impl HandlingInfo {
    pub(crate) fn to_json(self) -> Value {
        let RetryPolicy { attempts, first, longest, jitter } = self.retry;
        let batch = self.batch.map(|batch| json!({ "size": batch.size, "within_ms": millis(batch.within) }));
        let idempotent = self.idempotent.map(|idempotent| {
            let store = match idempotent.store {
                IdempotencyStore::Database => "database",
                IdempotencyStore::Process => "process",
            };
            json!({ "store": store, "window_ms": idempotent.window.map(millis) })
        });
        json!({
            "retry": {
                "attempts": attempts,
                "first_ms": millis(first),
                "longest_ms": millis(longest),
                "jitter": jitter,
            },
            "concurrency": self.concurrency,
            "batch": batch,
            "ordered_by": self.ordered_by,
            "idempotent": idempotent,
            "timeout_ms": self.timeout.map(millis),
        })
    }
}

impl BindInfo {
    pub(crate) fn to_json(self) -> Value {
        let kind = match self.kind {
            ExchangeKind::Direct => "direct",
            ExchangeKind::Topic => "topic",
            ExchangeKind::Fanout => "fanout",
            ExchangeKind::Headers => "headers",
        };
        json!({ "name": self.exchange, "kind": kind, "routing_key": self.routing_key })
    }
}

/// What is longer than 64 bits of milliseconds is as long as that.
pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
