//! What is tried: the breaker, or a copy of it. Each copy has types of its own; here they are alike.

use std::time::Duration;

use tokio::time::Instant;

use crate::settings::Settings;

pub(crate) trait Subject: Sized {
    type Trial;

    fn begin(settings: &Settings) -> Self;
    fn let_in(&self, now: Instant) -> Result<Self::Trial, Option<Duration>>;
    fn is_over(trial: Self::Trial, failed: bool);
    fn be_forced(&self, forced: Option<Forced>);
    fn take(&self, settings: &Settings);
    fn looks(&self) -> Looks;
    fn counted(&self) -> Counted;
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Forced {
    Open,
    Closed,
}

/// What can be seen without moving anything.
#[derive(Debug, PartialEq)]
pub(crate) struct Looks {
    pub(crate) state: &'static str,
    /// How many trials are under way.
    pub(crate) under_way: usize,
}

/// What is in the window, or what the trials came to, and how often it has opened. To look at it moves the window on.
#[derive(Debug, PartialEq)]
pub(crate) struct Counted {
    pub(crate) calls: usize,
    pub(crate) failed: usize,
    pub(crate) slow: usize,
    pub(crate) opened: u64,
}

/// Makes a [`Subject`] of the copy in the module where it stands.
macro_rules! subject {
    () => {
        use std::{sync::Arc, time::Duration};

        use tokio::time::Instant;

        use self::circuit_breaker::{Breaker, CircuitBreaker, Forced, Trial, Window};
        use crate::{
            run::Search,
            settings::{Settings, Window as AnyWindow},
            subject::{Counted, Forced as AnyForced, Looks, Subject},
        };

        pub(crate) fn search(seed: u64, steps: u64) -> Search {
            crate::run::search::<Arc<Breaker>>(seed, steps)
        }

        impl Subject for Arc<Breaker> {
            type Trial = Trial;

            fn begin(settings: &Settings) -> Self {
                Arc::new(Breaker::new("proof", CircuitBreaker::from(settings)))
            }

            fn let_in(&self, now: Instant) -> Result<Trial, Option<Duration>> {
                self.enter(now).map_err(|open| open.retry_after)
            }

            fn is_over(trial: Trial, failed: bool) {
                trial.end(failed, Instant::now());
            }

            fn be_forced(&self, forced: Option<AnyForced>) {
                self.force(forced.map(|forced| match forced {
                    AnyForced::Open => Forced::Open,
                    AnyForced::Closed => Forced::Closed,
                }));
            }

            fn take(&self, settings: &Settings) {
                self.configure(settings.into());
            }

            fn looks(&self) -> Looks {
                Looks { state: self.state().name(), under_way: self.under_way() as usize }
            }

            fn counted(&self) -> Counted {
                let sight = self.look();
                let [calls, failed, slow] = [sight.calls, sight.failed, sight.slow].map(|count| count as usize);
                Counted { calls, failed, slow, opened: sight.opened }
            }
        }

        impl From<&Settings> for CircuitBreaker {
            fn from(settings: &Settings) -> Self {
                let made = Self {
                    failure_rate: settings.failure_rate.as_rate(),
                    slow_rate: settings.slow_rate.as_rate(),
                    slow_after: settings.slow_after,
                    window: match settings.window {
                        AnyWindow::Calls(calls) => Window::Calls(calls),
                        AnyWindow::Time(time) => Window::Time(time),
                    },
                    min_calls: settings.min_calls,
                    open_for: settings.open_for,
                    trials: settings.trials,
                };
                assert_eq!(made.check(), Ok(()), "only settings that a policy takes prove anything");
                made
            }
        }
    };
}
