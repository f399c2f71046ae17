use std::time::Duration;

use proc_macro2::Span;
use syn::{Attribute, Ident, LitStr, Path, spanned::Spanned};

use super::{Entry, Value, entries, handling::backoff, inside, names::event_name, unknown_key};
use crate::diag::Diag;

/// `#[step(…)]` or `#[wait(…)]`
pub(crate) struct StepArgs {
    pub(crate) span: Span,
    pub(crate) compensate: Option<Compensate>,
    pub(crate) when: Option<Ident>,
    pub(crate) max: Option<u32>,
    pub(crate) backoff: Option<(Duration, Duration)>,
    pub(crate) jitter: Option<bool>,
    /// Of one attempt; of `#[wait]`, of the wait.
    pub(crate) timeout: Option<Duration>,
    pub(crate) wait: bool,
    /// Absent after an error, and of `#[step]`.
    pub(crate) signal: Option<LitStr>,
}

/// `compensate = …`
pub(crate) enum Compensate {
    /// It needs none.
    None(Ident),
    By(Ident),
}

impl Compensate {
    pub(crate) fn ident(&self) -> &Ident {
        match self {
            Self::None(ident) | Self::By(ident) => ident,
        }
    }
}

const STEP_KEYS: [&str; 4] = ["compensate", "retry", "timeout", "when"];
const WAIT_KEYS: [&str; 5] = ["signal", "timeout", "compensate", "retry", "when"];
const RETRY_KEYS: [&str; 3] = ["max", "backoff", "jitter"];

impl StepArgs {
    pub(crate) fn parse(attr: &Attribute, wait: bool, diag: &mut Diag) -> Self {
        let mut args = Self {
            span: attr.path().span(),
            compensate: None,
            when: None,
            max: None,
            backoff: None,
            jitter: None,
            timeout: None,
            wait,
            signal: None,
        };
        let clean = diag.count();
        let example = if wait { "signal = \"approve\", timeout = \"24h\"" } else { "compensate = release" };
        for entry in entries(inside(attr, example, diag), example, diag) {
            match entry.key.to_string().as_str() {
                "compensate" => {
                    args.compensate = method(&entry, "release", diag).map(|name| match name == "none" {
                        true => Compensate::None(name),
                        false => Compensate::By(name),
                    });
                }
                "when" => args.when = method(&entry, "needs_payment", diag),
                "retry" => args.retry(&entry, diag),
                "timeout" => args.timeout = entry.some_time(diag),
                "signal" if wait => {
                    let text = entry.text("approve", diag).filter(|text| event_name(text, "a signal", diag));
                    if let Some(text) = &text
                        && text.value().starts_with("kinoko.")
                    {
                        diag.on(text, "signals that begin with `kinoko.` are the runner's own: write another name");
                    }
                    args.signal = text;
                }
                _ if wait => unknown_key(&entry, "wait", &WAIT_KEYS, diag),
                _ => unknown_key(&entry, "step", &STEP_KEYS, diag),
            }
        }
        if wait && diag.count() == clean {
            if args.signal.is_none() {
                diag.at(args.span, "waits for what? write `#[wait(signal = \"approve\", timeout = \"24h\")]`");
            } else if args.timeout.is_none() {
                diag.at(args.span, "nothing waits for ever: write how long it does, `timeout = \"24h\"`");
            }
        }
        args
    }

    fn retry(&mut self, entry: &Entry, diag: &mut Diag) {
        let Value::List(_, list) = &entry.value else {
            diag.on(entry, "`retry` takes a list: `retry(max = 5, backoff = \"1s..30s\")`");
            return;
        };
        for entry in entries(list.clone(), "max = 5", diag) {
            match entry.key.to_string().as_str() {
                "max" => self.max = entry.count(diag).map(|count| u32::try_from(count).unwrap_or(u32::MAX)),
                "backoff" => self.backoff = backoff(&entry, diag),
                "jitter" => self.jitter = entry.boolean(diag),
                _ => unknown_key(&entry, "retry", &RETRY_KEYS, diag),
            }
        }
    }
}

/// `key = method`
fn method(entry: &Entry, example: &str, diag: &mut Diag) -> Option<Ident> {
    let path: Path = entry.path(diag)?;
    let name = path.get_ident().cloned();
    if name.is_none() {
        diag.on(&path, format!("`{0}` takes the name of a method of this block: `{0} = {example}`", entry.key));
    }
    name
}
