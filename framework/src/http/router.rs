//! The routes of all services of a program, as one router; what cannot stand beside each other is told before anything is served.

use std::{collections::BTreeMap, convert::Infallible, future::Future};

use axum::{
    Router,
    http::Method,
    response::Response,
    routing::{MethodFilter, MethodRouter, on},
};

use super::problem;
use crate::{Error, ErrorKind, Result};

/// One verb of one path.
pub(crate) struct Route {
    verb: &'static str,
    path: String,
    /// Who serves it, for people.
    owner: String,
    handler: MethodRouter,
}

impl Route {
    pub(crate) fn new<F, R>(verb: &'static str, path: &str, owner: String, serve: F) -> Self
    where
        F: Fn(axum::extract::Request) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Response> + Send + 'static,
    {
        let filter = Method::from_bytes(verb.as_bytes()).ok().and_then(|verb| MethodFilter::try_from(verb).ok());
        // The macro takes no other verbs.
        let filter = filter.unwrap_or(MethodFilter::GET);
        Self { verb, path: path.to_owned(), owner, handler: on(filter, serve) }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }
}

/// One router of all routes. Not found, and not by this verb, are problems as well.
///
/// # Errors
///
/// [`ErrorKind::Usage`] for two routes that no request could choose between.
pub(crate) fn router(routes: Vec<Route>) -> Result<Router> {
    let mut by_path: BTreeMap<String, Vec<Route>> = BTreeMap::new();
    let mut paths = matchit::Router::new();
    for route in routes {
        let shape = shape(&route.path);
        let others = by_path.entry(shape.clone()).or_default();
        if let Some(other) = others.iter().find(|other| other.verb == route.verb) {
            let text = format!(
                "{} {} is served by {} and by {} ({}): leave one of them out, or give a service a prefix of its own by \
                 `#[service(http = \"/…\")]`",
                route.verb, route.path, other.owner, route.owner, other.path
            );
            return Err(Error::new(ErrorKind::Usage, text));
        }
        if others.is_empty()
            && let Err(error) = paths.insert(shape, ())
        {
            let text = format!("{} {} of {} cannot be served: {error}", route.verb, route.path, route.owner);
            return Err(Error::new(ErrorKind::Usage, text));
        }
        others.push(route);
    }
    let mut router = Router::new();
    for (path, routes) in by_path {
        let verbs =
            routes.into_iter().fold(MethodRouter::<(), Infallible>::new(), |verbs, route| verbs.merge(route.handler));
        router = router.route(&path, verbs);
    }
    Ok(router
        .fallback(|| async { problem::response(&problem::not_found(), "") })
        .method_not_allowed_fallback(|| async { problem::response(&problem::method_not_allowed(), "") }))
}

/// The path with its parameters named by their place, so that two routes may name them otherwise.
fn shape(path: &str) -> String {
    let segments = path.split('/').enumerate().map(|(place, segment)| {
        match segment.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) if name.starts_with('*') => format!("{{*p{place}}}"),
            Some(_) => format!("{{p{place}}}"),
            None => segment.to_owned(),
        }
    });
    segments.collect::<Vec<_>>().join("/")
}

/// The names of a path's parameters, in order.
pub(super) fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|segment| {
        let name = segment.strip_prefix('{')?.strip_suffix('}')?;
        Some(name.strip_prefix('*').unwrap_or(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(verb: &'static str, path: &str, owner: &str) -> Route {
        Route::new(verb, path, format!("`{owner}`"), |_| async { Response::default() })
    }

    #[test]
    fn routes_that_collide_are_refused_with_both_names() {
        let ok = vec![
            route("GET", "/a/{id}", "x.get"),
            route("DELETE", "/a/{other}", "x.delete"),
            route("GET", "/a/me", "x.me"),
        ];
        assert!(router(ok).is_ok());
        let twice = router(vec![route("GET", "/a/{id}", "x.get"), route("GET", "/a/{name}", "y.get")]).unwrap_err();
        assert_eq!(twice.kind(), ErrorKind::Usage);
        assert!(twice.to_string().contains("`x.get`") && twice.to_string().contains("`y.get`"), "{twice}");
        let malformed = router(vec![route("GET", "/a/{*rest}/b", "x.get")]).unwrap_err();
        assert!(malformed.to_string().contains("cannot be served"), "{malformed}");
    }

    #[test]
    fn names_are_in_order() {
        assert_eq!(names("/a/{id}/b/{*rest}").collect::<Vec<_>>(), ["id", "rest"]);
    }
}
