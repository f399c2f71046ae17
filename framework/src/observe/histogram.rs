//! Durations, counted by size.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use super::TraceContext;

/// Durations, each counted in the first bucket that it fits into.
pub(crate) struct Histogram {
    /// In nanoseconds, ascending.
    bounds: Arc<[u64]>,
    /// One more than there are bounds: what is beyond the last.
    counts: Box<[AtomicU64]>,
    nanoseconds: AtomicU64,
    /// The last traced one of each bucket. Locked for what is traced alone.
    exemplars: Mutex<Vec<Option<Exemplar>>>,
}

/// A duration, and the trace to look at for why it took that long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exemplar {
    pub(crate) trace_id: u128,
    pub(crate) seconds: f64,
    pub(crate) at: SystemTime,
}

/// What a [`Histogram`] has counted.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub(crate) struct HistogramSnapshot {
    /// The upper bound of each bucket but the last, in seconds.
    #[serde(skip)]
    pub(crate) bounds: Vec<f64>,
    /// How many are in each bucket, and in no smaller one.
    #[serde(skip)]
    pub(crate) counts: Vec<u64>,
    #[serde(skip)]
    pub(crate) exemplars: Vec<Option<Exemplar>>,
    pub(crate) count: u64,
    pub(crate) sum_seconds: f64,
    /// Half of them took no longer, as far as buckets tell.
    pub(crate) p50_seconds: Option<f64>,
    pub(crate) p99_seconds: Option<f64>,
}

/// The powers of two from 7.6 µs to 64 s: bounds of native histograms too (schema 0), so that Prometheus can turn one form into the other.
pub(crate) fn default_bounds() -> Arc<[u64]> {
    (-17..=6).map(|power| nanoseconds(2_f64.powi(power))).collect()
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive number of seconds")]
pub(crate) fn nanoseconds(seconds: f64) -> u64 {
    (seconds * 1e9).round() as u64
}

impl Histogram {
    pub(crate) fn new(bounds: &Arc<[u64]>) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds: bounds.clone(), counts, nanoseconds: AtomicU64::new(0), exemplars: Mutex::default() }
    }

    pub(crate) fn observe(&self, duration: Duration, trace: Option<TraceContext>) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let place = self.bounds.partition_point(|bound| *bound < nanoseconds);
        self.counts[place].fetch_add(1, Ordering::Relaxed);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
        if let Some(trace) = trace.filter(|trace| trace.sampled) {
            let exemplar =
                Exemplar { trace_id: trace.trace_id, seconds: duration.as_secs_f64(), at: SystemTime::now() };
            let mut exemplars = self.exemplars.lock().unwrap_or_else(PoisonError::into_inner);
            exemplars.resize(self.counts.len(), None);
            exemplars[place] = Some(exemplar);
        }
    }

    pub(crate) fn snapshot(&self) -> HistogramSnapshot {
        let counts: Vec<u64> = self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let bounds = self.bounds.iter().map(|bound| Duration::from_nanos(*bound).as_secs_f64()).collect();
        let sum_seconds = Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed)).as_secs_f64();
        let exemplars = self.exemplars.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let count = counts.iter().sum();
        let mut snapshot = HistogramSnapshot { bounds, counts, exemplars, count, sum_seconds, ..Default::default() };
        snapshot.p50_seconds = snapshot.quantile(0.5);
        snapshot.p99_seconds = snapshot.quantile(0.99);
        snapshot
    }
}

impl HistogramSnapshot {
    /// What has come since an earlier one. What was not there before had counted nothing.
    #[cfg(feature = "http")]
    pub(crate) fn since(&self, before: Option<&Self>) -> Self {
        let Some(before) = before else { return self.clone() };
        let counts = self.counts.iter().zip(&before.counts);
        let counts: Vec<u64> = counts.map(|(now, before)| now.saturating_sub(*before)).collect();
        Self {
            count: counts.iter().sum(),
            counts,
            bounds: self.bounds.clone(),
            sum_seconds: self.sum_seconds - before.sum_seconds,
            ..Self::default()
        }
    }

    /// What this share of them did not exceed: within its bucket, as if they were spread evenly.
    pub(crate) fn quantile(&self, share: f64) -> Option<f64> {
        if self.count == 0 {
            return None;
        }
        let wanted = share * self.count as f64;
        let mut before = 0_u64;
        for (place, &count) in self.counts.iter().enumerate() {
            let reached = before + count;
            if count > 0 && reached as f64 >= wanted {
                let low = if place == 0 { 0.0 } else { self.bounds[place - 1] };
                let Some(high) = self.bounds.get(place) else { return Some(low) };
                return Some(low + (high - low) * (wanted - before as f64) / count as f64);
            }
            before = reached;
        }
        self.bounds.last().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_in_the_first_bucket_that_it_fits_into() {
        let histogram = Histogram::new(&[1_000, 2_000].into());
        for nanoseconds in [0, 1_000, 1_001, 2_000, 2_001, u64::MAX / 2] {
            histogram.observe(Duration::from_nanos(nanoseconds), None);
        }
        assert_eq!(histogram.snapshot().counts, [2, 2, 2]);
    }

    #[test]
    fn quantiles_lie_within_the_bucket() {
        let histogram = Histogram::new(&default_bounds());
        assert_eq!(histogram.snapshot().p50_seconds, None);
        for _ in 0..99 {
            histogram.observe(Duration::from_millis(10), None);
        }
        histogram.observe(Duration::from_secs(3), None);
        let snapshot = histogram.snapshot();
        let p50 = snapshot.p50_seconds.unwrap();
        assert!(p50 > 0.007_8 && p50 < 0.015_7, "{p50}");
        assert!(snapshot.quantile(1.0).unwrap() > 2.0);
        assert!((snapshot.sum_seconds - 3.99).abs() < 1e-6);
    }
}
