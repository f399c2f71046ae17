use proc_macro2::Span;
use syn::{Attribute, Ident, LitStr, Type, spanned::Spanned};

use super::{
    Entry, HandlingArgs, IdempotentStore, entries, handling, inside,
    names::{event_name, event_pattern, wire_name},
    positional::{Positional, positional},
    unknown_key,
};
use crate::diag::Diag;

/// `#[event_handler(…)]`
pub(crate) struct EventHandlerArgs {
    pub(crate) event: EventArg,
    pub(crate) kind: Kind,
    /// Nameko's default follows from the kind.
    pub(crate) reliable: bool,
    /// What stands for the method's name in the queue's.
    pub(crate) name: Option<String>,
    pub(crate) handling: HandlingArgs,
}

/// What is handled.
pub(crate) enum EventArg {
    Type(Box<Type>),
    Named {
        source: LitStr,
        name: LitStr,
    },
    /// After an error.
    None,
}

impl EventArg {
    /// Where it is written.
    pub(crate) fn span(&self) -> Span {
        match self {
            Self::Type(ty) => ty.span(),
            Self::Named { name, .. } => name.span(),
            Self::None => Span::call_site(),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    ServicePool,
    Singleton,
    Broadcast,
}

const KINDS: [&str; 3] = ["service_pool", "singleton", "broadcast"];

const EXAMPLE: &str = "#[event_handler(SomeEvent)]`, or `#[event_handler(\"source\", \"name\")]";

impl EventHandlerArgs {
    pub(crate) fn parse(attr: &Attribute, diag: &mut Diag) -> Self {
        const OWN: [&str; 5] = ["source", "event", "kind", "reliable_delivery", "name"];
        let keys: Vec<&str> = OWN.into_iter().chain(handling::KEYS).collect();
        let (values, rest) = positional(inside(attr, "SomeEvent", diag));
        let (mut source, mut event, mut kind, mut reliable) = (None, None, None, None);
        let clean = diag.count();
        let mut args = Self {
            event: EventArg::None,
            kind: Kind::ServicePool,
            reliable: true,
            name: None,
            handling: HandlingArgs::default(),
        };
        for entry in entries(rest, "source = \"…\"", diag) {
            match entry.key.to_string().as_str() {
                "source" => source = entry.text("orders", diag).map(|text| (entry.key, text)),
                "event" => event = entry.text("order_placed", diag).map(|text| (entry.key, text)),
                "kind" => kind = entry.word(&KINDS, diag).map(|place| (entry.key, place)),
                "reliable_delivery" => reliable = entry.boolean(diag).map(|value| (entry, value)),
                "name" => {
                    args.name = entry.text("on_order_placed", diag).and_then(|text| wire_name(&text, "a method", diag))
                }
                _ if args.handling.take(&entry, diag) => {}
                kind if KINDS.contains(&kind) => {
                    diag.on(&entry, format!("a kind has its key: write `kind = \"{kind}\"`"))
                }
                _ => unknown_key(&entry, "event_handler", &keys, diag),
            }
        }
        if values.is_empty() && source.is_none() && event.is_none() && diag.count() == clean {
            diag.at(attr.path().span(), format!("which event? write `{EXAMPLE}`"));
        }
        args.event = event_of(values, source, event, diag);
        args.kind = [Kind::ServicePool, Kind::Singleton, Kind::Broadcast][kind.as_ref().map_or(0, |(_, place)| *place)];
        args.reliability(reliable, diag);
        args.handling.check(diag);
        if args.kind == Kind::Broadcast
            && let Some(idempotent) = &args.handling.idempotent
            && idempotent.store != IdempotentStore::Process
        {
            let text = "every instance gets a broadcast, and one that finds in their database that another has handled it would not: write \
                        `idempotent(store = \"process\")`";
            diag.on(&idempotent.key, text);
        }
        if args.kind == Kind::Broadcast
            && let Some(ordered) = args.handling.key("ordered_by")
        {
            let text = "every instance gets a broadcast, so there is no one to keep its order: write `kind = \"service_pool\"`, \
                        or leave `ordered_by` out";
            diag.on(ordered, text);
        }
        args
    }

    fn reliability(&mut self, written: Option<(Entry, bool)>, diag: &mut Diag) {
        self.reliable = self.kind != Kind::Broadcast;
        let Some((entry, reliable)) = written else { return };
        if self.kind == Kind::Broadcast && reliable {
            let text = "a broadcast queue is its instance's own and goes with it, so nothing waits for the next one: leave \
                        `reliable_delivery` out, or write `kind = \"service_pool\"`";
            diag.on(entry.key, text);
        } else {
            self.reliable = reliable;
        }
    }

    /// The name that is part of its queue's.
    pub(crate) fn method_name(&self, method: &Ident) -> String {
        self.name.clone().unwrap_or_else(|| syn::ext::IdentExt::unraw(method).to_string())
    }
}

type Keyed = Option<(Ident, LitStr)>;

fn event_of(values: Vec<Positional>, source: Keyed, event: Keyed, diag: &mut Diag) -> EventArg {
    let mut values = values.into_iter();
    let named = match (values.next(), values.next()) {
        (None, _) => match (source, event) {
            (Some((_, source)), Some((_, name))) => return named(source, name, diag),
            (Some((key, _)), None) => {
                diag.on(key, "an event has a source and a name: write `event = \"…\"` too");
                return EventArg::None;
            }
            (None, Some((key, _))) => {
                diag.on(key, "an event has a source and a name: write `source = \"…\"` too");
                return EventArg::None;
            }
            (None, None) => return EventArg::None,
        },
        (Some(Positional::Text(source)), Some(Positional::Text(name))) => named(source, name, diag),
        (Some(Positional::Text(source)), _) => {
            diag.on(source, format!("an event has a source and a name: write `{EXAMPLE}`"));
            EventArg::None
        }
        (Some(Positional::Type(event)), None) => EventArg::Type(event),
        (Some(Positional::Type(_)), Some(Positional::Text(text))) => {
            diag.on(text, "the type says which event it is: write the type, or two strings, and not both");
            EventArg::None
        }
        (Some(Positional::Type(_)), Some(Positional::Type(second))) => {
            let text = "one event for each attribute: write `#[event_handler(…)]` twice, or an enum with `#[derive(EventSet)]`";
            diag.on(second, text);
            EventArg::None
        }
    };
    for (key, _) in source.into_iter().chain(event) {
        diag.on(&key, format!("the event is named before: leave `{key}` out"));
    }
    named
}

fn named(source: LitStr, name: LitStr, diag: &mut Diag) -> EventArg {
    let right = event_name(&source, "the source of an event", diag) & event_pattern(&name, diag);
    if right { EventArg::Named { source, name } } else { EventArg::None }
}
