//! Programs that register at a real Consul, and find each other by it.

mod agent;
mod killed;
mod servers;
mod stage;
