use super::{Shared, Way};
use crate::{
    codec::Format,
    protocol::{Fault, Message, Name, Properties, encode_reply, excerpt, names},
    transport::{Delivery, Publishing},
};

/// Where one call's reply goes.
pub(super) struct Answer<'a> {
    pub(super) way: Way,
    pub(super) rpc_exchange: &'a Name,
    pub(super) request: &'a Message,
    pub(super) max_body_bytes: usize,
}

impl Shared {
    pub(super) fn answer<'a>(&'a self, request: &'a Message, way: Way) -> Answer<'a> {
        Answer { way, request, rpc_exchange: &self.settings.rpc_exchange, max_body_bytes: self.settings.max_body_bytes }
    }
}

impl Answer<'_> {
    pub(super) fn fault(self, delivery: Delivery, format: &Format, fault: &Fault) -> Publishing {
        let limit = self.max_body_bytes;
        let encoded = encode_reply::<()>(format, Err(fault)).and_then(|body| {
            if body.len() <= limit {
                return Ok(body);
            }
            let what = format!("its error `{}`", excerpt(&fault.exc_type));
            encode_reply::<()>(format, Err(&Fault::reply_too_large(&what, body.len(), limit)))
        });
        match encoded {
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
