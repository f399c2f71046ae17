//! The answers to `ping`, `info` and `stats`.

use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use serde_json::json;

use super::{about::About, stats, topic::Kind};
use crate::{
    container::{Program, ServiceState},
    protocol::Value,
    service::{ServiceDescriptor, description::describe},
};

/// An answer without schemas where they would make it larger than this.
#[cfg(feature = "schema")]
const LARGEST: usize = 1024 * 1024;

/// Makes the bodies of answers. What descriptors say is made once.
#[derive(Debug, Default)]
pub(super) struct Answers {
    described: HashMap<Vec<&'static str>, Described>,
}

#[derive(Debug, Clone)]
struct Described {
    services: Vec<Value>,
    components: Value,
}

impl Answers {
    /// The answer to one question; `None` where none of the services that are asked for is here.
    pub(super) fn to(
        &mut self,
        kind: Kind,
        of: &str,
        about: &About,
        program: &Program,
        ttl: Duration,
    ) -> Option<Bytes> {
        let services = about.services(program, of);
        if services.is_empty() {
            return None;
        }
        let mut answer = serde_json::to_value(about.presence(program, &services, ttl)).ok()?;
        answer["type"] = format!("kinoko.{}", kind.name()).into();
        match kind {
            Kind::Ping => {}
            Kind::Info => self.add_info(&services, &mut answer),
            Kind::Stats => stats::add(program, &services, &mut answer),
        }
        serde_json::to_vec(&answer).ok().map(Bytes::from)
    }

    fn add_info(&mut self, services: &[ServiceState], answer: &mut Value) {
        let names: Vec<_> = services.iter().map(|service| service.name).collect();
        let described = self
            .described
            .entry(names)
            .or_insert_with(|| Described::of(&services.iter().map(|service| service.descriptor).collect::<Vec<_>>()));
        let Some(told) = answer["services"].as_array_mut() else { return };
        for (told, described) in told.iter_mut().zip(&described.services) {
            merge(told, described);
        }
        answer["components"] = described.components.clone();
    }
}

impl Described {
    fn of(services: &[&'static ServiceDescriptor]) -> Self {
        let mut document = json!({ "services": services.iter().map(|service| describe(service)).collect::<Vec<_>>() });
        #[cfg(feature = "schema")]
        {
            let plain = document.clone();
            crate::documents::add_schemas(services, &mut document);
            if document.to_string().len() > LARGEST {
                document = plain;
            }
        }
        let services = document["services"].as_array_mut().map(std::mem::take).unwrap_or_default();
        Self { services, components: document["components"].take() }
    }
}

/// What is said already stays.
fn merge(told: &mut Value, further: &Value) {
    if let (Value::Object(told), Value::Object(further)) = (told, further) {
        for (key, value) in further {
            told.entry(key).or_insert_with(|| value.clone());
        }
    }
}
