//! RabbitMQ.
use super::{Transport, TransportOptions};
use crate::Result;
use std::sync::Arc;

pub(crate) struct AmqpTransport;
impl AmqpTransport {
    pub(crate) async fn connect(_url: &str, _options: TransportOptions) -> Result<Arc<dyn Transport>> {
        unimplemented!()
    }
}
