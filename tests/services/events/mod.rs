//! Events, messages and dead letters over a real RabbitMQ.

mod dead_letters;
mod dispatching;
