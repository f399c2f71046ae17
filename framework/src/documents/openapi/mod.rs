//! OpenAPI 3.1: the routes of a program, as their signatures and types describe them.

mod body;
mod operation;
mod parameters;
mod paths;
mod responses;

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use serde_json::{Map, json};

use self::{operation::Operation, paths::Paths};
use super::{Info, schemas::Schemas};
use crate::{
    protocol::Value,
    service::{RouteInfo, ServiceDescriptor},
};

/// What OpenAPI has a place for.
const VERBS: [&str; 8] = ["GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"];

/// The document of these services' routes, without those that hide.
pub(crate) fn openapi(info: &Info, services: &[&'static ServiceDescriptor]) -> Value {
    let routes: Vec<_> =
        services.iter().flat_map(|service| visible(service).map(move |route| (*service, route))).collect();
    let mut schemas = Schemas::new(SchemaSettings::draft2020_12());
    let mut security = BTreeMap::new();
    let mut paths = Paths::default();
    for ((service, route), id) in routes.iter().zip(operation_ids(&routes)) {
        let (item, names) = paths.item(route.path);
        let operation = Operation { service, route, id, names };
        item[route.verb.to_ascii_lowercase()] = operation.describe(&mut schemas, &mut security);
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": info.to_json(),
        // Relative to where the document lies: a proxy may serve all of it below a path of its own.
        "servers": [{ "url": "./" }],
        "tags": tags(&routes),
        "paths": paths.into_json(),
        "components": { "responses": responses::shared(&mut schemas) },
    });
    if !security.is_empty() {
        document["components"]["securitySchemes"] = security.into_iter().collect::<Map<_, _>>().into();
    }
    schemas.finish(&mut document);
    document
}

type Routes = [(&'static ServiceDescriptor, &'static RouteInfo)];

fn visible(service: &'static ServiceDescriptor) -> impl Iterator<Item = &'static RouteInfo> {
    service.routes.iter().filter(|route| !route.about.hide && VERBS.contains(&route.verb))
}

/// One for each that a route is listed under, in the order of the services; that of a service has its doc.
fn tags(routes: &Routes) -> Vec<Value> {
    let mut tags: Vec<(&str, &str)> = Vec::new();
    for (service, route) in routes {
        let tag = match route.about.tag {
            Some(tag) => (tag, ""),
            None => (service.name, service.doc),
        };
        match tags.iter_mut().find(|(name, _)| *name == tag.0) {
            Some((_, doc)) if doc.is_empty() => *doc = tag.1,
            Some(_) => {}
            None => tags.push(tag),
        }
    }
    let tag = |(name, doc): (&str, &str)| match doc {
        "" => json!({ "name": name }),
        doc => json!({ "name": name, "description": doc }),
    };
    tags.into_iter().map(tag).collect()
}

/// A name for each: its own, with the service before it where another has the same, and a number where that is not enough.
fn operation_ids(routes: &Routes) -> Vec<String> {
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, route) in routes {
        *count.entry(route.about.name).or_default() += 1;
    }
    let mut used: Vec<String> = Vec::new();
    for (service, route) in routes {
        let name = match count[route.about.name] {
            1 => route.about.name.to_owned(),
            _ => format!("{}_{}", service.name, route.about.name),
        };
        let numbered = (2..).map(|number| format!("{name}_{number}"));
        let unused = std::iter::once(name.clone()).chain(numbered).find(|name| !used.contains(name));
        used.push(unused.unwrap_or(name));
    }
    used
}
