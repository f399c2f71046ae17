//! What is wrong with the settings of a policy, for whoever wrote them.

use std::time::Duration;

/// `Err` says what to write instead.
pub(super) type Check = Result<(), String>;

/// A hundred years. What is no longer can be added to any clock, twice, and counted in nanoseconds.
pub(super) const LONGEST: Duration = Duration::from_secs(36_500 * 24 * 60 * 60);

pub(super) fn time(what: &str, time: Duration) -> Check {
    if time.is_zero() {
        Err(format!("`{what}` is 0: write at least `1ms`, or leave it out"))
    } else if time > LONGEST {
        Err(format!("`{what}` is longer than `36500d`, a hundred years: write less, or leave it out"))
    } else {
        Ok(())
    }
}

pub(super) fn share(what: &str, value: f64) -> Check {
    if value > 0.0 && value <= 1.0 {
        Ok(())
    } else {
        Err(format!("`{what}` is {value}: a share is above 0 and at most 1, such as 0.5 for half of them"))
    }
}
