//! The documents of services that are written down by hand.

mod messages;
mod routes;
mod service;

use std::collections::BTreeSet;

use super::{Info, schemas::references};
use crate::{config::Settings, protocol::Value, service::ServiceDescriptor};

fn info(services: &[&'static ServiceDescriptor]) -> Info {
    Info::new(services, Some("1.0.0"), &Settings::default()).unwrap()
}

/// The references of a document that lead nowhere.
fn dangling(document: &Value) -> BTreeSet<String> {
    let mut dangling = BTreeSet::new();
    references(document, &mut |reference| {
        let pointer = reference.strip_prefix('#').unwrap_or_default();
        if pointer.is_empty() || document.pointer(&pointer.replace("%20", " ")).is_none() {
            dangling.insert(reference.to_owned());
        }
    });
    dangling
}
