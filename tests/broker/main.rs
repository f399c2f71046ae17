//! What only RabbitMQ can show: refusals, outages, faults of one queue or channel, alarms.

mod alarms;
mod certificates;
mod delays;
mod deletions;
mod faults;
mod outages;
mod publishing;
mod refusals;
mod requesters;
mod secrets;
mod silence;
mod support;
mod tls;
mod urls;
