use super::Way;
use crate::{
    codec::Format,
    protocol::{Fault, Message, Name, Properties, encode_reply, names},
    transport::{Delivery, Publishing},
};

/// Where one call's reply goes.
pub(super) struct Answer<'a> {
    pub(super) way: Way,
    pub(super) rpc_exchange: &'a Name,
    pub(super) request: &'a Message,
}

impl Answer<'_> {
    pub(super) fn fault(self, delivery: Delivery, format: &Format, fault: &Fault) -> Publishing {
        match encode_reply::<()>(format, Err(fault)) {
            Ok(body) => self.send(delivery, format, body),
            Err(error) => {
                tracing::error!(%error, %fault, "a fault could not be encoded");
                delivery.ack();
                Publishing::done(Ok(()))
            }
        }
    }

    pub(super) fn send(self, delivery: Delivery, format: &Format, body: bytes::Bytes) -> Publishing {
        // Nobody to tell: the work was done all the same.
        let request = &self.request.properties;
        let Some(reply_to) = request.reply_to.clone() else {
            delivery.ack();
            return Publishing::done(Ok(()));
        };
        delivery.reply(Message {
            exchange: match self.way {
                Way::Short => names::DEFAULT_EXCHANGE,
                Way::Nameko => self.rpc_exchange.clone(),
            },
            routing_key: reply_to,
            properties: Properties {
                content_type: Some(format.content_type()),
                content_encoding: Some(format.content_encoding()),
                correlation_id: request.correlation_id.clone(),
                ..Properties::default()
            },
            body,
        })
    }
}

pub(super) async fn written(reply: Publishing) {
    if let Err(error) = reply.await {
        tracing::warn!(error = error.chain(), "a reply could not be sent; its request goes to somebody else");
    }
}
