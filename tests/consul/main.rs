//! Programs that register at a real Consul, and find each other by it.

mod agent;
mod blocking;
mod killed;
mod servers;
mod stage;
