//! The metrics of a program's own, one of each name.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use super::{
    own::{Kind, MetricOptions, Value},
    text::{Labels, Text},
};
use crate::{
    Error, ErrorKind, Result,
    dependency::{Dependency, Scope, SetupContext},
};

/// The most combinations of label values of one metric.
const MOST_SERIES: usize = 200;
/// What counts all beyond that.
const OTHER: &str = "other";

/// Where the metrics of a program's own are kept.
#[derive(Clone)]
pub(crate) struct Metrics {
    families: Arc<Mutex<BTreeMap<String, Arc<Family>>>>,
    /// Of histograms that say nothing, in nanoseconds.
    bounds: Arc<[u64]>,
}

/// A metric: one value for each combination of its labels' values.
pub(super) struct Family {
    kind: Kind,
    help: String,
    labels: Vec<String>,
    bounds: Arc<[u64]>,
    series: RwLock<BTreeMap<Vec<String>, Arc<Value>>>,
}

impl Metrics {
    /// Makes a metric; the one that there is, where another field names the same.
    pub(super) fn register(&self, kind: Kind, labels: usize, options: MetricOptions) -> Result<Arc<Family>> {
        let refuse = |text: String| Err(Error::new(ErrorKind::Config, text));
        let Some(name) = options.name else {
            let kind = kind.field();
            return refuse(format!(
                "a `{kind}` field needs a name: `#[dependency(name = \"orders_placed\", help = \"…\")]`"
            ));
        };
        let name = if kind == Kind::Counter { name.strip_suffix("_total").unwrap_or(&name).to_owned() } else { name };
        if let Err(text) = check(&name, &options.labels, labels, kind) {
            return refuse(text);
        }
        let bounds = match options.buckets {
            buckets if buckets.is_empty() => self.bounds.clone(),
            buckets => match crate::observe::bounds(&buckets) {
                Ok(bounds) => bounds,
                Err(text) => return refuse(format!("the buckets of `{name}`: {text}")),
            },
        };
        let mut families = self.families.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = families.get(&name) {
            if known.kind == kind && known.labels == options.labels && known.bounds == bounds {
                return Ok(known.clone());
            }
            let (elsewhere, here) = (known.kind.field(), kind.field());
            return refuse(format!(
                "the metric `{name}` is a `{elsewhere}` with the labels {:?} elsewhere, and a `{here}` with the labels {:?} here: \
                 a name stands for one metric, with the same labels and buckets everywhere",
                known.labels, options.labels
            ));
        }
        let help = options.help.unwrap_or_else(|| name.replace('_', " "));
        let family = Arc::new(Family { kind, help, labels: options.labels, bounds, series: RwLock::default() });
        families.insert(name, family.clone());
        Ok(family)
    }

    pub(super) fn write(&self, text: &mut Text) {
        for (name, family) in &*self.families.lock().unwrap_or_else(PoisonError::into_inner) {
            family.write(name, text);
        }
    }
}

impl Dependency for Metrics {
    type Options = ();
    const SCOPE: Scope = Scope::Process;

    async fn setup(cx: &SetupContext, (): ()) -> Result<Self> {
        Ok(Self { families: Arc::default(), bounds: cx.observer().bounds().clone() })
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// What Prometheus would not take, and what is ours.
fn check(name: &str, labels: &[String], wanted: usize, kind: Kind) -> Result<(), String> {
    if !is_name(name) {
        return Err(format!("`{name}` is no name of a metric: write letters, digits and `_`, no digit first"));
    }
    if name.starts_with("kinoko_") || name.starts_with("process_") {
        return Err(format!("`{name}`: what begins with `kinoko_` or `process_` is kinoko's own; write another name"));
    }
    if let Some(label) = labels.iter().find(|label| !is_name(label) || label.starts_with("__") || *label == "le") {
        return Err(format!("`{label}` is no label of `{name}`: write letters, digits and `_`, and not `le`"));
    }
    if labels.len() != wanted {
        let (field, count) = (kind.field(), labels.len());
        let field = if count == 0 { field.to_owned() } else { format!("{field}<{count}>") };
        return Err(format!(
            "the metric `{name}` has {count} labels and its field is made for {wanted}: write `{field}`"
        ));
    }
    Ok(())
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_');
    first && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

impl Family {
    pub(super) fn get(&self, values: &[&str]) -> Arc<Value> {
        {
            let series = self.series.read().unwrap_or_else(PoisonError::into_inner);
            let known = series.iter().find(|(known, _)| known.iter().map(String::as_str).eq(values.iter().copied()));
            if let Some((_, value)) = known {
                return value.clone();
            }
        }
        let mut series = self.series.write().unwrap_or_else(PoisonError::into_inner);
        let full = series.len() >= MOST_SERIES;
        let values = values.iter().map(|value| if full { OTHER.to_owned() } else { (*value).to_owned() }).collect();
        series.entry(values).or_insert_with(|| Arc::new(Value::new(self.kind, &self.bounds))).clone()
    }

    fn write(&self, name: &str, text: &mut Text) {
        let series = self.series.read().unwrap_or_else(PoisonError::into_inner);
        let labels = |values: &[String]| -> Vec<(String, String)> {
            self.labels.iter().cloned().zip(values.iter().cloned()).collect()
        };
        let named: Vec<_> = series.iter().map(|(values, value)| (labels(values), value)).collect();
        let numbers = named.iter().map(|(labels, value)| (borrowed(labels), value.number()));
        match self.kind {
            Kind::Counter => text.counters(name, &self.help, numbers),
            Kind::Gauge => text.gauges(name, &self.help, numbers),
            Kind::Histogram => {
                let histograms =
                    named.iter().filter_map(|(labels, value)| Some((borrowed(labels), value.histogram()?)));
                text.histograms(name, &self.help, histograms);
            }
        }
    }
}

fn borrowed(labels: &[(String, String)]) -> Labels<'_> {
    labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}
