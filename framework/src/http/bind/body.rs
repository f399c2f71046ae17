//! The body: what it must be, and its way into the parameters.

use std::cell::RefCell;

use axum::http::{HeaderMap, StatusCode, header};

use super::{
    Binding,
    explain::{Said, Subject, explain_json, is_secret, small_tree, without_place},
    form, json,
    problems::{Problems, missing},
    schema::Schemas,
    set,
    text::{Asked, List, Names, Values, Whole},
    twice::twice,
    values::Pairs,
    walk::{Found, escape},
};
use crate::{
    codec::check_json,
    http::request::Request,
    protocol::{Args, excerpt},
    service::{BodyFormat, ParamPlace, RouteInfo, WorkerCall},
};

/// A body as its route wants it.
pub(super) enum Body<'de> {
    /// The route wants none.
    None,
    Json(&'de [u8]),
    Form(Pairs<'de>),
    Unreadable {
        status: StatusCode,
        code: &'static str,
        rule: &'static str,
        text: String,
    },
}

const MALFORMED: &str = "MALFORMED_BODY";

impl<'de> Body<'de> {
    /// Looks at what came. Never waits: it is in memory.
    pub(super) async fn read(call: &'de WorkerCall, request: &'de Request, route: &RouteInfo) -> Self {
        let format = route.params.iter().find_map(|param| match param.place {
            ParamPlace::Body(format) | ParamPlace::Field(format) => Some(format),
            _ => None,
        });
        let Some(format) = format else { return Self::None };
        let body = call.context.body();
        let content_type =
            request.parts.headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default());
        if body.is_empty() && (format != BodyFormat::Multipart || content_type.is_none()) {
            return match format {
                BodyFormat::Json => Self::Json(body),
                BodyFormat::Form | BodyFormat::Multipart => Self::Form(Pairs::default()),
            };
        }
        let given = content_type.unwrap_or_default();
        let (fits, allowed) = match format {
            BodyFormat::Json => (json::is_json(given), "application/json, or application/…+json"),
            BodyFormat::Form => (form::is(given, FORM), FORM),
            BodyFormat::Multipart => (form::is(given, MULTIPART), MULTIPART),
        };
        if !fits {
            let given = content_type
                .map_or_else(|| "without a content type".to_owned(), |given| format!("not {}", excerpt(given)));
            return Self::Unreadable {
                status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
                code: "UNSUPPORTED_MEDIA_TYPE",
                rule: "contentType",
                text: format!("the body must be {allowed}, {given}"),
            };
        }
        if let Some(encoding) = encoding(&request.parts.headers) {
            return Self::Unreadable {
                status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
                code: "UNSUPPORTED_MEDIA_TYPE",
                rule: "contentEncoding",
                text: format!("the body must be sent as it is, not encoded ({})", excerpt(encoding)),
            };
        }
        match format {
            BodyFormat::Json => Self::Json(body),
            BodyFormat::Form => match std::str::from_utf8(body) {
                Ok(text) => Self::Form(Pairs::encoded(text)),
                Err(error) => malformed("form", format!("the body is not UTF-8: {error}")),
            },
            BodyFormat::Multipart => {
                let body = call.context.message().body.clone();
                // Boxed: no other body should make the worker larger.
                match Box::pin(form::parts(given, body)).await {
                    Ok(parts) => Self::Form(parts),
                    Err(text) => malformed("multipart", format!("the body is no {MULTIPART}: {}", excerpt(text))),
                }
            }
        }
    }
}

/// What a body is packed with. None is unpacked: a small one could become as large as it likes.
fn encoding(headers: &HeaderMap) -> Option<&str> {
    let mut given =
        headers.get_all(header::CONTENT_ENCODING).iter().map(|value| value.to_str().unwrap_or("unreadable"));
    given.find(|given| !given.is_empty() && !given.eq_ignore_ascii_case("identity"))
}

const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data";

fn malformed<'de>(rule: &'static str, text: String) -> Body<'de> {
    Body::Unreadable { status: StatusCode::BAD_REQUEST, code: MALFORMED, rule, text }
}

