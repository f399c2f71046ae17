//! Methods that an HTTP request fires.

use serde_json::json;

use super::{default, param};
use crate::{
    protocol::Value,
    service::{BodyFormat, ParamPlace, RouteInfo, RouteParam, millis},
};

/// `GET /articles/{sku} by get(sku: &str)`
pub(crate) fn route(route: &RouteInfo) -> String {
    let params: Vec<_> = route.params.iter().map(|info| param(&info.param)).collect();
    format!("{} {} by {}({})", route.verb, route.path, route.method, params.join(", "))
}

pub(super) fn route_json(route: &RouteInfo) -> Value {
    json!({
        "kind": "http",
        "name": route.method,
        "doc": route.doc,
        "signature": self::route(route),
        "method": route.verb,
        "path": route.path,
        "status": route.status,
        "params": route.params.iter().map(param_json).collect::<Vec<_>>(),
        "timeout_ms": route.timeout.map(millis),
        "max_workers": route.max_workers,
    })
}

fn param_json(info: &RouteParam) -> Value {
    json!({
        "name": info.name,
        "in": place(info.place),
        "type": info.param.ty,
        "required": info.param.required,
        "default": default(&info.param),
        "sensitive": info.param.sensitive,
    })
}

fn place(place: ParamPlace) -> &'static str {
    match place {
        ParamPlace::Path => "path",
        ParamPlace::Query => "query",
        ParamPlace::Header => "header",
        ParamPlace::Cookie => "cookie",
        ParamPlace::Body(format) | ParamPlace::Field(format) => match format {
            BodyFormat::Json => "body",
            BodyFormat::Form => "form",
            BodyFormat::Multipart => "multipart",
        },
    }
}
