use std::{sync::Arc, time::Duration};

use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{brokers::Brokers, failure::closed, link::Link, registry::Registry};
use crate::{Error, ErrorKind, Result, protocol::Name, transport::ConnectionState};

const FIRST_DELAY_MS: u64 = 50;
const LONGEST_DELAY_MS: u64 = 5_000;

/// While nobody listens: a broker that is back is found within half a second.
const LONGEST_ABSENT_DELAY_MS: u64 = 500;

/// What lived this long ends a series of failures: the next attempt is at once.
pub(super) const STABLE_AFTER: Duration = Duration::from_secs(5);

/// What the supervisor, the consumers and the requesters of one transport share.
pub(super) struct Shared {
    pub(super) brokers: Brokers,
    pub(super) connection_name: String,
    pub(super) rpc_exchange: Name,
    pub(super) registry: Registry,
    pub(super) redeclare_interval: Duration,
    pub(super) state: watch::Sender<ConnectionState>,
    pub(super) phase: watch::Sender<Phase>,
    /// Cancelled when the application closes or drops the transport.
    pub(super) closing: CancellationToken,
    /// Every task that runs on the transport's thread.
    pub(super) tasks: TaskTracker,
}

/// Where the supervisor is.
#[derive(Clone)]
pub(super) enum Phase {
    Down,
    Up(Arc<Link>),
    Refused(Arc<str>),
    Closed,
}

impl Shared {
    /// The present link, once there is one.
    pub(super) async fn link(&self) -> Result<Arc<Link>> {
        let mut phase = self.phase.subscribe();
        loop {
            match &*phase.borrow_and_update() {
                Phase::Up(link) if !link.is_over() => return Ok(link.clone()),
                Phase::Refused(text) => return Err(Error::new(ErrorKind::Refused, text.to_string())),
                Phase::Closed => return Err(closed()),
                Phase::Up(_) | Phase::Down => {}
            }
            phase.changed().await.map_err(|_| closed())?;
        }
    }
}

/// A capped, fully jittered delay: many clients must not come back in step.
pub(super) fn backoff(attempt: u32) -> Duration {
    delay(attempt, LONGEST_DELAY_MS)
}

/// The delay while nobody listens at the broker's address.
pub(super) fn absent_backoff(attempt: u32) -> Duration {
    delay(attempt, LONGEST_ABSENT_DELAY_MS)
}

fn delay(attempt: u32, longest_ms: u64) -> Duration {
    let ceiling = FIRST_DELAY_MS.saturating_mul(1 << attempt.min(16)).min(longest_ms);
    Duration::from_millis(fastrand::u64(0..=ceiling))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_capped() {
        for attempt in [0, 1, 7, 16, u32::MAX] {
            assert!(backoff(attempt) <= Duration::from_millis(LONGEST_DELAY_MS));
            assert!(absent_backoff(attempt) <= Duration::from_millis(LONGEST_ABSENT_DELAY_MS));
        }
    }
}
