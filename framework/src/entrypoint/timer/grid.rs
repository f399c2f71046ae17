//! When a timer fires.

use std::{str::FromStr, time::Duration};

use croner::Cron;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use tokio::time::{Instant, sleep, sleep_until};

use super::Clock;
use crate::service::{Schedule, TimerInfo};

/// The ticks of one timer. Those that pass while nobody waits for them are skipped.
#[derive(Debug, Clone)]
pub(super) enum Grid {
    /// Multiples of a duration since the start: whatever becomes of the system's clock, they do not drift.
    Steady { start: Instant, every: Duration, last: Instant },
    /// By the calendar.
    Calendar(Calendar),
}

#[derive(Debug, Clone)]
pub(super) struct Calendar {
    clock: Clock,
    rule: Rule,
    /// The tick that was last waited for.
    last: Option<Timestamp>,
}

#[derive(Debug, Clone)]
enum Rule {
    /// Multiples of a duration since 1970: the same for all instances.
    Every(Duration),
    Cron(Box<Cron>, TimeZone),
}

/// A clock that goes back by no more than this repeats no tick; one that goes back further was wrong before. As cron does it.
const CORRECTION: SignedDuration = SignedDuration::from_hours(3);

impl Grid {
    /// The grid of a timer, or what is wrong with its schedule.
    pub(super) fn of(timer: &TimerInfo, clock: Clock) -> Result<Self, String> {
        let rule = match timer.schedule {
            Schedule::Every(Duration::ZERO) => return Err("`every` is 0, which would never end".to_owned()),
            Schedule::Every(every) if timer.once_per_fleet => Rule::Every(every),
            Schedule::Every(every) => {
                let start = Instant::now();
                return Ok(Self::Steady { start, every, last: start });
            }
            Schedule::Cron { expression, zone } => cron(expression, zone, clock.now())?,
        };
        Ok(Self::Calendar(Calendar { clock, rule, last: None }))
    }

    /// The same grid, from now on.
    pub(super) fn begin(&self) -> Self {
        match self {
            Self::Steady { every, .. } => {
                let start = Instant::now();
                Self::Steady { start, every: *every, last: start }
            }
            Self::Calendar(calendar) => Self::Calendar(calendar.clone()),
        }
    }

    /// Waits for the next tick.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the tick is still the next one, unless it passes meanwhile.
    pub(super) async fn tick(&mut self) {
        match self {
            Self::Steady { start, every, last } => match next_multiple(*start, *every, Instant::now()) {
                Some(next) => {
                    sleep_until(next).await;
                    *last = next;
                }
                None => std::future::pending().await,
            },
            Self::Calendar(calendar) => calendar.tick().await,
        }
    }

    /// Whether the tick after the last one has passed: the next call of [`tick`](Self::tick) skips it.
    pub(super) fn is_late(&self) -> bool {
        match self {
            Self::Steady { start, every, last } => {
                next_multiple(*start, *every, *last).is_some_and(|next| next <= Instant::now())
            }
            Self::Calendar(calendar) => {
                let next = calendar.last.and_then(|last| calendar.rule.after(last));
                next.is_some_and(|next| next <= calendar.clock.now())
            }
        }
    }
}

/// The first multiple of `every` since `start` that comes after `now`; `None` beyond the end of time.
fn next_multiple(start: Instant, every: Duration, now: Instant) -> Option<Instant> {
    let passed = now.duration_since(start).as_nanos() / every.as_nanos() + 1;
    let nanos = passed.checked_mul(every.as_nanos())?;
    start.checked_add(Duration::from_nanos(u64::try_from(nanos).ok()?))
}

impl Calendar {
    async fn tick(&mut self) {
        let mut seen = self.clock.now();
        loop {
            let next = self.rule.after(self.base(seen));
            let now = self.clock.now();
            let left = match next {
                Some(next) if next <= now => {
                    self.last = Some(next);
                    return;
                }
                Some(next) => now.duration_until(next).unsigned_abs(),
                // None is left; but the clock may go back.
                None => Duration::MAX,
            };
            seen = now;
            sleep(left.min(self.clock.longest_wait())).await;
        }
    }

    /// After which time the next tick comes, for a clock that showed `seen`: no tick is repeated because the clock goes back a little.
    fn base(&self, seen: Timestamp) -> Timestamp {
        match self.last {
            Some(last) if last > seen && seen.duration_until(last) <= CORRECTION => last,
            _ => seen,
        }
    }
}

impl Rule {
    /// The first tick after `time`, if there is one.
    fn after(&self, time: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Every(every) => {
                let every = i128::try_from(every.as_nanos()).ok()?;
                let next = (time.as_nanosecond().div_euclid(every) + 1).checked_mul(every)?;
                Timestamp::from_nanosecond(next).ok()
            }
            Self::Cron(cron, zone) => {
                let next = cron.find_next_occurrence(&time.to_zoned(zone.clone()), false).ok()?;
                Some(next.timestamp())
            }
        }
    }
}

