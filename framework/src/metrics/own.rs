//! Metrics of a service's own, as dependencies.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::registry::{Family, Metrics};
use crate::{
    Result,
    dependency::{Dependency, SetupContext},
    observe::{self, HistogramSnapshot},
};

/// The options of a metric's field.
#[derive(Debug, Clone, Default)]
pub struct MetricOptions {
    /// Its name, such as `orders_placed`; of a counter `_total` is added. Letters, digits and `_`; not `kinoko_…`, which is ours.
    pub name: Option<String>,
    /// What it is, for people. Default: its name in words.
    pub help: Option<String>,
    /// The names of its labels, as many as its type says: `labels = ["method"]` for a `Counter<1>`.
    pub labels: Vec<String>,
    /// Of a histogram, the upper bounds of its buckets, ascending. Default: the setting `metrics.buckets`.
    pub buckets: Vec<f64>,
}

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    /// The type of its field.
    pub(super) fn field(self) -> &'static str {
        match self {
            Self::Counter => "Counter",
            Self::Gauge => "Gauge",
            Self::Histogram => "Histogram",
        }
    }
}

/// What one series has come to.
pub(super) enum Value {
    Counter(AtomicU64),
    /// The bits of an `f64`.
    Gauge(AtomicU64),
    Histogram(observe::Histogram),
}

impl Value {
    pub(super) fn new(kind: Kind, bounds: &Arc<[u64]>) -> Self {
        match kind {
            Kind::Counter => Self::Counter(AtomicU64::new(0)),
            Kind::Gauge => Self::Gauge(AtomicU64::new(0)),
            Kind::Histogram => Self::Histogram(observe::Histogram::new(bounds)),
        }
    }

    pub(super) fn number(&self) -> f64 {
        match self {
            Self::Counter(count) => count.load(Ordering::Relaxed) as f64,
            Self::Gauge(bits) => f64::from_bits(bits.load(Ordering::Relaxed)),
            Self::Histogram(histogram) => histogram.snapshot().sum_seconds,
        }
    }

    pub(super) fn histogram(&self) -> Option<HistogramSnapshot> {
        match self {
            Self::Histogram(histogram) => Some(histogram.snapshot()),
            Self::Counter(_) | Self::Gauge(_) => None,
        }
    }
}

/// A metric's field: the whole family, or one series of it.
#[derive(Clone)]
enum Handle {
    Family(Arc<Family>),
    Series(Arc<Value>),
}

impl Handle {
    fn get(&self, values: &[&str]) -> Arc<Value> {
        match self {
            Self::Family(family) => family.get(values),
            Self::Series(value) => value.clone(),
        }
    }
}

macro_rules! metric {
    ($metric:ident, $(#[$doc:meta])*) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $metric<const LABELS: usize = 0>(Handle);

        impl<const LABELS: usize> $metric<LABELS> {
            /// The one of these labels' values, in the order of the option `labels`.
            ///
            /// A metric has 200 combinations of values at most; what comes after that counts as `other`: values may come from callers, and
            /// each combination is kept for the program's life. What is returned may be kept, which saves the next look.
            pub fn with(&self, values: [&str; LABELS]) -> $metric {
                $metric(Handle::Series(self.0.get(&values)))
            }
        }

        impl<const LABELS: usize> Dependency for $metric<LABELS> {
            type Options = MetricOptions;

            async fn setup(cx: &SetupContext, options: MetricOptions) -> Result<Self> {
                let metrics = cx.require::<Metrics>().await?;
                let family = metrics.register(Kind::$metric, LABELS, options)?;
                if LABELS == 0 {
                    // It is there before anybody counts.
                    return Ok(Self(Handle::Series(family.get(&[]))));
                }
                Ok(Self(Handle::Family(family)))
            }
        }

        impl<const LABELS: usize> fmt::Debug for $metric<LABELS> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($metric)).finish_non_exhaustive()
            }
        }
    };
}