/// No other parameter takes a field of a whole form.
#[derive(Debug)]
struct NoNames;

impl Names for NoNames {
    fn has(&self, _: &str) -> bool {
        false
    }
}

impl<'de, A: Args<'de>> Binding<'de, A> {
    /// The parameters that the body holds.
    pub(super) fn body(&mut self, body: Body<'de>) {
        match body {
            Body::None => {}
            Body::Json(body) => self.json(body),
            Body::Form(pairs) => self.form(&pairs),
            Body::Unreadable { status, code, rule, text } => self.problems.unreadable(status, code, rule, text),
        }
    }

    fn form(&mut self, pairs: &Pairs<'_>) {
        for (index, param) in self.route.params.iter().enumerate() {
            match param.place {
                ParamPlace::Field(_) => {
                    let values = self.values(index, pairs.named(param.name), List::Repeated);
                    set(&mut self.args, &mut self.problems, values);
                }
                ParamPlace::Body(_) => {
                    let asked = RefCell::new(Asked::default());
                    let whole = Whole { pairs, taken: &NoNames, asked: &asked };
                    let values = Values { whole: Some(whole), ..self.values(index, &[], List::Repeated) };
                    set(&mut self.args, &mut self.problems, values);
                }
                _ => {}
            }
        }
    }

    fn json(&mut self, body: &'de [u8]) {
        let whole = self.route.params.iter().position(|param| matches!(param.place, ParamPlace::Body(_)));
        if body.is_empty() {
            return self.missing_fields(whole);
        }
        if let Err(error) = check_json(body) {
            return self.problems.unreadable(StatusCode::BAD_REQUEST, "TOO_DEEP", "depth", error.text);
        }
        let read = match whole {
            Some(index) => json::whole(&mut self.args, index, body),
            None => json::fields(&mut self.args, self.route, body),
        };
        match read.or_else(|refused| self.json_with_integers(whole, body).ok_or(refused)) {
            Ok(()) => self.missing_fields(whole),
            Err(refused) => explain::<A>(self.route, whole, body, refused, &mut self.problems),
        }
    }

    /// Reads a body once more that was refused, with `5.0` as the integer that it is to JSON Schema, and so to `/openapi.json`; serde takes
    /// it for none. `None`: it has no such number, or is refused all the same; so is one with a key twice, of which the tree has the last.
    #[cold]
    fn json_with_integers(&mut self, whole: Option<usize>, body: &[u8]) -> Option<()> {
        let mut tree = small_tree(body)?;
        if !json::make_integers(&mut tree) || !twice(body).is_empty() {
            return None;
        }
        match (whole, tree) {
            (Some(index), tree) => json::set(&mut self.args, index, tree).ok(),
            (None, serde_json::Value::Object(fields)) => fields.into_iter().try_for_each(|(name, value)| {
                let Some(index) = json::field(self.route, &name) else { return Some(()) };
                json::set(&mut self.args, index, value).ok()
            }),
            (None, _) => None,
        }
    }

    /// What the body did not have: whether that matters, each parameter says.
    fn missing_fields(&mut self, whole: Option<usize>) {
        for (index, param) in self.route.params.iter().enumerate() {
            if !param.param.required || self.args.is_set(index) {
                continue;
            }
            match param.place {
                ParamPlace::Field(_) => self.problems.body(missing(format!("/{}", escape(param.name)))),
                ParamPlace::Body(_) if whole == Some(index) => self.problems.body(missing(String::new())),
                _ => {}
            }
        }
    }
}

