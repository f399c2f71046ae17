//! Settings of a breaker, drawn by lot.

use std::time::Duration;

use fastrand::Rng;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    pub(crate) failure_rate: Share,
    pub(crate) slow_rate: Share,
    pub(crate) slow_after: Option<Duration>,
    pub(crate) window: Window,
    pub(crate) min_calls: u32,
    pub(crate) open_for: Duration,
    pub(crate) trials: u32,
}

/// So many of so many. A fraction, so that the model reckons with whole numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Share {
    pub(crate) part: u32,
    pub(crate) of: u32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Window {
    Calls(u32),
    Time(Duration),
}

impl Settings {
    pub(crate) fn any(rng: &mut Rng) -> Self {
        Self {
            failure_rate: Share::any(rng),
            slow_rate: Share::any(rng),
            slow_after: slow_after(rng),
            window: Window::any(rng),
            min_calls: rng.u32(1..=6),
            open_for: time(rng),
            trials: rng.u32(1..=6),
        }
    }

    /// Others, in one thing or in all.
    pub(crate) fn varied(&self, rng: &mut Rng) -> Self {
        let mut settings = self.clone();
        match rng.u8(..8) {
            0 => settings.failure_rate = Share::any(rng),
            1 => settings.slow_rate = Share::any(rng),
            2 => settings.slow_after = slow_after(rng),
            3 => settings.window = Window::any(rng),
            4 => settings.min_calls = rng.u32(1..=12),
            5 => settings.open_for = time(rng),
            6 => settings.trials = rng.u32(1..=6),
            _ => settings = Self::any(rng),
        }
        settings
    }
}

impl Share {
    fn any(rng: &mut Rng) -> Self {
        let of = *pick(rng, &[1, 2, 3, 4, 5, 7, 10, 100]);
        Self { part: rng.u32(1..=of), of }
    }

    /// As a user writes it.
    pub(crate) fn as_rate(self) -> f64 {
        f64::from(self.part) / f64::from(self.of)
    }

    pub(crate) fn is_reached_by(self, count: usize, of: usize) -> bool {
        count * self.of as usize >= self.part as usize * of
    }
}

impl Window {
    fn any(rng: &mut Rng) -> Self {
        if rng.bool() { Self::Calls(rng.u32(1..=20)) } else { Self::Time(time(rng)) }
    }
}

fn slow_after(rng: &mut Rng) -> Option<Duration> {
    rng.bool().then(|| time(rng))
}

/// Round ones, so that many things fall together, and odd ones, whose tenth leaves a rest.
fn time(rng: &mut Rng) -> Duration {
    match rng.u8(..3) {
        0 => Duration::from_millis(*pick(rng, &[10, 20, 50, 100, 1_000, 10_000])),
        1 => Duration::from_millis(rng.u64(1..=200)),
        _ => Duration::from_nanos(rng.u64(1..=100_000_000)),
    }
}

pub(crate) fn pick<'a, T>(rng: &mut Rng, of: &'a [T]) -> &'a T {
    &of[rng.usize(..of.len())]
}
