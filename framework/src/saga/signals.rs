//! The signals that are the runner's own.

/// Go back, if it is not too late.
pub(super) const CANCEL: &str = "kinoko.cancel";
/// Try again what the saga is parked at.
pub(super) const RETRY: &str = "kinoko.retry";
/// Leave out the compensation that the saga is parked at.
pub(super) const SETTLE: &str = "kinoko.settle";
