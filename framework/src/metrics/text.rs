//! The text that is scraped: Prometheus' own format, and OpenMetrics, which differs little and has exemplars.

use std::{fmt::Write as _, time::SystemTime};

use super::process::seconds;
use crate::observe::HistogramSnapshot;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Prometheus' text format 0.0.4, which everybody reads.
    Prometheus,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

/// Names of labels, with their values.
pub(super) type Labels<'a> = Vec<(&'a str, &'a str)>;

/// Writes families, each with its series.
pub(super) struct Text {
    format: Format,
    out: String,
}

impl Text {
    pub(super) fn new(format: Format) -> Self {
        Self { format, out: String::new() }
    }

    pub(super) fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.out.push_str("# EOF\n");
        }
        self.out
    }

    /// A family of numbers that only grow. Its name has no `_total`.
    pub(super) fn counters<'a, V: Into<f64>>(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (Labels<'a>, V)>,
    ) {
        // OpenMetrics names the family; Prometheus knows nothing but series.
        let family = if self.format == Format::OpenMetrics { name.to_owned() } else { format!("{name}_total") };
        self.family(&family, help, "counter");
        for (labels, value) in series {
            self.sample(&format!("{name}_total"), &labels, value.into());
            self.out.push('\n');
        }
    }

    /// A family of numbers that go up and down.
    pub(super) fn gauges<'a, V: Into<f64>>(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (Labels<'a>, V)>,
    ) {
        self.family(name, help, "gauge");
        for (labels, value) in series {
            self.sample(name, &labels, value.into());
            self.out.push('\n');
        }
    }

    /// A family of histograms.
    pub(super) fn histograms<'a>(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (Labels<'a>, HistogramSnapshot)>,
    ) {
        self.family(name, help, "histogram");
        for (labels, histogram) in series {
            self.histogram(name, &labels, &histogram);
        }
    }

    fn histogram(&mut self, name: &str, labels: &[(&str, &str)], histogram: &HistogramSnapshot) {
        let bucket = format!("{name}_bucket");
        let mut so_far = 0;
        for (place, count) in histogram.counts.iter().enumerate() {
            so_far += count;
            let bound = histogram.bounds.get(place).map_or_else(|| "+Inf".to_owned(), |bound| number(*bound));
            let labels = [labels, &[("le", bound.as_str())]].concat();
            self.sample(&bucket, &labels, so_far as f64);
            if self.format == Format::OpenMetrics
                && let Some(Some(exemplar)) = histogram.exemplars.get(place)
            {
                let (value, at) = (number(exemplar.seconds), unix(exemplar.at));
                let _ = write!(self.out, " # {{trace_id=\"{:032x}\"}} {value} {at}", exemplar.trace_id);
            }
            self.out.push('\n');
        }
        for (suffix, value) in [("sum", histogram.sum_seconds), ("count", so_far as f64)] {
            self.sample(&format!("{name}_{suffix}"), labels, value);
            self.out.push('\n');
        }
    }

    fn family(&mut self, name: &str, help: &str, kind: &str) {
        let _ = write!(self.out, "# HELP {name} ");
        escape(&mut self.out, help, self.format == Format::OpenMetrics);
        let _ = write!(self.out, "\n# TYPE {name} {kind}\n");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.out.push_str(name);
        for (place, (label, value)) in labels.iter().enumerate() {
            let before = if place == 0 { '{' } else { ',' };
            let _ = write!(self.out, "{before}{label}=\"");
            escape(&mut self.out, value, true);
            self.out.push('"');
        }
        if !labels.is_empty() {
            self.out.push('}');
        }
        let _ = write!(self.out, " {}", number(value));
    }
}

/// `0.5`, `3.0`, `NaN`, `+Inf`.
fn number(value: f64) -> String {
    match value {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        value => format!("{value:?}"),
    }
}

/// Seconds since the Unix epoch, to the millisecond.
fn unix(at: SystemTime) -> String {
    format!("{:.3}", seconds(at))
}

fn escape(out: &mut String, text: &str, quotes: bool) {
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_formats_differ_in_the_name_of_a_counters_family_and_in_their_end() {
        let write = |format| {
            let mut text = Text::new(format);
            text.counters("orders", "Said \"so\"\nor so", [(vec![("who", "a\"b\\c\nd")], 3.0)]);
            text.gauges("left", "What is left", [(Vec::new(), f64::INFINITY)]);
            text.finish()
        };
        assert_eq!(
            write(Format::Prometheus),
            "# HELP orders_total Said \"so\"\\nor so\n# TYPE orders_total counter\n\
             orders_total{who=\"a\\\"b\\\\c\\nd\"} 3.0\n\
             # HELP left What is left\n# TYPE left gauge\nleft +Inf\n"
        );
        assert_eq!(
            write(Format::OpenMetrics),
            "# HELP orders Said \\\"so\\\"\\nor so\n# TYPE orders counter\n\
             orders_total{who=\"a\\\"b\\\\c\\nd\"} 3.0\n\
             # HELP left What is left\n# TYPE left gauge\nleft +Inf\n# EOF\n"
        );
    }
}
