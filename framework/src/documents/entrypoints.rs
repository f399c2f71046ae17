//! The schemas of entrypoints, beside what a service says of them.

use schemars::generate::SchemaSettings;

use super::{asyncapi::errors, schemas::Schemas};
use crate::{
    protocol::{MethodShapes, Param, Shape, Value},
    service::ServiceDescriptor,
};

/// Adds to the services in `document` what their entrypoints take and give, and beside them what that refers to.
/// They are as [`describe`](crate::service::description::describe) tells them.
pub(crate) fn add_schemas(services: &[&'static ServiceDescriptor], document: &mut Value) {
    let mut schemas = Schemas::new(SchemaSettings::draft2020_12());
    let Some(told) = document["services"].as_array_mut() else { return };
    for (service, told) in services.iter().zip(told) {
        let Some(entrypoints) = told["entrypoints"].as_array_mut() else { continue };
        let of_kind = |kind: &'static str| move |told: &&mut Value| told["kind"] == kind;
        for (kind, methods) in [("rpc", service.methods), ("websocket", service.sockets)] {
            for (method, told) in methods.iter().zip(entrypoints.iter_mut().filter(of_kind(kind))) {
                add_method(told, method.params.iter(), &method.shapes, &mut schemas);
                told["error_schema"] = errors(method, &mut schemas);
            }
        }
        for (route, told) in service.routes.iter().zip(entrypoints.iter_mut().filter(of_kind("http"))) {
            add_method(told, route.params.iter().map(|info| &info.param), &route.shapes, &mut schemas);
        }
        for (handler, told) in service.events.iter().zip(entrypoints.iter_mut().filter(of_kind("event"))) {
            add_payload(told, handler.shape, &mut schemas);
        }
        for (consumer, told) in service.consumers.iter().zip(entrypoints.iter_mut().filter(of_kind("consume"))) {
            add_payload(told, consumer.shape, &mut schemas);
        }
    }
    document["components"] = Value::Object(Default::default());
    schemas.finish(document);
}

fn add_method<'a>(
    told: &mut Value,
    params: impl Iterator<Item = &'a Param>,
    shapes: &MethodShapes,
    schemas: &mut Schemas,
) {
    let told_params = told["params"].as_array_mut().into_iter().flatten();
    for ((param, shape), told) in params.zip(shapes.params).zip(told_params) {
        told["schema"] = schemas.param(param, shape);
    }
    told["returns_schema"] = schemas.given(&shapes.ok);
}

fn add_payload(told: &mut Value, shape: Option<Shape>, schemas: &mut Schemas) {
    if let Some(shape) = shape {
        told["payload_schema"] = schemas.taken(&shape);
    }
}
