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
}
