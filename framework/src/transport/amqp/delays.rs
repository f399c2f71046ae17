//! Messages that the broker keeps for a while, as long as it takes in powers of two of a millisecond.
//!
//! Level `k` is an exchange and a queue in which messages live for 2^k ms. A message has a header for each level: `true` leads through the
//! level's queue, `false` past it, and either way to the next lower level; at the bottom it goes on to where it was published to.
//! So any delay takes the same few queues, in each of which all messages live equally long: one that lives longer holds up none.
//! The queues are quorum queues that give a message away only when the next one has it on disk.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::item::Item;
use crate::{
    Result,
    protocol::{Headers, Message, Name, Value, delivery_headers::DELAY_PREFIX as PREFIX},
    transport::{Binding, Exchange, ExchangeKind, Queue, check_delay},
};

/// At the bottom: leads on to where a message was published to.
const LAST_EXCHANGE: Name = Name::from_static("kinoko.delay");

/// Gives to the default exchange, to which no exchange can lead.
const DEFAULT_QUEUE: Name = Name::from_static("kinoko.delay.default");

/// Takes and drops a copy of everything, so that a message whose way has gone leads somewhere. A queue gives away only what is taken,
/// and 32 messages that nobody takes would stop it for all.
const NOWHERE_QUEUE: Name = Name::from_static("kinoko.delay.nowhere");

/// Leads there, and is not durable: after a restart it is back only with a program, when the broker has restored all that is. While it
/// restores them the way to nowhere might be there before a message's own, which would be lost; without either the message stays and is tried
/// again. The default exchange needs no such thing: it is restored after all queues, so that no way of its own is missing.
const NOWHERE_EXCHANGE: Name = Name::from_static("kinoko.delay.nowhere");

/// What leads there: all messages but those for the default exchange.
const NOWHERE: &str = "kinoko.delay.nowhere";

/// Where the message was published to.
const TO: &str = "kinoko.delay.to";

/// The message's own expiration in ms, which would cut its delay short.
const EXPIRATION: &str = "kinoko.delay.expiration";

/// RabbitMQ's own header for further routing keys.
const FURTHER_KEYS: &str = "CC";

/// How many whole milliseconds a message waits; not zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Delay(u32);

impl Delay {
    /// By as many levels as there are.
    const LONGEST: u32 = u32::MAX >> 1;

    /// `None`: at once. Parts of a millisecond are rounded up.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for one that is too long.
    pub(super) fn new(delay: Duration) -> Result<Option<Self>> {
        check_delay(delay)?;
        let ms = u32::try_from(delay.as_nanos().div_ceil(1_000_000)).expect("it was checked");
        Ok((ms > 0).then_some(Self(ms)))
    }

    /// How many levels there must be.
    fn levels(self) -> u32 {
        u32::BITS - self.0.leading_zeros()
    }

    /// The shortest one that is no shorter and passes by these levels, a bit each; itself, where there is none.
    fn passing_by(self, levels: u32) -> Self {
        let mut ms = self.0;
        while ms & levels != 0 {
            let highest = (ms & levels).ilog2();
            match ((ms >> highest) + 1).checked_shl(highest).filter(|ms| *ms <= Self::LONGEST) {
                Some(later) => ms = later,
                None => return self,
            }
        }
        Self(ms)
    }

    fn takes(self, level: u32) -> bool {
        self.0 >> level & 1 == 1
    }
}

/// What of the levels was declared.
#[derive(Default)]
pub(super) struct Delays(Mutex<Declared>);

#[derive(Clone, Default)]
struct Declared {
    levels: u32,
    /// Where messages go at the end, beside the default exchange.
    exchanges: Vec<Name>,
    /// Levels whose queues confirm nothing on this connection, a bit each.
    silent: u32,
}

impl Delays {
    /// Whether an exchange is one of the levels, and they were declared here.
    pub(super) fn owns(&self, exchange: &str) -> bool {
        self.declared().levels > 0 && exchange.starts_with(&*LAST_EXCHANGE)
    }

    /// All that was declared here.
    pub(super) fn items(&self) -> Vec<Item> {
        self.declared().items()
    }

