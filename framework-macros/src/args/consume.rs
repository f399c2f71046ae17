use syn::{Attribute, LitStr, spanned::Spanned};

use super::{
    HandlingArgs, entries, handling, inside,
    names::queue_name,
    positional::{Positional, positional},
    unknown_key,
};
use crate::diag::Diag;

/// `#[consume(…)]`
pub(crate) struct ConsumeArgs {
    pub(crate) queue: Option<LitStr>,
    pub(crate) bind: Option<BindArgs>,
    pub(crate) declare: bool,
    pub(crate) handling: HandlingArgs,
}

/// `exchange = "…"`, and what goes with it.
pub(crate) struct BindArgs {
    pub(crate) exchange: String,
    pub(crate) kind: ExchangeKind,
    pub(crate) routing_key: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExchangeKind {
    Direct,
    Topic,
    Fanout,
    Headers,
}

impl ConsumeArgs {
    pub(crate) fn parse(attr: &Attribute, diag: &mut Diag) -> Self {
        const OWN: [&str; 4] = ["exchange", "kind", "routing_key", "declare"];
        let keys: Vec<&str> = OWN.into_iter().chain(handling::KEYS).collect();
        let (values, rest) = positional(inside(attr, "\"queue\"", diag));
        let mut args = Self { queue: None, bind: None, declare: true, handling: HandlingArgs::default() };
        let clean = diag.count();
        let (mut exchange, mut kind, mut routing_key) = (None, None, None);
        for entry in entries(rest, "exchange = \"…\"", diag) {
            match entry.key.to_string().as_str() {
                "exchange" => exchange = entry.text("invoices", diag).filter(|text| named(text, diag)),
                "kind" => {
                    kind = entry.word(&["direct", "topic", "fanout", "headers"], diag).map(|place| (entry.key, place))
                }
                "routing_key" => routing_key = entry.text("invoice.*", diag).map(|text| (entry.key, text)),
                "declare" => args.declare = entry.boolean(diag).unwrap_or(true),
                _ if args.handling.take(&entry, diag) => {}
                _ => unknown_key(&entry, "consume", &keys, diag),
            }
        }
        if values.is_empty() && diag.count() == clean {
            diag.at(attr.path().span(), "which queue? write `#[consume(\"queue\")]`");
        }
        args.queue = queue_of(values, diag);
        if exchange.is_none() {
            for key in kind.as_ref().map(|(key, _)| key).into_iter().chain(routing_key.as_ref().map(|(key, _)| key)) {
                diag.on(
                    key,
                    format!("`{key}` is of the exchange that the queue is bound to: write `exchange = \"…\"` too"),
                );
            }
        }
        args.bind = exchange.map(|exchange| BindArgs {
            exchange: exchange.value(),
            kind: [ExchangeKind::Direct, ExchangeKind::Topic, ExchangeKind::Fanout, ExchangeKind::Headers]
                [kind.map_or(0, |(_, place)| place)],
            routing_key: routing_key.map_or_else(String::new, |(_, text)| text.value()),
        });
        args.handling.check(diag);
        args
    }
}

fn queue_of(values: Vec<Positional>, diag: &mut Diag) -> Option<LitStr> {
    let mut values = values.into_iter();
    let queue = match values.next() {
        Some(Positional::Text(queue)) => queue_name(&queue, diag).then_some(queue),
        Some(Positional::Type(ty)) => {
            diag.on(ty, "a queue is named by a text: write `#[consume(\"queue\")]`");
            None
        }
        None => None,
    };
    match values.next() {
        None => queue,
        Some(Positional::Text(second)) => {
            diag.on(second, "one queue for each attribute: write `#[consume(…)]` twice");
            None
        }
        Some(Positional::Type(ty)) => {
            diag.on(ty, "what follows the queue has a key: `exchange = \"…\"`");
            None
        }
    }
}

/// Every queue is bound to the default exchange, by its name and by nothing else.
fn named(exchange: &LitStr, diag: &mut Diag) -> bool {
    let named = !exchange.value().is_empty();
    if !named {
        diag.on(exchange, "every queue is bound to the default exchange, by its own name: leave `exchange` out");
    }
    named
}
