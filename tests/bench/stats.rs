//! Medians, ranges, and whether the goals are met.

use std::fmt;

/// A median with the range that it comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    pub(crate) fn of_values(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = match values.len() {
            0 => f64::NAN,
            len if len % 2 == 1 => values[middle],
            _ => f64::midpoint(values[middle - 1], values[middle]),
        };
        let end = |value: Option<&f64>| value.copied().unwrap_or(f64::NAN);
        Self { median, least: end(values.first()), most: end(values.last()) }
    }

    pub(crate) fn of<R>(runs: &[R], value: impl Fn(&R) -> f64) -> Self {
        Self::of_values(runs.iter().map(value).collect())
    }

    /// Ratios within each round.
    pub(crate) fn of_ratios<R>(runs: &[R], base: &[R], value: impl Fn(&R) -> f64) -> Self {
        Self::of_values(runs.iter().zip(base).map(|(run, base)| value(run) / value(base)).collect())
    }

    /// Differences within each round.
    pub(crate) fn of_differences<R>(runs: &[R], base: &[R], value: impl Fn(&R) -> f64) -> Self {
        Self::of_values(runs.iter().zip(base).map(|(run, base)| value(run) - value(base)).collect())
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(2);
        write!(f, "**{:.digits$}** [{:.digits$}–{:.digits$}]", self.median, self.least, self.most)
    }
}

/// The goals, each with what was measured.
#[derive(Default)]
pub(crate) struct Goals(Vec<(bool, String)>);

impl Goals {
    pub(crate) fn at_least(&mut self, what: String, unit: &str, measured: Spread, goal: f64) {
        self.0.push((measured.median >= goal, format!("{what}: {measured} {unit}, goal at least {goal}")));
    }

    pub(crate) fn at_most(&mut self, what: String, unit: &str, measured: Spread, goal: f64) {
        self.0.push((measured.median <= goal, format!("{what}: {measured} {unit}, goal at most {goal}")));
    }

    pub(crate) fn print(&self) {
        println!("## Goals\n");
        for (met, text) in &self.0 {
            println!("- {} {text}", if *met { "pass" } else { "MISS" });
        }
        let missed = self.0.iter().filter(|(met, _)| !met).count();
        println!("\n{} of {} goals met.", self.0.len() - missed, self.0.len());
    }
}
