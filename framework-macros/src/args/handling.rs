//! How deliveries are worked: the keys that `#[event_handler]` and `#[consume]` share.

use std::time::Duration;

use syn::{Ident, LitStr};

use super::{Entry, IdempotentArgs, IdempotentStore, Value, entries, unknown_key};
use crate::diag::Diag;

/// What is written of it; what is not is left to the defaults of `HandlingInfo`.
#[derive(Default)]
pub(crate) struct HandlingArgs {
    pub(crate) retry: RetryArgs,
    pub(crate) concurrency: Option<usize>,
    pub(crate) batch: Option<(Ident, usize)>,
    pub(crate) within: Option<Duration>,
    pub(crate) ordered_by: Option<LitStr>,
    pub(crate) idempotent: Option<IdempotentArgs>,
    pub(crate) timeout: Option<Duration>,
    /// For the rules between keys.
    keys: Vec<Ident>,
}

/// `retry(…)` and `requeue_on_error`
#[derive(Default)]
pub(crate) struct RetryArgs {
    pub(crate) max: Option<u32>,
    pub(crate) without_end: bool,
    pub(crate) backoff: Option<(Duration, Duration)>,
    pub(crate) jitter: Option<bool>,
    in_place: Option<Ident>,
    max_key: Option<Ident>,
}

pub(super) const KEYS: [&str; 8] =
    ["retry", "requeue_on_error", "concurrency", "batch", "within", "ordered_by", "idempotent", "timeout"];

/// The most that a consumer may hold unacknowledged, by AMQP's prefetch count.
const MOST_IN_A_BATCH: usize = 65_535;

impl HandlingArgs {
    /// Reads an entry whose key is one of these. Gives whether it is.
    pub(super) fn take(&mut self, entry: &Entry, diag: &mut Diag) -> bool {
        match entry.key.to_string().as_str() {
            "retry" => self.retry.read(entry, diag),
            "requeue_on_error" => self.retry.without_end = entry.flag(diag),
            "concurrency" => self.concurrency = entry.count(diag),
            "batch" => self.batch = batch(entry, diag).map(|size| (entry.key.clone(), size)),
            "within" => self.within = entry.some_time(diag),
            "ordered_by" => self.ordered_by = ordered_by(entry, diag),
            "idempotent" => self.idempotent = IdempotentArgs::read(entry, diag),
            "timeout" => self.timeout = entry.some_time(diag),
            _ => return false,
        }
        self.keys.push(entry.key.clone());
        true
    }

    pub(super) fn key(&self, key: &str) -> Option<&Ident> {
        self.keys.iter().find(|known| *known == key)
    }

    /// Rules between keys.
    pub(super) fn check(&self, diag: &mut Diag) {
        if let (Some(requeue), Some(_)) = (self.key("requeue_on_error"), &self.retry.max_key) {
            let text = "`requeue_on_error` tries without end, and `max` ends it: write one of them";
            diag.on(requeue, text);
        }
        if let (Some(within), None) = (self.key("within"), self.key("batch")) {
            diag.on(
                within,
                "`within` is how long a batch waits to be filled: write `batch = 100` too, or leave it out",
            );
        }
        if let (Some(batch), Some(args)) = (self.key("batch"), &self.idempotent)
            && args.store != IdempotentStore::Process
        {
            let text = format!(
                "a database remembers one message for each worker, and with `{batch}` one worker has many: write \
                 `idempotent(store = \"process\")`, the memory of this process, or leave `{batch}` out"
            );
            diag.on(&args.key, text);
        }
        let Some(ordered) = self.key("ordered_by") else {
            if let Some(in_place) = &self.retry.in_place {
                let text = "`in_place` keeps a key's later events waiting: write it with `ordered_by`, or leave it out and the \
                            broker keeps what failed until its next attempt";
                diag.on(in_place, text);
            }
            return;
        };
        if let Some(batch) = self.key("batch") {
            let text = "a batch has no order among its items: write `batch` or `ordered_by`, and not both";
            diag.on(batch, text);
        }
        if let Some(requeue) = self.key("requeue_on_error") {
            let text = format!(
                "with `{ordered}` what failed is tried again in place, and without end its key would stand still for ever: \
                 write `retry(in_place, max = 10)`"
            );
            diag.on(requeue, text);
        }
        if let (Some(retry), None) = (self.key("retry"), &self.retry.in_place) {
            let text = format!(
                "a retry that the broker keeps goes behind its key's later events, and `{ordered}` is lost: \
                 write `retry(in_place, …)`, and they wait"
            );
            diag.on(retry, text);
        }
    }
}

impl RetryArgs {
    fn read(&mut self, entry: &Entry, diag: &mut Diag) {
        const KEYS: [&str; 4] = ["max", "backoff", "jitter", "in_place"];
        let example = "max = 5, backoff = \"1s..1m\"";
        let Value::List(_, list) = &entry.value else {
            diag.on(entry, format!("`retry` takes a list: `retry({example})`"));
            return;
        };
        for entry in entries(list.clone(), "backoff = \"1s..1m\"", diag) {
            match entry.key.to_string().as_str() {
                "max" => {
                    self.max = entry.count(diag).map(|count| u32::try_from(count).unwrap_or(u32::MAX));
                    self.max_key = Some(entry.key);
                }
                "backoff" => self.backoff = backoff(&entry, diag),
                "jitter" => self.jitter = entry.boolean(diag),
                "in_place" => self.in_place = entry.flag(diag).then_some(entry.key),
                _ => unknown_key(&entry, "retry", &KEYS, diag),
            }
        }
    }
}

fn batch(entry: &Entry, diag: &mut Diag) -> Option<usize> {
    let size = entry.count(diag)?;
    if (2..=MOST_IN_A_BATCH).contains(&size) {
        return Some(size);
    }
    let text = if size < 2 {
        "a batch of one is none: write at least 2, or leave `batch` out".to_owned()
    } else {
        format!("a consumer holds {MOST_IN_A_BATCH} messages at most: write a smaller batch")
    };
    diag.on(entry.value_tokens(), text);
    None
}

/// `"1s..1m"`, or `"2s"` for both.
pub(super) fn backoff(entry: &Entry, diag: &mut Diag) -> Option<(Duration, Duration)> {
    let text = entry.text("1s..1m", diag)?;
    let value = text.value();
    let (first, longest) = value.split_once("..").unwrap_or((&value, &value));
    let mut read = |part: &str| kinoko_text::parse_duration(part).map_err(|why| diag.on(&text, why)).ok();
    let (first, longest) = (read(first)?, read(longest)?);
    if first.is_zero() {
        diag.on(&text, "without a delay what fails would be tried again and again at once: write at least `1ms`");
    } else if longest < first {
        diag.on(&text, "the first delay comes first, the longest after it: `backoff = \"1s..1m\"`");
    } else if longest > kinoko_text::MAX_DELAY {
        diag.on(&text, "no broker keeps a message longer than 24 days: keep what must wait longer in a database");
    } else {
        return Some((first, longest));
    }
    None
}

/// `"customer"`, `"order.customer"`
fn ordered_by(entry: &Entry, diag: &mut Diag) -> Option<LitStr> {
    let text = entry.text("customer", diag)?;
    let value = text.value();
    if value.split('.').any(|word| word.trim() != word || word.is_empty()) {
        diag.on(
            &text,
            "`ordered_by` names a field of the payload: `\"customer\"`, or `\"order.customer\"` for an inner one",
        );
        return None;
    }
    Some(text)
}
