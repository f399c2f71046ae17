//! What is seen of a program: metrics, logs, traces.

mod metrics;
mod own_metrics;
mod prometheus;
mod scrape;
