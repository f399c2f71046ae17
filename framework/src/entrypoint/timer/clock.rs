use std::time::Duration;

use jiff::Timestamp;

/// What time it is by the calendar.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum Clock {
    /// The system's.
    #[default]
    System,
    /// A test's: it begins when the test says, and moves with tokio's clock.
    #[cfg(feature = "testing")]
    Test {
        /// What it showed …
        begin: Timestamp,
        /// … then.
        since: tokio::time::Instant,
    },
}

/// The longest wait without a look at a clock that somebody may set.
const LOOK: Duration = Duration::from_secs(30);

impl Clock {
    /// A test's, from now on.
    #[cfg(feature = "testing")]
    pub(crate) fn test(begin: Timestamp) -> Self {
        Self::Test { begin, since: tokio::time::Instant::now() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp::now(),
            #[cfg(feature = "testing")]
            Self::Test { begin, since } => {
                // The calendar of a test that lets 7,000 years pass ends.
                begin.checked_add(since.elapsed()).unwrap_or(Timestamp::MAX)
            }
        }
    }

    /// How long a wait may go by tokio's clock alone.
    pub(super) fn longest_wait(&self) -> Duration {
        match self {
            Self::System => LOOK,
            #[cfg(feature = "testing")]
            Self::Test { .. } => Duration::MAX,
        }
    }
}