fn cron(expression: &str, zone: &str, now: Timestamp) -> Result<Rule, String> {
    let cron = Cron::from_str(expression).map_err(|error| format!("the cron expression `{expression}`: {error}"))?;
    let zone = TimeZone::get(zone).map_err(|error| {
        format!("the time zone `{zone}`: {error}; write one of the time zone database, such as `Europe/Berlin`")
    })?;
    let now = now.to_zoned(zone.clone());
    // One that has a last year may have had its last tick; it must not keep its program from starting.
    if cron.find_next_occurrence(&now, true).is_err() && cron.find_previous_occurrence(&now, true).is_err() {
        return Err(format!("the cron expression `{expression}` names no day that there is"));
    }
    Ok(Rule::Cron(Box::new(cron), zone))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timer(schedule: Schedule) -> TimerInfo {
        TimerInfo { index: 0, method: "tick", doc: "", schedule, eager: false, once_per_fleet: true, timeout: None }
    }

    fn calendar(schedule: Schedule) -> Calendar {
        match Grid::of(&timer(schedule), Clock::System).unwrap() {
            Grid::Calendar(calendar) => calendar,
            Grid::Steady { .. } => unreachable!("it is once per fleet"),
        }
    }

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// The ticks after a time, as the zone's clocks show them.
    fn ticks<const N: usize>(expression: &'static str, zone: &'static str, from: &str) -> [String; N] {
        let rule = calendar(Schedule::Cron { expression, zone }).rule;
        let zone = TimeZone::get(zone).unwrap();
        let mut at = time(from);
        [(); N].map(|()| {
            at = rule.after(at).unwrap();
            at.to_zoned(zone.clone()).strftime("%d. %H:%M%:::z").to_string()
        })
    }

    #[test]
    fn a_time_that_the_clock_jumps_over_fires_when_it_has_jumped_if_it_is_the_only_one_of_the_day() {
        // In Berlin it is 03:00 right after 01:59:59 on the 29th.
        let daily = ticks("30 2 * * *", "Europe/Berlin", "2026-03-27T22:00:00Z");
        assert_eq!(daily, ["28. 02:30+01", "29. 03:00+02", "30. 02:30+02"]);
        let every_quarter = ticks("*/15 * * * *", "Europe/Berlin", "2026-03-29T00:44:00Z");
        assert_eq!(every_quarter, ["29. 01:45+01", "29. 03:00+02", "29. 03:15+02"]);
        let twice = ticks("30 2,14 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z");
        assert_eq!(twice, ["28. 14:30+01", "29. 14:30+02", "30. 02:30+02"]);
    }

    #[test]
    fn a_time_that_the_clock_shows_twice_fires_once_if_it_is_the_only_one_of_the_day() {
        // In Berlin the hour from 02:00 comes twice on the 25th.
        let daily = ticks("30 2 * * *", "Europe/Berlin", "2026-10-23T23:00:00Z");
        assert_eq!(daily, ["24. 02:30+02", "25. 02:30+02", "26. 02:30+01"]);
        let hourly = ticks("30 * * * *", "Europe/Berlin", "2026-10-24T23:00:00Z");
        assert_eq!(hourly, ["25. 01:30+02", "25. 02:30+02", "25. 02:30+01", "25. 03:30+01"]);
    }

    #[test]
    fn multiples_of_a_duration_are_the_same_for_all_instances() {
        let rule = calendar(Schedule::Every(Duration::from_secs(15))).rule;
        for now in ["2026-01-01T00:00:00Z", "2026-01-01T00:00:07.5Z", "2026-01-01T00:00:14.999999999Z"] {
            assert_eq!(rule.after(time(now)), Some(time("2026-01-01T00:00:15Z")));
        }
        assert_eq!(calendar(Schedule::Every(Duration::MAX)).rule.after(time("2026-01-01T00:00:00Z")), None);
    }

    #[test]
    fn a_clock_that_goes_back_repeats_no_tick_unless_it_was_wrong_before() {
        let mut calendar = calendar(Schedule::Every(Duration::from_secs(60)));
        calendar.last = Some(time("2026-01-01T12:00:00Z"));
        let next = |seen| calendar.rule.after(calendar.base(time(seen))).unwrap();
        assert_eq!(next("2026-01-01T12:00:00.5Z"), time("2026-01-01T12:01:00Z"));
        assert_eq!(next("2026-01-01T10:30:00Z"), time("2026-01-01T12:01:00Z"));
        assert_eq!(next("2025-12-31T12:00:00Z"), time("2025-12-31T12:01:00Z"));
    }

    #[test]
    fn what_is_no_schedule_is_told() {
        let cron = |expression, zone| Schedule::Cron { expression, zone };
        for (schedule, text) in [
            (Schedule::Every(Duration::ZERO), "`every` is 0, which would never end"),
            (
                cron("* * * *", "UTC"),
                "the cron expression `* * * *`: Invalid pattern: Pattern must have between 5 and 7 fields.",
            ),
            (cron("0 0 30 2 *", "UTC"), "the cron expression `0 0 30 2 *` names no day that there is"),
        ] {
            assert_eq!(Grid::of(&timer(schedule), Clock::System).unwrap_err(), text);
        }
        let no_zone = Grid::of(&timer(cron("* * * * *", "Europe/Atlantis")), Clock::System).unwrap_err();
        assert!(no_zone.starts_with("the time zone `Europe/Atlantis`: "), "{no_zone}");
        // Its last tick was in 2020: nothing is left to do, and nothing is wrong.
        assert!(Grid::of(&timer(cron("0 0 0 1 1 * 2020", "UTC")), Clock::System).is_ok());
    }
}
