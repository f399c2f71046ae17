//! The answers of an operation: its success, the variants of its error, and what kinoko itself answers with.

use std::collections::BTreeMap;

use serde_json::{Map, json};

use crate::{
    documents::schemas::Schemas,
    http::Problem,
    protocol::{FaultMeta, Shape, Value, VariantInfo},
    service::{ParamPlace, RouteInfo},
};

const MEDIA: &str = "application/problem+json";

/// What kinoko answers with of its own accord, by the names under which documents have it.
const OWN: [Own; 9] = [
    Own { name: "BadRequest", status: 400, doc: "The request could not be read." },
    Own { name: "Unauthenticated", status: 401, doc: "Who calls is not known." },
    Own { name: "Forbidden", status: 403, doc: "Who calls may not do this." },
    Own { name: "BodyTooLarge", status: 413, doc: "The body is larger than what is allowed." },
    Own { name: "UnsupportedMediaType", status: 415, doc: "The body is of another content type." },
    Own { name: "InvalidInput", status: 422, doc: "Something in the request does not fit; `errors` says what." },
    Own { name: "BadGateway", status: 502, doc: "Another service answered with something unexpected." },
    Own { name: "Unavailable", status: 503, doc: "Another service, or a free worker, is not there." },
    Own { name: "GatewayTimeout", status: 504, doc: "It took longer than the request may take." },
];

struct Own {
    name: &'static str,
    status: u16,
    doc: &'static str,
}

/// The answers that all operations share.
pub(super) fn shared(schemas: &mut Schemas) -> Value {
    let problem = problem(schemas);
    let mut shared: Map<_, _> =
        OWN.iter().map(|own| (own.name.to_owned(), response(own.doc, own_schema(own, &problem)))).collect();
    shared.insert("Problem".to_owned(), response("Anything else that went wrong.", problem));
    shared.into()
}

/// `asks`: only a caller with a token gets in.
pub(super) fn responses(route: &RouteInfo, asks: bool, schemas: &mut Schemas) -> Value {
    let mut responses = Map::new();
    responses.insert(route.status.to_string(), success(route, schemas));
    let problem = problem(schemas);
    let mut errors = Errors::default();
    errors.variants(route.shapes.errors, schemas);
    errors.own.extend(own_statuses(route, asks));
    for (status, variants) in &errors.variants {
        let own = OWN.iter().find(|own| own.status == *status && errors.own.contains(status));
        responses.insert(status.to_string(), several(variants, own, &problem));
    }
    for own in OWN.iter().filter(|own| errors.own.contains(&own.status)) {
        let reference = || json!({ "$ref": format!("#/components/responses/{}", own.name) });
        responses.entry(own.status.to_string()).or_insert_with(reference);
    }
    responses.insert("default".to_owned(), json!({ "$ref": "#/components/responses/Problem" }));
    responses.into()
}

fn success(route: &RouteInfo, schemas: &mut Schemas) -> Value {
    let mut success = json!({ "description": reason(route.status) });
    let mut media = Vec::new();
    if !matches!(route.status, 204 | 205 | 304) {
        schemas.given_by(|generator| {
            media = (route.answer.media)(generator);
            true.into()
        });
    }
    for (media, schema) in media {
        success["content"][media]["schema"] = schemas.given_by(|_| schema);
    }
    success
}

/// What kinoko may answer with before or instead of the method.
fn own_statuses(route: &RouteInfo, asks: bool) -> Vec<u16> {
    let mut statuses = Vec::new();
    let has_body = route.params.iter().any(|param| matches!(param.place, ParamPlace::Body(_) | ParamPlace::Field(_)));
    if has_body {
        statuses.extend([400, 413, 415]);
    }
    if !route.params.is_empty() || route.deny_unknown_query {
        statuses.push(422);
    }
    if asks || route.security.iter().any(Option::is_some) {
        statuses.extend([401, 403]);
    }
    statuses
}

