//! The routes of all services of a program, as one router; what cannot stand beside each other is told before anything is served.

use std::{collections::BTreeMap, convert::Infallible, fmt, future::Future, sync::Arc};

use axum::{
    Router,
    http::{Method, Request},
    response::Response,
    routing::{MethodFilter, MethodRouter, on},
};

use super::{entrypoint::Served, problem};
use crate::{Error, ErrorKind, Result};

/// One verb of one path.
pub(crate) struct Route {
    verb: &'static str,
    path: String,
    /// Who serves it, for people.
    owner: String,
    handler: MethodRouter,
    direct: Option<Arc<Served>>,
}

impl Route {
    pub(crate) fn new<F, R>(verb: &'static str, path: &str, owner: String, serve: F) -> Self
    where
        F: Fn(axum::extract::Request) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Response> + Send + 'static,
    {
        let filter = verb_of(verb).and_then(|verb| MethodFilter::try_from(verb).ok());
        // The macro takes no other verbs.
        let filter = filter.unwrap_or(MethodFilter::GET);
        Self { verb, path: path.to_owned(), owner, handler: on(filter, serve), direct: None }
    }

    /// The same, for requests that come past axum's router: where no extractor asks for what that makes ready.
    pub(super) fn directly(self, served: Arc<Served>) -> Self {
        Self { direct: Some(served), ..self }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }
}

/// All routes, in both forms.
#[derive(Debug)]
pub(crate) struct Routes {
    pub(super) router: Router,
    pub(super) direct: Direct,
}

/// The methods of one path.
type Verbs = Vec<(Method, Arc<Served>)>;

/// The way from a request to the method that it fires, past axum's router.
///
/// It has all paths, so that it chooses as that one does, and not all verbs: what is not here is there.
#[derive(Clone)]
pub(crate) struct Direct {
    paths: Arc<matchit::Router<Verbs>>,
    /// Where something else is mounted, which goes before.
    mounted: Arc<[String]>,
}

impl Direct {
    /// The same beside what is mounted at these prefixes.
    pub(super) fn beside(self, mounted: impl Iterator<Item = String>) -> Self {
        Self { mounted: mounted.collect(), ..self }
    }

    pub(super) fn find<B>(&self, request: &Request<B>) -> Option<&Arc<Served>> {
        let path = request.uri().path();
        let verbs = self.paths.at(path).ok()?.value;
        let (_, served) = verbs.iter().find(|(verb, _)| verb == request.method())?;
        (!self.mounted.iter().any(|prefix| is_below(path, prefix))).then_some(served)
    }
}

impl fmt::Debug for Direct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Direct").field("mounted", &self.mounted).finish_non_exhaustive()
    }
}

/// Whether a path is a prefix, which has no slash at its end, or below it.
pub(super) fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// One router of all routes. Not found, and not by this verb, are problems as well.
///
/// # Errors
///
/// [`ErrorKind::Usage`] for two routes that no request could choose between.
pub(crate) fn router(routes: Vec<Route>) -> Result<Routes> {
    let mut by_path: BTreeMap<String, Vec<Route>> = BTreeMap::new();
    for route in routes {
        let others = by_path.entry(shape(&route.path)).or_default();
        if let Some(other) = others.iter().find(|other| other.verb == route.verb) {
            let text = format!(
                "{} {} is served by {} and by {} ({}): leave one of them out, or give a service a prefix of its own by \
                 `#[service(http = \"/…\")]`",
                route.verb, route.path, other.owner, route.owner, other.path
            );
            return Err(Error::new(ErrorKind::Usage, text));
        }
        others.push(route);
    }
    let (mut router, mut paths) = (Router::new(), matchit::Router::new());
    for (path, routes) in by_path {
        let direct = routes.iter().filter_map(|route| Some((verb_of(route.verb)?, route.direct.clone()?)));
        if let Err(error) = paths.insert(path.clone(), direct.collect()) {
            let Route { verb, path, owner, .. } = &routes[0];
            return Err(Error::new(ErrorKind::Usage, format!("{verb} {path} of {owner} cannot be served: {error}")));
        }
        let verbs =
            routes.into_iter().fold(MethodRouter::<(), Infallible>::new(), |verbs, route| verbs.merge(route.handler));
        router = router.route(&path, verbs);
    }
    let router = router
        .fallback(|| async { problem::response(&problem::not_found(), "") })
        .method_not_allowed_fallback(|| async { problem::response(&problem::method_not_allowed(), "") });
    Ok(Routes { router, direct: Direct { paths: Arc::new(paths), mounted: Arc::default() } })
}

fn verb_of(verb: &str) -> Option<Method> {
    Method::from_bytes(verb.as_bytes()).ok()
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

/// The parameters of a route's path, found once for all of its requests.
pub(super) struct PathParams(Vec<PathParam>);

struct PathParam {
    name: &'static str,
    /// How many segments are before it.
    segment: usize,
    /// Whether it takes all that follows.
    is_rest: bool,
}

impl PathParams {
    pub(super) fn of(route: &'static str) -> Self {
        let params = route.split('/').enumerate().filter_map(|(segment, text)| {
            let name = text.strip_prefix('{')?.strip_suffix('}')?;
            let rest = name.strip_prefix('*');
            Some(PathParam { name: rest.unwrap_or(name), segment, is_rest: rest.is_some() })
        });
        Self(params.collect())
    }

    /// What a request's path has for them, in order and still encoded.
    pub(super) fn find<'a>(&self, path: &'a str) -> impl Iterator<Item = (&'static str, &'a str)> {
        // Bytes: a slash is never a part of another character, and looking for a `char` costs more than the rest of this.
        let (mut left, mut at) = (path, 0);
        let cut = |text: &'a str| match text.bytes().position(|byte| byte == b'/') {
            Some(slash) => (&text[..slash], &text[slash + 1..]),
            None => (text, ""),
        };
        self.0.iter().map(move |param| {
            while at < param.segment {
                left = cut(left).1;
                at += 1;
            }
            (param.name, if param.is_rest { left } else { cut(left).0 })
        })
    }
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
    fn parameters_are_named_by_their_place() {
        let found = |route, path| PathParams::of(route).find(path).collect::<Vec<_>>();
        assert_eq!(found("/a/{id}/b/{*rest}", "/a/1%2F2/b/c/d"), [("id", "1%2F2"), ("rest", "c/d")]);
        assert_eq!(found("/{a}/{b}/", "/1/ö/"), [("a", "1"), ("b", "ö")]);
        assert_eq!(found("/a/{*rest}", "/a/"), [("rest", "")]);
        assert_eq!(found("/a/b", "/a/b"), []);
    }
}