metric! {
    Counter,
    /// A number that only grows, at `/metrics`. Services of a program that name the same one share it.
    ///
    /// ```
    /// use kinoko::{metrics::Counter, prelude::*};
    ///
    /// #[derive(Dependencies)]
    /// struct Orders {
    ///     #[dependency(name = "orders_placed", help = "Orders that were placed")]
    ///     placed: Counter,
    ///     #[dependency(name = "orders_paid", help = "Orders that were paid", labels = ["method"])]
    ///     paid: Counter<1>,
    /// }
    ///
    /// #[service(name = "orders")]
    /// impl Orders {
    ///     #[rpc]
    ///     fn place(&self) {
    ///         self.placed.inc();
    ///         self.paid.with(["card"]).add(1);
    ///     }
    /// }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
    /// # let app = kinoko::App::new().service::<Orders>().start().await?;
    /// # app.client::<OrdersClient>().place().await?;
    /// # app.stop().await }
    /// ```
}

metric! {
    Gauge,
    /// A number that goes up and down, at `/metrics`: what is in stock, how many are connected.
    ///
    /// ```
    /// # use kinoko::{metrics::Gauge, prelude::*};
    /// #[derive(Dependencies)]
    /// struct Stock {
    ///     #[dependency(name = "stock_left", help = "What is left of an article", labels = ["sku"])]
    ///     left: Gauge<1>,
    /// }
    /// # #[service(name = "stock")] impl Stock { #[rpc] fn take(&self) { self.left.with(["A-1"]).set(7.0); } }
    /// ```
}

metric! {
    Histogram,
    /// How large values are, by buckets, at `/metrics`: of durations in seconds, unless its name says another unit. Values below zero
    /// count as zero, and what is no number not at all.
    ///
    /// ```
    /// # use kinoko::{metrics::Histogram, prelude::*};
    /// #[derive(Dependencies)]
    /// struct Carts {
    ///     #[dependency(name = "cart_lines", help = "Lines of a cart", buckets = [1.0, 2.0, 5.0, 10.0])]
    ///     lines: Histogram,
    /// }
    /// # #[service(name = "carts")] impl Carts { #[rpc] fn fill(&self) { self.lines.observe(3.0); } }
    /// ```
}

impl Counter {
    /// One more.
    pub fn inc(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, count: u64) {
        if let Value::Counter(counter) = &*self.0.get(&[]) {
            counter.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// What it has come to.
    pub fn value(&self) -> u64 {
        match &*self.0.get(&[]) {
            Value::Counter(counter) => counter.load(Ordering::Relaxed),
            Value::Gauge(_) | Value::Histogram(_) => 0,
        }
    }
}

impl Gauge {
    /// It is this now.
    pub fn set(&self, value: f64) {
        if let Value::Gauge(bits) = &*self.0.get(&[]) {
            bits.store(value.to_bits(), Ordering::Relaxed);
        }
    }

    /// It is more by so much; less, where that is negative.
    pub fn add(&self, difference: f64) {
        if let Value::Gauge(bits) = &*self.0.get(&[]) {
            let add = |bits: u64| Some((f64::from_bits(bits) + difference).to_bits());
            let _ = bits.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        }
    }

    /// What it is.
    pub fn value(&self) -> f64 {
        self.0.get(&[]).number()
    }
}

impl Histogram {
    /// Counts a value.
    pub fn observe(&self, value: f64) {
        if value.is_nan() {
            return;
        }
        self.observe_duration(Duration::try_from_secs_f64(value.max(0.0)).unwrap_or(Duration::MAX));
    }

    /// Counts a duration, in seconds. Inside a worker whose trace is recorded it is an exemplar.
    pub fn observe_duration(&self, duration: Duration) {
        if let Value::Histogram(histogram) = &*self.0.get(&[]) {
            let trace = crate::WorkerContext::current().and_then(|context| context.trace());
            histogram.observe(duration, trace.map(|trace| trace.own));
        }
    }
}
