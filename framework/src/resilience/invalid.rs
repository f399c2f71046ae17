//! What is wrong with the settings of a policy, for whoever wrote them.

use std::time::Duration;

/// `Err` says what to write instead.
pub(super) type Check = Result<(), String>;

pub(super) fn positive(what: &str, time: Duration) -> Check {
    if time.is_zero() { Err(format!("`{what}` is 0: write at least `1ms`, or leave it out")) } else { Ok(()) }
}

pub(super) fn share(what: &str, value: f64) -> Check {
    if value > 0.0 && value <= 1.0 {
        Ok(())
    } else {
        Err(format!("`{what}` is {value}: a share is above 0 and at most 1, such as 0.5 for half of them"))
    }
}
