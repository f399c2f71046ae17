//! One operation: a verb of a path.

use std::collections::BTreeMap;

use serde_json::{Map, json};

use super::{body, parameters, paths::PathNames, responses};
use crate::{
    documents::{schemas::Schemas, text::describe},
    protocol::Value,
    service::{RouteInfo, SecurityScheme, ServiceDescriptor},
};

pub(super) struct Operation<'a> {
    pub(super) service: &'a ServiceDescriptor,
    pub(super) route: &'a RouteInfo,
    pub(super) id: String,
    pub(super) names: PathNames,
}

impl Operation<'_> {
    pub(super) fn describe(&self, schemas: &mut Schemas, security: &mut BTreeMap<String, Value>) -> Value {
        let about = &self.route.about;
        let asks = self.service.access.asks(self.route.index);
        let mut operation = json!({
            "operationId": self.id,
            "tags": [about.tag.unwrap_or(self.service.name)],
            "responses": responses::responses(self.route, asks, schemas),
        });
        describe(&mut operation, self.route.doc, about.summary);
        if about.deprecated {
            operation["deprecated"] = true.into();
        }
        let parameters = parameters::parameters(self.route, &self.names, schemas);
        if !parameters.is_empty() {
            operation["parameters"] = parameters.into();
        }
        if let Some(body) = body::body(self.route, schemas) {
            operation["requestBody"] = body;
        }
        let mut required = Map::new();
        let of_guard = asks.then_some(&SecurityScheme::JWT);
        for scheme in self.route.security.iter().flatten().chain(of_guard) {
            let (name, described) = scheme_of(scheme);
            required.insert(name.clone(), json!([]));
            security.insert(name, described);
        }
        if !required.is_empty() {
            operation["security"] = json!([required]);
        }
        self.service.access.tell(self.route.index, &mut operation);
        operation
    }
}

fn scheme_of(scheme: &SecurityScheme) -> (String, Value) {
    match scheme {
        SecurityScheme::Bearer { format: "" } => ("bearer".to_owned(), json!({ "type": "http", "scheme": "bearer" })),
        SecurityScheme::Bearer { format } => {
            ("bearer".to_owned(), json!({ "type": "http", "scheme": "bearer", "bearerFormat": format }))
        }
        SecurityScheme::ApiKey { header } => {
            (format!("key-{header}"), json!({ "type": "apiKey", "in": "header", "name": header }))
        }
    }
}
