//! What is seen of a program: metrics, logs, traces.

mod canary;
mod features;
mod grpc;
mod metrics;
mod own_metrics;
mod prometheus;
mod scrape;
mod traces;
