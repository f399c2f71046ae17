//! The raw twin: the same semantics as kinoko's RPC, written by hand on lapin, as well as one can.
//!
//! Two connections a side, so that a memory alarm stops no consumer; requests mandatory, without confirms, their returns drained;
//! expiration and send time on requests, and a worker that stops at the deadline; a task for each request; a reply is written,
//! and handled by the broker, before its request is acknowledged.

mod client;
mod server;

use std::{
    str::FromStr,
    time::{SystemTime, UNIX_EPOCH},
};

use lapin::{
    Channel, Connection, ConnectionProperties, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
    uri::AMQPUri,
};

pub(crate) use self::{client::Client, server::Server};
use crate::Failed;

pub(crate) const SERVICE: &str = "bench_twin";
pub(crate) const RPC_QUEUE: &str = "rpc-bench_twin";
pub(crate) const SHORT_QUEUE: &str = "kinoko.rpc-bench_twin";
const METHOD: &str = "echo";
const RPC_EXCHANGE: &str = "nameko-rpc";
/// How long the short path's queue outlives its consumers.
const SHORT_QUEUE_EXPIRES_MS: i32 = 300_000;

/// The two connections of one side.
struct Connections {
    publishing: Connection,
    consuming: Connection,
}

impl Connections {
    async fn open(broker: &str, name: &str) -> Result<Self, Failed> {
        let mut uri = AMQPUri::from_str(broker)?;
        uri.query.heartbeat = Some(5);
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let consuming = Connection::connect_uri(uri.clone(), properties.clone()).await?;
        uri.query.frame_max = Some(16384);
        let publishing = Connection::connect_uri(uri, properties).await?;
        Ok(Self { publishing, consuming })
    }
}

async fn declare_exchange(channel: &Channel) -> Result<(), Failed> {
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    Ok(channel.exchange_declare(RPC_EXCHANGE.into(), ExchangeKind::Topic, options, FieldTable::default()).await?)
}

async fn declare_queue(
    channel: &Channel,
    name: &str,
    options: QueueDeclareOptions,
    expires_ms: Option<i32>,
) -> Result<(), Failed> {
    let mut arguments = FieldTable::default();
    if let Some(ms) = expires_ms {
        arguments.insert("x-expires".into(), AMQPValue::LongInt(ms));
    }
    channel.queue_declare(name.into(), options, arguments).await?;
    Ok(())
}

async fn bind(channel: &Channel, queue: &str, key: &str) -> Result<(), Failed> {
    let options = QueueBindOptions::default();
    Ok(channel.queue_bind(queue.into(), RPC_EXCHANGE.into(), key.into(), options, FieldTable::default()).await?)
}

fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as u64)
}
