//! How many repetitions a destination can be asked for.

use std::sync::atomic::{AtomicI64, Ordering};

use super::Retry;

/// In thousandths of a repetition, so that a share of a call is a whole number.
const ONE: i64 = 1_000;

/// Filled by each call with its share, emptied by each repetition.
#[derive(Debug)]
pub(super) struct Budget {
    left: AtomicI64,
    each: i64,
}

impl Budget {
    pub(super) fn new(share: f64) -> Self {
        #[allow(clippy::cast_possible_truncation, reason = "a share is 0 to 1")]
        let each = (share * ONE as f64).round() as i64;
        Self { left: AtomicI64::new(i64::from(Retry::RESERVE) * ONE), each }
    }

    /// A call is made for the first time.
    pub(super) fn add(&self) {
        let full = i64::from(Retry::RESERVE) * ONE;
        // Full most of the time, and then only looked at.
        if self.left.load(Ordering::Relaxed) < full {
            let more = |left: i64| (left < full).then(|| (left + self.each).min(full));
            let _ = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        }
    }

    /// Takes a repetition, if there is one left.
    pub(super) fn take(&self) -> bool {
        let less = |left: i64| (left >= ONE).then_some(left - ONE);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_the_calls_is_repeated_and_the_reserve_once() {
        let budget = Budget::new(0.1);
        let repeated = (0..10_000)
            .filter(|_| {
                budget.add();
                budget.take()
            })
            .count();
        // The first call finds the reserve full.
        assert_eq!(repeated, 10 + 999);
    }

    #[test]
    fn what_is_saved_in_good_times_is_bounded() {
        let budget = Budget::new(1.0);
        (0..1_000).for_each(|_| budget.add());
        assert_eq!((0..1_000).filter(|_| budget.take()).count(), 10);
    }
}
