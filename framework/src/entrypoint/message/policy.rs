//! What is to be done with a delivery whose worker failed.

use std::time::Duration;

use crate::{
    event::{Action, Verdict},
    protocol::{Fault, delivery_headers::reason},
    service::RetryPolicy,
};

/// What is next for a delivery that failed.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    /// Another attempt, after this delay.
    Attempt(Duration),
    /// It is kept as a dead letter, for this reason.
    DeadLetter(&'static str),
    /// Nobody wants it.
    Drop,
}

/// Attempts without end come no faster than this, whatever the handler asks for.
const LEAST_ENDLESS_DELAY: Duration = Duration::from_millis(100);

/// What is next after this attempt, counted from 1.
pub(super) fn next(policy: &RetryPolicy, attempt: u32, verdict: &Verdict) -> Next {
    let asked = match verdict.action() {
        Action::Reject => return Next::Drop,
        Action::DeadLetter => return Next::DeadLetter(final_reason(verdict.fault())),
        Action::Retry => None,
        Action::RetryAfter(delay) => Some(delay),
    };
    let delay = asked.unwrap_or_else(|| delay(policy, attempt));
    match policy.attempts {
        Some(attempts) if attempt >= attempts => Next::DeadLetter(reason::ATTEMPTS),
        Some(_) => Next::Attempt(delay),
        None => Next::Attempt(delay.max(LEAST_ENDLESS_DELAY)),
    }
}

/// How long the policy waits after this attempt.
pub(super) fn delay(policy: &RetryPolicy, attempt: u32) -> Duration {
    let doublings = attempt.saturating_sub(1).min(31);
    let delay = policy.first.saturating_mul(1 << doublings).min(policy.longest);
    if policy.jitter { delay.mul_f64(0.5 + fastrand::f64() / 2.0) } else { delay }
}

fn final_reason(fault: &Fault) -> &'static str {
    match &*fault.exc_path {
        "kinoko.MalformedMessage" => reason::MALFORMED,
        "kinoko.TooManyDeliveries" => reason::CRASHED,
        _ => reason::VERDICT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(attempts: Option<u32>, jitter: bool) -> RetryPolicy {
        RetryPolicy { attempts, first: Duration::from_secs(1), longest: Duration::from_secs(60), jitter }
    }

    #[test]
    fn delays_double_up_to_the_longest() {
        let delays: Vec<_> = [1, 2, 3, 6, 7, 40, u32::MAX]
            .map(|attempt| delay(&policy(None, false), attempt).as_secs())
            .into_iter()
            .collect();
        assert_eq!(delays, [1, 2, 4, 32, 60, 60, 60]);
    }

    #[test]
    fn jitter_is_drawn_from_the_upper_half() {
        let drawn: Vec<_> = (0..200).map(|_| delay(&policy(None, true), 2).as_millis()).collect();
        assert!(drawn.iter().all(|ms| (1000..=2000).contains(ms)), "{drawn:?}");
        assert!(drawn.iter().max().unwrap() - drawn.iter().min().unwrap() > 500, "{drawn:?}");
    }

    #[test]
    fn the_last_attempt_is_the_last_whatever_the_handler_asks_for() {
        let verdict = |action| Verdict::new(action, Fault::internal("Broken", "broken"));
        let five = policy(Some(5), false);
        let soon = Action::RetryAfter(Duration::from_millis(3));
        assert_eq!(next(&five, 4, &verdict(Action::Retry)), Next::Attempt(Duration::from_secs(8)));
        assert_eq!(next(&five, 4, &verdict(soon)), Next::Attempt(Duration::from_millis(3)));
        assert_eq!(next(&five, 5, &verdict(Action::Retry)), Next::DeadLetter("attempts"));
        assert_eq!(next(&five, 5, &verdict(soon)), Next::DeadLetter("attempts"));
        assert_eq!(next(&five, 1, &verdict(Action::DeadLetter)), Next::DeadLetter("verdict"));
        assert_eq!(next(&five, 5, &verdict(Action::Reject)), Next::Drop);
    }

    #[test]
    fn attempts_without_end_are_no_hot_loop() {
        let now = Verdict::new(Action::RetryAfter(Duration::ZERO), Fault::internal("Broken", "broken"));
        assert_eq!(next(&policy(None, false), 1000, &now), Next::Attempt(LEAST_ENDLESS_DELAY));
        assert_eq!(next(&policy(Some(5), false), 1, &now), Next::Attempt(Duration::ZERO));
    }
}
