//! Events, messages and timers over a real RabbitMQ.

mod timers;
