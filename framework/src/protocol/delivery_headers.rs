//! The headers that kinoko writes on messages which are tried again or kept as dead letters, and what they hold.
//!
//! Everything else on such a message is as it was published. `docs/reference/wire-protocol.md` tells the whole.

/// On a message that is tried again: the attempt that begins with it, counted from 1. Missing in the first.
pub const ATTEMPT: &str = "kinoko.attempt";

/// On a message that comes back to its queue by the default exchange: the exchange it was first published to.
pub const EXCHANGE: &str = "kinoko.exchange";

/// The same: the routing key it was first published with, which is an event's type.
pub const ROUTING_KEY: &str = "kinoko.routing_key";

/// On a message that is tried again: when its first attempt failed, in milliseconds since the Unix epoch.
pub const FIRST_FAILURE: &str = "kinoko.first_failure";

/// On a message that is tried again: why its last attempt failed, a text of bounded length.
pub const LAST_ERROR: &str = "kinoko.last_error";

/// On a message that came again without its worker having ended: how often, as far as the broker does not count. The first two times are
/// deliveries, the others are workers that began it.
pub const DELIVERIES: &str = "kinoko.deliveries";

/// On one that came again more than once: what the queue is named after that marks it as begun, a UUID. New with each count.
pub const BEGUN: &str = "kinoko.begun";

/// What counts within one attempt, and goes with its end.
pub(crate) const OF_ONE_ATTEMPT: [&str; 2] = [DELIVERIES, BEGUN];

/// How RabbitMQ counts the deliveries that came to no end, in quorum queues.
pub const BROKER_DELIVERIES: &str = "x-delivery-count";

/// What all headers begin with that lead a message through the queues that keep it for a while. Gone when it arrives.
pub const DELAY_PREFIX: &str = "kinoko.delay.";

/// What all headers of a dead letter begin with.
pub const DEAD: &str = "kinoko.dead.";

/// On a dead letter: why it is one, one of [`reason`].
pub const DEAD_REASON: &str = "kinoko.dead.reason";

/// On a dead letter: the last error, a text of bounded length.
pub const DEAD_ERROR: &str = "kinoko.dead.error";

/// On a dead letter: the name of the last error's class or variant.
pub const DEAD_ERROR_TYPE: &str = "kinoko.dead.error_type";

/// On a dead letter: the stable code of the last error, where it has one.
pub const DEAD_CODE: &str = "kinoko.dead.code";

/// On a dead letter: how many attempts were made.
pub const DEAD_ATTEMPTS: &str = "kinoko.dead.attempts";

/// On a dead letter: when its first attempt failed, in milliseconds since the Unix epoch.
pub const DEAD_FIRST_AT: &str = "kinoko.dead.first_at";

/// On a dead letter: when it became one, in milliseconds since the Unix epoch.
pub const DEAD_AT: &str = "kinoko.dead.at";

/// On a dead letter: the queue that it came from, and goes back to in a replay.
pub const DEAD_QUEUE: &str = "kinoko.dead.queue";

/// On a dead letter: the service that handled it.
pub const DEAD_SERVICE: &str = "kinoko.dead.service";

/// On a dead letter: the method that handled it.
pub const DEAD_METHOD: &str = "kinoko.dead.method";

/// On a dead letter: the exchange it was first published to.
pub const DEAD_EXCHANGE: &str = "kinoko.dead.exchange";

/// On a dead letter: the routing key it was first published with.
pub const DEAD_ROUTING_KEY: &str = "kinoko.dead.routing_key";

/// What [`DEAD_REASON`] may say.
pub mod reason {
    /// All attempts of the handler's policy failed.
    pub const ATTEMPTS: &str = "attempts";
    /// The handler's error said that no further attempt can help.
    pub const VERDICT: &str = "verdict";
    /// The body is no payload of the handler.
    pub const MALFORMED: &str = "malformed";
    /// The body is larger than `max_body_bytes`.
    pub const TOO_LARGE: &str = "too_large";
    /// It was begun again and again, and its process ended each time.
    pub const CRASHED: &str = "crashed";
}
