use std::{collections::HashMap, sync::Arc};

use axum::http;
use serde::Deserialize;
use serde_json::{Value, json};

use super::bind;
use crate::{
    codec::Format,
    context::{WorkerContext, WorkerOrigin},
    http::{File, request::Request},
    protocol::{Args, Fault, Message, MethodShapes, Param},
    service::{AnswerShape, BodyFormat, Outcome, ParamPlace, RouteAbout, RouteInfo, RouteParam, WorkerCall},
    validate::Valid,
};

mod bodies;
mod forms;
mod heads;
mod hostile;

/// What the macros write, by hand: a method's parameters and its route.
macro_rules! route {
    ($args:ident { $($name:ident: $ty:ty = $place:expr, $required:expr;)* } $($route:ident: $value:expr),*) => {
        #[derive(Default)]
        struct $args { $($name: Option<$ty>,)* }

        impl<'de> Args<'de> for $args {
            const PARAMS: &'static [Param] = &[$(Param {
                name: stringify!($name), ty: stringify!($ty), default: None, required: $required, sensitive: false,
            },)*];

            fn index(name: &str) -> Option<usize> {
                Self::PARAMS.iter().position(|param| param.name == name)
            }

            fn is_set(&self, index: usize) -> bool {
                [$(self.$name.is_some(),)*][index]
            }

            fn set<D: serde::Deserializer<'de>>(&mut self, index: usize, deserializer: D) -> Result<(), D::Error> {
                let mut at = 0;
                $({
                    if at == index {
                        self.$name = Some(<$ty>::deserialize(deserializer)?);
                        return Ok(());
                    }
                    at += 1;
                })*
                unreachable!("{at} parameters")
            }
        }

        impl $args {
            fn route() -> &'static RouteInfo {
                static ROUTE: RouteInfo = RouteInfo {
                    params: &[$(RouteParam {
                        param: Param {
                            name: stringify!($name), ty: "", default: None, required: $required, sensitive: false,
                        },
                        doc: "",
                        place: $place,
                        name: stringify!($name),
                    },)*],
                    shapes: MethodShapes {
                        params: &[$(crate::__shape!($ty),)*], ok: crate::__shape!(()), errors: &[],
                    },
                    $($route: $value,)*
                    ..super::PLAIN
                };
                &ROUTE
            }
        }
    };
}
use route;

const PLAIN: RouteInfo = RouteInfo {
    index: 0,
    method: "method",
    doc: "",
    verb: "POST",
    path: "/",
    params: &[],
    extracts: false,
    deny_unknown_query: false,
    max_body_bytes: None,
    timeout: None,
    max_workers: None,
    status: 200,
    about: RouteAbout { name: "", tag: None, summary: None, deprecated: false, hide: false },
    shapes: MethodShapes { params: &[], ok: crate::__shape!(()), errors: &[] },
    answer: AnswerShape::of(|_| Vec::new()),
    security: &[],
};

const JSON: BodyFormat = BodyFormat::Json;
const FORM: BodyFormat = BodyFormat::Form;
const MULTIPART: BodyFormat = BodyFormat::Multipart;

/// A request, to be bound.
#[derive(Default)]
struct Sent {
    uri: String,
    headers: Vec<(&'static str, Vec<u8>)>,
    path: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

fn query(query: &str) -> Sent {
    Sent { uri: format!("/?{query}"), ..Sent::default() }
}

fn body(content_type: &str, body: impl Into<Vec<u8>>) -> Sent {
    Sent { uri: "/".into(), headers: vec![("content-type", content_type.into())], body: body.into(), ..Sent::default() }
}

fn json_body(text: &str) -> Sent {
    body("application/json", text)
}

impl Sent {
    fn header(mut self, name: &'static str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn path(mut self, name: &'static str, value: &str) -> Self {
        self.path.push((name, value.to_owned()));
        self
    }

    /// Binds it; `look` sees the parameters.
    fn bound<A: for<'de> Args<'de>, T>(
        self,
        route: &'static RouteInfo,
        look: impl FnOnce(A) -> T,
    ) -> Result<T, Box<Fault>> {
        let mut request = http::Request::builder().uri(if self.uri.is_empty() { "/" } else { &self.uri });
        for (name, value) in &self.headers {
            request = request.header(*name, http::HeaderValue::from_bytes(value).unwrap());
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let message = Arc::new(Message { body: self.body.into(), ..Message::default() });
        let context = WorkerContext::new(WorkerOrigin { service: "shop", message, ..WorkerOrigin::default() });
        let call = WorkerCall {
            request: Some(Arc::new(Request::new(parts, self.path, None))),
            ..WorkerCall::new(0, Format::Json, context)
        };
        let bound = futures_util::FutureExt::now_or_never(bind::<A>(&call, route)).expect("nothing to wait for");
        match bound {
            Ok(args) => Ok(look(args)),
            Err(Outcome::Fault { fault, .. }) => Err(fault),
            Err(other) => panic!("{other:?}"),
        }
    }

    /// Whether it binds, or with which status it does not.
    fn status<A: for<'de> Args<'de>>(self, route: &'static RouteInfo) -> u16 {
        self.bound::<A, _>(route, drop).map_or_else(|fault| fault.http.unwrap_or(500), |()| 200)
    }

    /// What is wrong with it: `place name/pointer rule value`.
    fn wrong<A: for<'de> Args<'de>>(self, route: &'static RouteInfo) -> Vec<String> {
        let fault = self.bound::<A, _>(route, drop).expect_err("should be refused");
        let errors = fault.data.expect("data")["errors"].as_array().expect("errors").clone();
        let line = |error: &Value| {
            let place = error.get("name").or(error.get("pointer")).and_then(Value::as_str).unwrap_or_default();
            let value = error.get("value").map_or_else(String::new, |value| format!(" {value}"));
            let text = |key: &str| error[key].as_str().unwrap_or_default();
            format!("{} {place} {}{value}", text("in"), text("rule"))
        };
        errors.iter().map(line).collect()
    }
}
