//! What a container and a document need to know of methods that an HTTP request fires.

use std::time::Duration;

use crate::protocol::{MethodShapes, Param};

/// One route of one method.
#[derive(Debug, Clone, Copy)]
pub struct RouteInfo {
    /// What [`DynService::dispatch`](super::DynService::dispatch) knows it by.
    pub index: usize,
    /// The method.
    pub method: &'static str,
    /// The doc comment.
    pub doc: &'static str,
    /// `GET`, `POST` …
    pub verb: &'static str,
    /// The whole path, the service's prefix included: `/api/v1/orders/{id}`.
    pub path: &'static str,
    /// What the request carries, in the order of the method's parameters, without those that are injected or extracted.
    pub params: &'static [RouteParam],
    /// Whether the method takes the request apart itself, by axum's extractors: then its body is not read before.
    pub extracts: bool,
    /// Whether it takes only the query keys that it knows.
    pub deny_unknown_query: bool,
    /// The most bytes of its body; `None`: the setting `http.max_body_bytes`.
    pub max_body_bytes: Option<usize>,
    /// How long a worker of it may run; `None`: the setting `http.timeout`.
    pub timeout: Option<Duration>,
    /// The most workers of it that run at once in one instance.
    pub max_workers: Option<usize>,
    /// The status of a success.
    pub status: u16,
    /// What documents say of it.
    pub about: RouteAbout,
    /// What its types look like.
    pub shapes: MethodShapes,
    /// What its success looks like over HTTP.
    pub answer: AnswerShape,
    /// What it asks of who calls, by the types of its injected parameters.
    pub security: &'static [Option<SecurityScheme>],
}

/// What documents say of a route.
#[derive(Debug, Clone, Copy)]
pub struct RouteAbout {
    /// The operation's name, unique among those of one document.
    pub name: &'static str,
    /// What it is listed under; `None`: the service's name.
    pub tag: Option<&'static str>,
    /// One line; `None`: the first of the doc comment.
    pub summary: Option<&'static str>,
    /// Whether callers should look for another.
    pub deprecated: bool,
    /// Whether documents leave it out.
    pub hide: bool,
}

/// One parameter of a route.
#[derive(Debug, Clone, Copy)]
pub struct RouteParam {
    /// As every caller sees it.
    pub param: Param,
    /// Its doc comment.
    pub doc: &'static str,
    /// Where the request carries it.
    pub place: ParamPlace,
    /// Its name there: of a header `x-tenant`. Elsewhere the parameter's.
    pub name: &'static str,
}

/// Where a request carries a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamPlace {
    /// A segment of the path.
    Path,
    /// The query. A parameter that is a struct takes its fields from there.
    Query,
    /// A header.
    Header,
    /// A cookie.
    Cookie,
    /// The whole body.
    Body(BodyFormat),
    /// One field of the body.
    Field(BodyFormat),
}

/// How a body is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFormat {
    /// `application/json`, and `application/…+json`.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `multipart/form-data`.
    Multipart,
}

/// What a type looks like as an answer: each content type that it may have, with its schema.
#[derive(Clone, Copy)]
pub struct AnswerShape {
    #[cfg(feature = "http")]
    pub(crate) media: fn(&mut schemars::SchemaGenerator) -> Vec<(&'static str, schemars::Schema)>,
}

#[cfg(feature = "http")]
impl AnswerShape {
    /// As this function says.
    pub const fn of(media: fn(&mut schemars::SchemaGenerator) -> Vec<(&'static str, schemars::Schema)>) -> Self {
        Self { media }
    }
}

impl std::fmt::Debug for AnswerShape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AnswerShape")
    }
}

/// How a caller shows who it is, as OpenAPI names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecurityScheme {
    /// `Authorization: Bearer …`
    Bearer {
        /// What the token is, for people: `JWT`.
        format: &'static str,
    },
    /// A key in a header.
    ApiKey {
        /// The header.
        header: &'static str,
    },
}

#[cfg(feature = "http")]
impl SecurityScheme {
    /// What a service that looks at tokens asks for.
    pub(crate) const JWT: Self = Self::Bearer { format: "JWT" };
}
