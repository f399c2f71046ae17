//! What programs say and ask on their exchange, by its routing keys.

use crate::protocol::{Name, names};

/// What a program is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Whether it is there.
    Ping,
    /// What it has.
    Info,
    /// How it does.
    Stats,
}

/// What came by the exchange.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Topic<'a> {
    /// Everybody, one service, or one instance of it is asked: what stands behind the kind.
    Ask(Kind, &'a str),
    Hello,
    Bye,
}

pub(super) const HELLO: &str = "hello";
pub(super) const BYE: &str = "bye";

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Info => "info",
            Self::Stats => "stats",
        }
    }

    /// The routing key by which all instances of a service are asked, or of all services.
    pub(super) fn key(self, service: Option<&str>) -> Name {
        match service {
            Some(service) => [self.name(), ".", service].concat().into(),
            None => self.name().into(),
        }
    }
}

impl<'a> Topic<'a> {
    pub(super) fn of(routing_key: &'a str) -> Option<Self> {
        let (word, of) = routing_key.split_once('.').unwrap_or((routing_key, ""));
        match word {
            HELLO => Some(Self::Hello),
            BYE => Some(Self::Bye),
            _ => [Kind::Ping, Kind::Info, Kind::Stats]
                .into_iter()
                .find(|kind| kind.name() == word)
                .map(|kind| Self::Ask(kind, of)),
        }
    }
}

/// The patterns by which an instance gets what is for everybody, for its services, and for itself. The first word is the kind.
pub(super) fn patterns<'a>(services: impl IntoIterator<Item = &'a str>, instance: &str) -> impl Iterator<Item = Name> {
    let of_services = services.into_iter().flat_map(move |service| {
        [format!("*.{service}"), format!("*.{service}.{instance}")].into_iter().map(Name::from).collect::<Vec<_>>()
    });
    // A name that leaves no room for the instance is asked as all of its service.
    std::iter::once("*".into()).chain(of_services).filter(|pattern| pattern.len() <= names::MAX_BYTES)
}

/// Whether what stands behind the kind means a service of this instance.
pub(super) fn means(of: &str, service: &str, instance: &str) -> bool {
    match of.strip_prefix(service) {
        _ if of.is_empty() => true,
        Some("") => true,
        Some(rest) => rest.strip_prefix('.') == Some(instance),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_what_is_asked_and_of_whom() {
        assert_eq!(Topic::of("ping"), Some(Topic::Ask(Kind::Ping, "")));
        assert_eq!(Topic::of("stats.orders.1"), Some(Topic::Ask(Kind::Stats, "orders.1")));
        assert_eq!(Topic::of("hello"), Some(Topic::Hello));
        for stranger in ["", "pin", "pings", ".ping", "PING"] {
            assert_eq!(Topic::of(stranger), None, "{stranger}");
        }
        assert_eq!(Kind::Info.key(Some("a.b")), "info.a.b");
    }

    #[test]
    fn a_service_is_meant_by_its_name_and_by_its_instance() {
        for of in ["", "orders", "orders.7"] {
            assert!(means(of, "orders", "7"), "{of}");
        }
        for of in ["order", "orders.8", "orders2", "orders.", "payments"] {
            assert!(!means(of, "orders", "7"), "{of}");
        }
        assert!(means("shop.orders.7", "shop.orders", "7"));
    }
}
