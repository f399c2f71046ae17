//! Fixtures that the conformance suite and the broker tests share; and the guide, whose examples run as this crate's doctests.

mod certificates;
mod collector;
#[cfg(doctest)]
mod guide;
mod kills;
mod log;
mod private_broker;
mod private_consul;
pub mod protos;
mod proxy;
mod python;
mod raw;
mod raw_socket;
mod sinks;
mod tls_server;
mod wait;

pub use self::collector::{Collected, Collector};
pub use self::{
    certificates::{Authority, Folder, Issued, write_pem},
    kills::{Kills, Order, Point},
    log::captured_log,
    private_broker::{PrivateBroker, free_ports},
    private_consul::PrivateConsul,
    proxy::{Direction, Proxy},
    python::{Python, PythonLoad, PythonService},
    raw::Raw,
    raw_socket::{Frame, RawSocket},
    sinks::{Deliveries, Replies, Returned},
    tls_server::TlsServer,
    wait::{eventually, soon},
};

use kinoko::protocol::{Message, Name, Properties};

/// A name that no other test, run or machine uses.
pub fn unique(prefix: &str) -> String {
    format!("{prefix}-{}", uuid::Uuid::new_v4().simple())
}

/// The address of the broker that tests may use but not break.
///
/// # Panics
///
/// Without `KINOKO_TEST_AMQP_URI`: tests that call this are ignored then.
pub fn amqp_uri() -> String {
    std::env::var("KINOKO_TEST_AMQP_URI").expect("KINOKO_TEST_AMQP_URI names a broker")
}

/// The PostgreSQL on which tests may create databases.
///
/// # Panics
///
/// Without `KINOKO_TEST_POSTGRES_URL`: tests that call this are ignored then.
pub fn postgres_url() -> String {
    std::env::var("KINOKO_TEST_POSTGRES_URL").expect("KINOKO_TEST_POSTGRES_URL names a PostgreSQL")
}

/// A message with a correlation id and a body, and nothing else.
pub fn message(exchange: &str, routing_key: &str, id: &str) -> Message {
    Message {
        exchange: Name::from(exchange.to_owned()),
        routing_key: Name::from(routing_key.to_owned()),
        properties: Properties { correlation_id: Some(id.to_owned().into()), ..Properties::default() },
        body: id.to_owned().into_bytes().into(),
    }
}

/// The text of a message's body.
pub fn body(message: &Message) -> String {
    String::from_utf8_lossy(&message.body).into_owned()
}
