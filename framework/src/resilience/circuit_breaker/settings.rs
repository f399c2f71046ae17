use std::time::Duration;

use super::super::invalid::{self, Check};

/// When calls are no longer tried: so many of the last ones failed, or were slow, that another one is not worth its time.
///
/// Closed, calls go through and their ends are counted over [`window`](Self::window). Once at least [`min_calls`](Self::min_calls) are
/// in it and the share of failed or of slow ones is reached, the call that ends opens it: for [`open_for`](Self::open_for) each call is refused
/// at once. With the first call after that it is half open: [`trials`](Self::trials) calls go through. It opens again as soon as so many of all
/// trials failed, or were slow, that the share is reached whatever the others come to; once all are over without that it closes, and
/// counts from nothing.
///
/// What counts as failed, [`Classify`](super::super::Classify) says of each error. A call that is dropped counts as nothing, and another one
/// is tried in its place; a call that began before the last change of state counts as nothing either. Where settings change the state stays,
/// and the trials begin anew; what is in the window stays too, unless the window is another one.
///
/// # Examples
///
/// ```
/// use kinoko::resilience::{CircuitBreaker, Policy, Window};
/// use std::time::Duration;
///
/// let breaker = CircuitBreaker { failure_rate: 0.25, window: Window::Calls(200), ..CircuitBreaker::default() };
/// let policy = Policy::builder("gateway").breaker(breaker).build().unwrap();
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct CircuitBreaker {
    /// The share of failed calls from which it opens: above 0, at most 1. Default: 0.5.
    pub failure_rate: f64,
    /// The share of slow calls from which it opens, once [`slow_after`](Self::slow_after) says what is slow. Default: 1, all of them.
    pub slow_rate: f64,
    /// From how long on a call is slow, whatever it comes to. Default: none is.
    pub slow_after: Option<Duration>,
    /// The calls that are looked back upon. Default: those of the last 10 s.
    pub window: Window,
    /// How many calls have to be in the window before a share says anything; no more than a window of calls holds. Default: 20.
    pub min_calls: u32,
    /// How long it stays open. Default: 5 s.
    pub open_for: Duration,
    /// How many calls are let through to try, once it has been open long enough. Default: 3.
    pub trials: u32,
}

/// What a circuit breaker looks back upon. In an attribute: `window = "10s"`, or `window = 100`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// The last so many calls, at most 10,000.
    Calls(u32),
    /// The calls of so long, to a tenth of it: time is cut into tenths from when it begins to count, and in it is what ended in the tenth of
    /// now or in one of the nine before.
    Time(Duration),
}

const MOST_CALLS: u32 = 10_000;

impl Window {
    /// Reads `10s`, or `100` for so many calls.
    ///
    /// # Errors
    ///
    /// What to write instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.trim().parse() {
            Ok(calls) => Ok(Self::Calls(calls)),
            Err(_) => kinoko_text::parse_duration(text).map(Self::Time),
        }
    }
}

impl Default for CircuitBreaker {
    fn default() -> Self {
        Self {
            failure_rate: 0.5,
            slow_rate: 1.0,
            slow_after: None,
            window: Window::Time(Duration::from_secs(10)),
            min_calls: 20,
            open_for: Duration::from_secs(5),
            trials: 3,
        }
    }
}

impl CircuitBreaker {
    pub(in super::super) fn check(&self) -> Check {
        invalid::share("breaker.failure_rate", self.failure_rate)?;
        invalid::share("breaker.slow_rate", self.slow_rate)?;
        if let Some(slow_after) = self.slow_after {
            invalid::time("breaker.slow_after", slow_after)?;
        }
        invalid::time("breaker.open_for", self.open_for)?;
        match self.window {
            Window::Time(time) => invalid::time("breaker.window", time)?,
            Window::Calls(1..=MOST_CALLS) => {}
            Window::Calls(calls) => {
                return Err(format!(
                    "`breaker.window` is {calls} calls: write 1 to {MOST_CALLS}, or a time such as \"10s\""
                ));
            }
        }
        if self.min_calls == 0 || self.trials == 0 {
            return Err("`breaker.min_calls` and `breaker.trials` are 1 at least".to_owned());
        }
        Ok(())
    }
}