/// Why a JSON body was refused.
#[cold]
fn explain<'de, A: Args<'de>>(
    route: &'static RouteInfo,
    whole: Option<usize>,
    body: &'de [u8],
    refused: json::Refused,
    problems: &mut Problems,
) {
    // The type may have stopped before what is no JSON; and what is skipped may be no UTF-8.
    let not_json = match std::str::from_utf8(body) {
        Ok(text) => serde_json::from_str::<serde::de::IgnoredAny>(text).err().map(excerpt),
        Err(error) => Some(error.to_string()),
    };
    if let Some(error) = not_json {
        let text = format!("the body is not JSON: {error}");
        return problems.unreadable(StatusCode::BAD_REQUEST, MALFORMED, "json", text);
    }
    let (schemas, mut tree) = (Schemas::of(route), small_tree(body));
    let mut found = match &tree {
        Some(_) => given_twice(&schemas, whole.map_or(schemas.fields(), |index| schemas.param(index)), body),
        None => Vec::new(),
    };
    if let Some(index) = whole {
        let mut deserializer = serde_json::Deserializer::from_slice(body);
        let is_told = |said: &Said| said.message.starts_with("duplicate field") && !found.is_empty();
        let said = explain_json::<A>(index, &mut deserializer).filter(|said| !is_told(said));
        let secret = is_secret(&route.params[index]);
        let subject = Subject { schemas: &schemas, schema: schemas.param(index), value: tree, secret };
        found.extend(subject.explain(said));
        return tell(problems, "", found, refused);
    }
    let Some(serde_json::Value::Object(tree)) = &mut tree else {
        return not_fields(&schemas, route, tree, refused, problems);
    };
    for (index, param) in route.params.iter().enumerate() {
        if !matches!(param.place, ParamPlace::Field(_)) {
            continue;
        }
        let base = format!("/{}", escape(param.name));
        let Some(value) = tree.remove(param.name) else {
            if param.param.required {
                found.push(missing(base));
            }
            continue;
        };
        let said = explain_json::<A>(index, value.clone());
        if said.is_none() {
            continue;
        }
        let secret = is_secret(param);
        let subject = Subject { schemas: &schemas, schema: schemas.param(index), value: Some(value), secret };
        let below = subject.explain(said).into_iter();
        found.extend(below.map(|found| Found { pointer: format!("{base}{}", found.pointer), ..found }));
    }
    let base = refused.index.map(|index| format!("/{}", escape(route.params[index].name)));
    tell(problems, base.as_deref().unwrap_or_default(), found, refused);
}

/// The fields that a body has twice. The keys of a map may be what they like: its type knows what it does with them.
fn given_twice(schemas: &Schemas, schema: &serde_json::Value, body: &[u8]) -> Vec<Found> {
    let found = twice(body).into_iter().filter_map(|path| {
        let (name, parents) = path.split_last()?;
        let parent = parents.iter().fold(schema, |schema, name| schemas.inner(schema, name));
        schemas.property(parent, name)?;
        let pointer = path.iter().map(|name| format!("/{}", escape(name))).collect();
        Some(Found { pointer, rule: "type", message: "is given twice".into(), value: None })
    });
    found.collect()
}

/// A body that should have fields and has none, or is too large to be looked at.
fn not_fields(
    schemas: &Schemas,
    route: &'static RouteInfo,
    tree: Option<serde_json::Value>,
    json::Refused { error, index }: json::Refused,
    problems: &mut Problems,
) {
    let secret = index.is_some_and(|index| is_secret(&route.params[index]));
    let pointer = index.map_or_else(String::new, |index| format!("/{}", escape(route.params[index].name)));
    let message = if secret { "is not valid".to_owned() } else { without_place(excerpt(error)) };
    let said = Said { pointer, rule: "type", message, repeats: true, report: None };
    let subject = Subject { schemas, schema: schemas.fields(), value: tree, secret: false };
    subject.explain(Some(said)).into_iter().for_each(|found| problems.body(found));
}

/// Tells what was found; where a second look found nothing, what the first one stopped at.
fn tell(problems: &mut Problems, base: &str, found: Vec<Found>, refused: json::Refused) {
    if found.is_empty() {
        let message = without_place(excerpt(refused.error));
        return problems.body(Found { pointer: base.to_owned(), rule: "type", message, value: None });
    }
    found.into_iter().for_each(|found| problems.body(found));
}
