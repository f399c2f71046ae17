//! What `/metrics` answers with.

use std::time::SystemTime;

use super::{
    collector::OwnMetrics,
    registry::Metrics,
    text::{Format, Text},
};
use crate::container::Program;

/// Everything that is measured in a program.
pub(crate) struct Exposition(OwnMetrics);

const OPEN_METRICS: &str = "application/openmetrics-text";

impl Exposition {
    /// Of a program of this name and version.
    pub(crate) fn new(program: &Program, name: &str, version: Option<String>) -> Self {
        let (program, name) = (program.clone(), name.to_owned());
        Self(OwnMetrics { program, name, version, started: SystemTime::now() })
    }

    /// The content type, and the text: OpenMetrics, with exemplars, for those who ask for it (Prometheus does), else Prometheus' own.
    pub(crate) fn answer(&self, accept: &str) -> (&'static str, String) {
        let (format, content_type) = match accept.contains(OPEN_METRICS) {
            true => (Format::OpenMetrics, "application/openmetrics-text; version=1.0.0; charset=utf-8"),
            false => (Format::Prometheus, "text/plain; version=0.0.4; charset=utf-8"),
        };
        let mut text = Text::new(format);
        self.0.write(&mut text);
        if let Some(own) = self.0.program.shared::<Metrics>() {
            own.write(&mut text);
        }
        (content_type, text.finish())
    }
}