    /// What has to be declared before a message can be published after this delay; nothing, where it was.
    pub(super) fn missing(&self, delay: Delay, exchange: &Name) -> Option<Vec<Item>> {
        let declared = self.declared();
        let wanted = declared.clone().with(delay, exchange);
        (wanted.levels > declared.levels || wanted.exchanges.len() > declared.exchanges.len()).then(|| wanted.items())
    }

    /// The delay to take instead of one whose queues may confirm nothing: not shorter.
    pub(super) fn heard(&self, delay: Delay) -> Delay {
        delay.passing_by(self.declared().silent)
    }

    /// The queue of this level's exchange has confirmed nothing.
    pub(super) fn add_silent(&self, exchange: &str) {
        let level = exchange.strip_prefix(PREFIX).and_then(|level| level.parse().ok());
        if let Some(bit) = level.and_then(|level| 1u32.checked_shl(level)) {
            self.declared().silent |= bit;
        }
    }

    /// On another connection all levels count again.
    pub(super) fn forget_silent(&self) {
        self.declared().silent = 0;
    }

    /// It was declared.
    pub(super) fn add(&self, delay: Delay, exchange: &Name) {
        let mut declared = self.declared();
        *declared = declared.clone().with(delay, exchange);
    }

    fn declared(&self) -> MutexGuard<'_, Declared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Declared {
    fn with(mut self, delay: Delay, exchange: &Name) -> Self {
        self.levels = self.levels.max(delay.levels());
        if !exchange.is_empty() && !self.exchanges.contains(exchange) {
            self.exchanges.push(exchange.clone());
        }
        self
    }

    fn items(&self) -> Vec<Item> {
        if self.levels == 0 {
            return Vec::new();
        }
        let mut items = vec![
            exchange(LAST_EXCHANGE),
            Item::Exchange(Exchange { durable: false, ..Exchange::durable(NOWHERE_EXCHANGE, ExchangeKind::Fanout) }),
            Item::Queue(lives_for(NOWHERE_QUEUE, 0)),
            binding(NOWHERE_EXCHANGE, NOWHERE_QUEUE, Headers::default()),
            Item::Queue(giving_to(lives_for(DEFAULT_QUEUE, 0), &Name::default())),
            binding(LAST_EXCHANGE, DEFAULT_QUEUE, header(TO, "")),
        ];
        for level in 0..self.levels {
            let (own, lower) = (level_name(level), level.checked_sub(1).map_or(LAST_EXCHANGE, level_name));
            items.extend([
                exchange(own.clone()),
                Item::Queue(giving_to(lives_for(own.clone(), 1 << level), &lower)),
                binding(own.clone(), own.clone(), header(&own, true)),
                Item::Forward { from: own.clone(), to: lower, arguments: header(&own, false) },
            ]);
        }
        let forward = |to: &Name| Item::Forward { from: LAST_EXCHANGE, to: to.clone(), arguments: header(TO, &**to) };
        items.extend(self.exchanges.iter().map(forward));
        // Last, so that it never stands before the others do.
        items.push(Item::Forward { from: LAST_EXCHANGE, to: NOWHERE_EXCHANGE, arguments: header(NOWHERE, true) });
        items
    }
}

/// Whether an exchange has this form of name.
pub(super) fn is_level(exchange: &str) -> bool {
    exchange.starts_with(PREFIX)
}

/// Name of a level's exchange, of its queue and of its header.
fn level_name(level: u32) -> Name {
    format!("{PREFIX}{level}").into()
}

fn exchange(name: Name) -> Item {
    Item::Exchange(Exchange::durable(name, ExchangeKind::Headers))
}

fn binding(exchange: Name, queue: Name, arguments: Headers) -> Item {
    Item::Binding(Binding { arguments, ..Binding::new(exchange, queue, "") })
}

fn header(key: &str, value: impl Into<Value>) -> Headers {
    Headers::from_iter([(key.to_owned(), value)])
}

fn lives_for(name: Name, ms: u32) -> Queue {
    Queue::durable(name).quorum().argument("x-message-ttl", ms)
}

/// With its own routing key, at least once: the broker may do it twice, and drops nothing for want of room.
fn giving_to(queue: Queue, exchange: &Name) -> Queue {
    queue
        .argument("x-dead-letter-exchange", &**exchange)
        .argument("x-dead-letter-strategy", "at-least-once")
        .argument("x-overflow", "reject-publish")
}

