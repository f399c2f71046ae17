//! Dead letters: what cannot be handled is kept in a queue of its own, with what is known of the failure.

use std::time::Duration;

use super::{
    Lane,
    received::Received,
    replace::{Replaced, Successor},
    topology::dead_letter_queue,
};
use crate::protocol::{Fault, Headers, Message, context_data, delivery_headers as headers, excerpt};

impl Lane {
    /// Keeps a delivery as a dead letter.
    pub(super) async fn keep(&self, received: Received, reason: &'static str, fault: &Fault, attempts: u32) {
        let (service, method, queue) = (self.shared.service_name, self.handler.method, self.queue.clone());
        let (attempt, error) = (received.attempt, excerpt(fault));
        let message = self.dead_letter(&received, reason, fault, attempts);
        // The letter's: it may have been given one only now.
        let message_id = message.properties.message_id.clone().unwrap_or_default();
        let mut replaced = self.replace(received, self.to_dead_letters(message.clone())).await;
        if let Replaced::Unfit(received, unfit) = replaced {
            tracing::error!(
                service,
                method,
                queue = &*queue,
                error = unfit.chain(),
                "the headers of a dead letter are too large, it is kept without those that are not kinoko's"
            );
            replaced = self.replace(*received, self.to_dead_letters(without_foreign_headers(message))).await;
        }
        match replaced {
            Replaced::Done => {
                self.handler.seen.dead_lettered();
                tracing::error!(
                    service,
                    method,
                    queue = &*queue,
                    message_id = &*message_id,
                    attempt,
                    reason,
                    error,
                    dead_letters = &*self.dead_letters,
                    "a message is kept as a dead letter"
                );
            }
            Replaced::Back => {}
            Replaced::Unfit(received, unfit) => {
                tracing::error!(
                    service,
                    method,
                    queue = &*queue,
                    error = unfit.chain(),
                    "a dead letter cannot be published, it stays with this consumer"
                );
                // Not acknowledged, and not handed back: it would come again at once.
                received.connection.cancelled().await;
            }
        }
    }

    fn to_dead_letters(&self, message: Message) -> Successor {
        let declare = Some(dead_letter_queue(self.dead_letters.clone()));
        Successor { message, delay: Duration::ZERO, declare }
    }

    fn dead_letter(&self, received: &Received, reason: &'static str, fault: &Fault, attempts: u32) -> Message {
        let mut letter = received.successor(self.dead_letters.clone());
        let headers = &mut letter.properties.headers;
        // A replay begins to count anew.
        headers.retain(|name| !headers::OF_ONE_ATTEMPT.contains(&name) && !name.starts_with(headers::DEAD));
        headers.set(headers::DEAD_REASON, reason);
        headers.set(headers::DEAD_ERROR, excerpt(&fault.value));
        headers.set(headers::DEAD_ERROR_TYPE, excerpt(&fault.exc_type));
        if let Some(code) = &fault.code {
            headers.set(headers::DEAD_CODE, excerpt(code));
        }
        headers.set(headers::DEAD_ATTEMPTS, attempts);
        headers.set(headers::DEAD_FIRST_AT, received.first_failure());
        headers.set(headers::DEAD_AT, context_data::unix_ms());
        headers.set(headers::DEAD_QUEUE, self.queue.as_str());
        headers.set(headers::DEAD_SERVICE, self.shared.service_name);
        headers.set(headers::DEAD_METHOD, self.handler.method);
        headers.set(headers::DEAD_EXCHANGE, received.message.exchange.as_str());
        headers.set(headers::DEAD_ROUTING_KEY, received.message.routing_key.as_str());
        letter
    }
}

fn without_foreign_headers(mut letter: Message) -> Message {
    let own = letter.properties.headers.iter().filter(|(name, _)| name.starts_with(KINOKO));
    letter.properties.headers = Headers::from_iter(own.map(|(name, value)| (name.clone(), value.clone())));
    letter
}

const KINOKO: &str = "kinoko.";