/// The errors of one operation, by their status.
#[derive(Default)]
struct Errors {
    variants: BTreeMap<u16, Vec<Variant>>,
    /// The statuses of what kinoko answers with of its own accord.
    own: Vec<u16>,
}

struct Variant {
    code: &'static str,
    doc: &'static str,
    data: Option<Value>,
}

impl Errors {
    fn variants(&mut self, variants: &[VariantInfo], schemas: &mut Schemas) {
        for variant in variants {
            match variant {
                VariantInfo::Own { meta: FaultMeta { code, http, .. }, doc, fields } => {
                    let data = (!fields.is_empty()).then(|| data(fields, schemas));
                    // As `problem` answers: an error of the service's own without a status is the caller's.
                    self.variants.entry(http.unwrap_or(400)).or_default().push(Variant { code, doc, data });
                }
                VariantInfo::Forwarded(inner) => {
                    self.variants(inner, schemas);
                    self.own.extend([502, 503, 504]);
                }
                VariantInfo::Internal => {}
            }
        }
    }
}

/// The fields of a variant.
fn data(fields: &[(&'static str, Shape)], schemas: &mut Schemas) -> Value {
    let names: Vec<_> = fields.iter().map(|(name, _)| *name).collect();
    let properties: Map<_, _> = fields.iter().map(|(name, shape)| ((*name).to_owned(), schemas.given(shape))).collect();
    json!({ "type": "object", "properties": properties, "required": names })
}

/// The answer with one status: a variant, one of several, or what kinoko has under the same status.
fn several(variants: &[Variant], own: Option<&Own>, problem: &Value) -> Value {
    let mut schemas: Vec<_> = variants.iter().map(|variant| variant.schema(problem)).collect();
    let mut docs: Vec<_> = variants.iter().map(Variant::line).collect();
    let mut codes: Vec<_> = variants.iter().map(|variant| variant.code).collect();
    codes.sort_unstable();
    codes.dedup();
    // What kinoko answers with fits any code.
    let choice = if own.is_none() && codes.len() == variants.len() { "oneOf" } else { "anyOf" };
    if let Some(own) = own {
        schemas.push(own_schema(own, problem));
        docs.push(own.doc.to_owned());
    }
    let doc = match &docs[..] {
        [only] => only.clone(),
        docs => docs.iter().map(|doc| format!("- {doc}\n")).collect(),
    };
    match schemas.len() {
        1 => response(&doc, schemas.remove(0)),
        _ => response(&doc, json!({ choice: schemas })),
    }
}

impl Variant {
    fn schema(&self, problem: &Value) -> Value {
        let mut properties = json!({ "code": { "const": self.code } });
        let mut required = vec!["code"];
        if let Some(data) = &self.data {
            properties["data"] = data.clone();
            required.push("data");
        }
        json!({ "title": self.code, "allOf": [problem, { "properties": properties, "required": required }] })
    }

    fn line(&self) -> String {
        match self.doc.lines().next().filter(|line| !line.is_empty()) {
            Some(line) => format!("`{}`: {line}", self.code),
            None => format!("`{}`", self.code),
        }
    }
}

fn own_schema(own: &Own, problem: &Value) -> Value {
    match own.status {
        422 => json!({ "allOf": [problem, { "required": ["code", "errors"] }] }),
        _ => problem.clone(),
    }
}

fn problem(schemas: &mut Schemas) -> Value {
    schemas.given_by(|generator| generator.subschema_for::<Problem>())
}

fn response(doc: &str, schema: Value) -> Value {
    json!({ "description": doc, "content": { MEDIA: { "schema": schema } } })
}

/// What a status of success is called.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        203 => "Non-Authoritative Information",
        204 => "No Content",
        205 => "Reset Content",
        206 => "Partial Content",
        300..=399 => "Redirection",
        _ => "Success",
    }
}
