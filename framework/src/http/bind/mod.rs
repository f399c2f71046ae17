//! From a request to the parameters of a method: path, query, headers, cookies, body.
//!
//! What fits goes straight into the parameters, with no tree of values between. What does not fit is looked at once more, at
//! leisure, so that one answer tells everything that is wrong: see [`explain`].

mod body;
mod explain;
mod form;
mod json;
mod problems;
mod refusal;
mod schema;
#[cfg(test)]
mod tests;
mod text;
mod twice;
mod values;
mod walk;

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
};

use self::{
    explain::explain_texts,
    problems::{Problems, missing, texts},
    refusal::{Refusal, unknown},
    schema::ParamSchema,
    text::{Asked, List, Names, Values, Whole},
    values::{Pair, Pairs},
    walk::Found,
};
use super::request::{self, Request};
use crate::{
    protocol::{Args, Fault},
    service::{Outcome, ParamPlace, RouteInfo, WorkerCall},
    worker::unexpected,
};

/// Binds the parameters of a route, or says what is wrong with each.
///
/// # Errors
///
/// The outcome to return: a 4xx with one entry for each parameter, and each field of the body, that does not fit; or a fault where a
/// `Deserialize` panics.
pub async fn bind<'de, A: Args<'de>>(call: &'de WorkerCall, route: &'static RouteInfo) -> Result<A, Outcome> {
    let Some(request) = request::request(call) else {
        return Err(unexpected(Fault::internal("NoRequest", "bound without a request")));
    };
    let body = body::Body::read(call, request, route).await;
    let bound = catch_unwind(AssertUnwindSafe(|| {
        let mut binding = Binding::<A> {
            route,
            request,
            args: A::default(),
            problems: Problems::default(),
            query: Pairs::default(),
            cookies: Pairs::default(),
        };
        binding.head();
        binding.body(body);
        match binding.problems.outcome() {
            None => Ok(binding.args),
            Some(outcome) => Err(outcome),
        }
    }));
    bound.unwrap_or_else(|panic| Err(unexpected(Fault::panic(&*panic))))
}

/// One request on its way into the parameters.
struct Binding<'de, A> {
    route: &'static RouteInfo,
    request: &'de Request,
    args: A,
    problems: Problems,
    query: Pairs<'de>,
    cookies: Pairs<'de>,
}

/// The names of a route's query parameters but one, which may take its fields from the query.
#[derive(Debug)]
struct OtherParams {
    route: &'static RouteInfo,
    index: usize,
}

impl Names for OtherParams {
    fn has(&self, name: &str) -> bool {
        let mut params = self.route.params.iter().enumerate();
        params.any(|(index, param)| index != self.index && param.place == ParamPlace::Query && param.name == name)
    }
}

impl<'de, A: Args<'de>> Binding<'de, A> {
    /// Everything that stands in the request's head.
    fn head(&mut self) {
        let has = |place| self.route.params.iter().any(|param| param.place == place);
        let (parts, wants_query) = (&self.request.parts, self.route.deny_unknown_query || has(ParamPlace::Query));
        if wants_query && let Some(query) = parts.uri.query() {
            self.query = Pairs::encoded(query);
        }
        if has(ParamPlace::Cookie) {
            self.cookies = Pairs::cookies(&parts.headers);
        }
        // The names that the query may have.
        let mut known = Asked::default();
        for (index, param) in self.route.params.iter().enumerate() {
            match param.place {
                ParamPlace::Path => {
                    let value = self.request.path.iter().find(|(name, _)| *name == param.name);
                    let value = value.map(|(_, value)| Pair::plain(value.as_bytes()));
                    let values = self.values(index, value.as_slice(), List::Repeated);
                    set(&mut self.args, &mut self.problems, values);
                }
                ParamPlace::Query => {
                    let (asked, taken) = (RefCell::default(), OtherParams { route: self.route, index });
                    let whole = Whole { pairs: &self.query, taken: &taken, asked: &asked };
                    let values = self.values(index, self.query.named(param.name), List::Repeated);
                    set(&mut self.args, &mut self.problems, Values { whole: Some(whole), ..values });
                    if self.route.deny_unknown_query {
                        known.learn(asked.into_inner(), param.name);
                    }
                }
                ParamPlace::Header => {
                    let lines = self.request.parts.headers.get_all(param.name).into_iter();
                    let lines: Vec<_> = lines.map(|line| Pair::plain(line.as_bytes())).collect();
                    let values = self.values(index, &lines, List::Commas);
                    set(&mut self.args, &mut self.problems, values);
                }
                ParamPlace::Cookie => {
                    let values = self.values(index, self.cookies.named(param.name), List::FirstWins);
                    set(&mut self.args, &mut self.problems, values);
                }
                ParamPlace::Body(_) | ParamPlace::Field(_) => {}
            }
        }
        if self.route.deny_unknown_query {
            self.deny_unknown(&known);
        }
    }

    fn values<'a>(&self, index: usize, pairs: &'a [Pair<'a>], list: List) -> Values<'a> {
        Values {
            pairs,
            whole: None,
            optional: !self.route.params[index].param.required,
            list,
            schema: ParamSchema { route: self.route, index },
            field: None,
        }
    }

    fn deny_unknown(&mut self, known: &Asked) {
        let open = || known.open.iter().map(|index| ParamSchema { route: self.route, index: *index });
        let is_known = |name: &str| known.fields.contains(&name) || open().any(|param| param.has(name));
        for group in self.query.groups().filter(|group| !is_known(&group[0].name)) {
            let name = &group[0].name;
            let value = texts(group.iter().filter_map(|pair| Some(pair.raw.text().ok()?.into_owned())));
            let value = value.filter(|_| !crate::config::is_secret_name(name));
            let described: Vec<_> = open().flat_map(ParamSchema::names).collect();
            let message = unknown(name, known.fields.iter().copied().chain(described.iter().map(String::as_str)));
            let found = Found { pointer: String::new(), rule: "additionalProperties", message, value };
            self.problems.named(ParamPlace::Query, name, found);
        }
    }
}

/// Sets one parameter from texts; tells what is wrong with it.
fn set<'de, A: Args<'de>>(args: &mut A, problems: &mut Problems, values: Values<'_>) {
    if let Err(refusal) = args.set(values.schema.index, values) {
        tell::<A>(problems, values, refusal);
    }
}

#[cold]
fn tell<'de, A: Args<'de>>(problems: &mut Problems, values: Values<'_>, refusal: Refusal) {
    let ParamSchema { route, index } = values.schema;
    let param = &route.params[index];
    let found = match refusal.absent {
        true if !param.param.required => return,
        true => vec![missing(String::new())],
        false => explain_texts::<A>(route, index, values, refusal),
    };
    for found in found {
        match param.place {
            ParamPlace::Body(_) => problems.body(found),
            ParamPlace::Field(_) => {
                let pointer = format!("/{}{}", walk::escape(param.name), found.pointer);
                problems.body(Found { pointer, ..found });
            }
            place => {
                // Of a parameter that takes its fields from the query, the field.
                let name = found.pointer.strip_prefix('/').map(|name| name.replace("~1", "/").replace("~0", "~"));
                problems.named(place, name.as_deref().unwrap_or(param.name), found);
            }
        }
    }
}
