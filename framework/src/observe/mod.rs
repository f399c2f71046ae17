//! What is seen of a program while it runs: counters of its entrypoints and its calls, its last failures, its traces, and one line in the
//! log for each worker.
//!
//! Always on, since it costs a call two looks at the clock and a few additions, and nothing is allocated unless it is traced.
//! What shows it stands above: `/metrics`, the operations page, the answers to `stats` over the broker, collectors of traces.
#![cfg_attr(
    not(all(feature = "metrics", feature = "otel", feature = "saga")),
    allow(dead_code, unused_imports, reason = "each feature shows a part of it")
)]

mod calls;
mod ended;
mod entrypoint;
mod histogram;
mod observer;
mod program;
mod published;
mod recent;
mod span;
mod trace;
mod watch;

#[cfg(any(feature = "metrics", feature = "saga", feature = "sql"))]
pub(crate) use self::observer::Tally;
#[cfg(feature = "otel")]
pub(crate) use self::span::Delivered;
#[cfg(any(feature = "http", feature = "otel"))]
pub(crate) use self::span::Subject;
pub(crate) use self::{
    calls::{CallWatch, Calls},
    ended::Ended,
    entrypoint::{Entrypoint, EntrypointKind},
    histogram::{Histogram, HistogramSnapshot, default_bounds},
    observer::{Observer, ObserverSettings, bounds},
    program::{CallSnapshot, EntrypointSnapshot, Snapshot},
    published::Published,
    recent::{Failure, Recent},
    span::{Span, SpanKind, SpanSink},
    trace::{Trace, TraceContext, Tracer},
    watch::{Watch, milliseconds},
};