/// The message as it is published to wait, whichever delays it had before.
pub(super) fn delayed(mut message: Message, delay: Delay) -> Message {
    strip(&mut message.properties.headers);
    let headers = &mut message.properties.headers;
    // Where the broker finds that a message was in a queue before, it takes that for a circle, and drops the message.
    headers.retain(|key| !["x-death", "x-first-death-", "x-last-death-"].iter().any(|death| key.starts_with(death)));
    for level in 0..delay.levels() {
        headers.set(level_name(level), delay.takes(level));
    }
    headers.set(TO, &*message.exchange);
    if let Some(after) = message.properties.expiration.take() {
        headers.set(EXPIRATION, u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
    }
    if message.exchange.is_empty() {
        let mut keys = further_keys(headers);
        keys.push(Value::from(&*NOWHERE_QUEUE));
        headers.set(FURTHER_KEYS, keys);
    } else {
        headers.set(NOWHERE, true);
    }
    message.exchange = level_name(delay.levels() - 1);
    message
}

/// Makes a message that has waited what it was before.
pub(super) fn arrived(message: &mut Message) {
    let headers = &message.properties.headers;
    let Some(to) = headers.get(TO).and_then(Value::as_str) else { return };
    message.exchange = to.to_owned().into();
    message.properties.expiration = headers.get(EXPIRATION).and_then(Value::as_u64).map(Duration::from_millis);
    strip(&mut message.properties.headers);
}

/// Removes what was written for the levels, and by the broker on the way through them.
fn strip(headers: &mut Headers) {
    let own =
        |queue: Option<&Value>| queue.and_then(Value::as_str).is_some_and(|queue| queue.starts_with(&*LAST_EXCHANGE));
    let deaths = headers.get("x-death").and_then(Value::as_array);
    let others: Option<Vec<Value>> =
        deaths.map(|deaths| deaths.iter().filter(|death| !own(death.get("queue"))).cloned().collect());
    let ours: Vec<_> = [PREFIX, "x-first-death-", "x-last-death-"]
        .into_iter()
        .filter(|prefix| *prefix == PREFIX || own(headers.get(&format!("{prefix}queue"))))
        .collect();
    let keys = further_keys(headers);
    headers.retain(|key| !ours.iter().any(|prefix| key.starts_with(prefix)));
    replace(headers, "x-death", others.unwrap_or_default());
    replace(headers, FURTHER_KEYS, keys);
}

/// Without ours.
fn further_keys(headers: &Headers) -> Vec<Value> {
    let keys = headers.get(FURTHER_KEYS).and_then(Value::as_array).cloned().unwrap_or_default();
    keys.into_iter().filter(|key| key.as_str() != Some(&*NOWHERE_QUEUE)).collect()
}

fn replace(headers: &mut Headers, key: &'static str, values: Vec<Value>) {
    if values.is_empty() {
        headers.retain(|other| other != key);
    } else {
        headers.set(key, values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_level_is_passed_by_with_a_delay_that_is_no_shorter() {
        for (ms, silent, expected) in [
            (2_500, 0, 2_500),
            (2_500, 1 << 11, 4_096),
            (2_500, 1 << 8, 2_560),
            (2_500, 1 << 11 | 1 << 12, 8_192),
            (5, 0b100, 8),
            (5, 0b1, 6),
            (5, u32::MAX, 5),
            (Delay::LONGEST, 1 << 30, Delay::LONGEST),
        ] {
            let passed = Delay(ms).passing_by(silent);
            assert_eq!(passed, Delay(expected), "{ms} past {silent:b}");
            assert!(passed.0 & silent == 0 || passed.0 == ms);
        }
    }

    #[test]
    fn what_is_silent_is_so_on_one_connection() {
        let delays = Delays::default();
        delays.add_silent("kinoko.delay.11");
        delays.add_silent("events");
        assert_eq!(delays.heard(Delay(2_500)), Delay(4_096));
        delays.forget_silent();
        assert_eq!(delays.heard(Delay(2_500)), Delay(2_500));
    }
}
