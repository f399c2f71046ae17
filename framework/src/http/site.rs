//! What a program serves beside the routes of its services, and all of it as one router.

use std::{fmt, path::PathBuf};

use axum::{
    Router,
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::from_fn,
    response::Response,
};
use tower_http::services::{ServeDir, ServeFile};

use super::{
    problem,
    router::{Routes, is_below},
    serving::{HttpSettings, Routers, bounded},
};
use crate::{Error, ErrorKind, Result};

/// What the user added to the program's HTTP server.
#[derive(Default)]
pub(crate) struct Site {
    mounts: Vec<Mount>,
    layers: Vec<Box<dyn FnOnce(Router) -> Router + Send + Sync>>,
}

struct Mount {
    path: String,
    content: Content,
}

enum Content {
    Router(Router),
    Files { folder: PathBuf, single_page: bool },
}

impl Site {
    /// Serves a router at a path and below it.
    pub(super) fn router(&mut self, path: String, router: Router) {
        self.mounts.push(Mount { path, content: Content::Router(router) });
    }

    /// Serves a folder of files at a path and below it.
    pub(super) fn files(&mut self, path: String, folder: PathBuf, single_page: bool) {
        self.mounts.push(Mount { path, content: Content::Files { folder, single_page } });
    }

    pub(super) fn layer(&mut self, layer: impl FnOnce(Router) -> Router + Send + Sync + 'static) {
        self.layers.push(Box::new(layer));
    }

    /// Whether it has nothing to serve.
    pub(crate) fn is_empty(&self) -> bool {
        self.mounts.is_empty()
    }

    /// The whole of what the program serves: its services' routes, these, and what goes around both.
    ///
    /// `routes` are the paths of the services' routes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] for paths that are none or that are served twice, and for a folder that is missing.
    pub(crate) fn assemble(self, services: Routes, routes: &[String], settings: &HttpSettings) -> Result<Routers> {
        let Routes { router: mut services, direct } = services;
        let mut mounted: Vec<(String, Router)> = Vec::new();
        let mut has_fallback = false;
        for Mount { path, content } in self.mounts {
            let prefix = prefix(&path)?;
            let content = bounded(content.router(&path, &prefix)?, settings.requests);
            if prefix.is_empty() {
                if std::mem::replace(&mut has_fallback, true) {
                    return Err(usage("`/` is served twice: mount one of them below a path of its own"));
                }
                services = services.fallback_service(content);
                continue;
            }
            if let Some(route) = routes.iter().find(|route| is_below(route, &prefix)) {
                return Err(usage(format!(
                    "`{path}` is mounted, and the route `{route}` is there already: move one of them"
                )));
            }
            if mounted.iter().any(|(other, _)| *other == prefix) {
                return Err(usage(format!("`{path}` is mounted twice")));
            }
            mounted.push((prefix, content));
        }
        // A layer is around every request.
        let direct = self.layers.is_empty().then(|| direct.beside(mounted.iter().map(|(prefix, _)| prefix.clone())));
        let whole = match mounted.is_empty() {
            true => services,
            // Services keep a router of their own: what is mounted beside them cannot get in its way.
            false => mounted
                .into_iter()
                .fold(Router::new(), |whole, (prefix, content)| whole.nest_service(&prefix, content))
                .fallback_service(services),
        };
        let layered = self.layers.into_iter().fold(whole, |router, layer| layer(router));
        Ok(Routers::surround(layered, direct, settings))
    }
}

impl Content {
    fn router(self, path: &str, prefix: &str) -> Result<Router> {
        let (folder, single_page) = match self {
            Self::Router(router) => return Ok(router),
            Self::Files { folder, single_page } => (folder, single_page),
        };
        let index = folder.join("index.html");
        if !folder.is_dir() {
            let at = folder.display();
            return Err(usage(format!(
                "the folder `{at}`, to be served at `{path}`, is not there (paths begin at the working directory)"
            )));
        }
        if single_page && !index.is_file() {
            let at = index.display();
            return Err(usage(format!("the page `{at}`, to be served at `{path}`, is not there")));
        }
        // A folder without its last slash is asked for again with it, where the caller knows it.
        let files = ServeDir::new(&folder).redirect_path_prefix(prefix);
        let router = match single_page {
            true => Router::new().fallback_service(files.fallback(ServeFile::new(index))),
            false => Router::new().fallback_service(files.fallback(Router::new().fallback(missing))),
        };
        Ok(router.layer(from_fn(|request: Request, next: axum::middleware::Next| async move {
            let path = request.uri().path();
            // To a browser `//name` is another host: no answer may send it there.
            match is_hidden(path) || is_too_long(path) || path.starts_with("//") {
                true => missing().await,
                false => typed(next.run(request).await),
            }
        })))
    }
}

/// The answer with its type said in full, for browsers that would guess: text is UTF-8, and what is no page is not taken for one.
fn typed(mut answer: Response) -> Response {
    let content_type = answer.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let in_full = content_type
        .filter(|value| value.starts_with("text/") && !value.contains(';'))
        .and_then(|value| HeaderValue::from_str(&format!("{value}; charset=utf-8")).ok());
    let headers = answer.headers_mut();
    if let Some(value) = in_full {
        headers.insert(header::CONTENT_TYPE, value);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

async fn missing() -> Response {
    problem::response(&problem::plain(StatusCode::NOT_FOUND, "no such file"), "")
}

/// Whether a path leads through a name that begins with a dot, such as `.git` or `.env`: those are there by mistake.
/// `.well-known` is meant.
fn is_hidden(path: &str) -> bool {
    let plain = path.replace("%2e", ".").replace("%2E", ".").replace("%2f", "/").replace("%2F", "/");
    plain.split('/').any(|segment| segment.starts_with('.') && segment != ".well-known")
}

/// Whether a name is longer than any file's can be, to which the system has an error of its own.
fn is_too_long(path: &str) -> bool {
    path.split('/').any(|segment| segment.len() > 255)
}

/// A path without its last slash.
fn prefix(path: &str) -> Result<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-._~".contains(c);
    if !path.starts_with('/') || !path.chars().all(plain) || path.contains("//") {
        return Err(usage(format!(
            "nothing can be mounted at `{path}`: write a path such as `/admin`, without parameters"
        )));
    }
    Ok(path.trim_end_matches('/').to_owned())
}

fn usage(text: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Usage, text)
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths: Vec<_> = self.mounts.iter().map(|mount| &mount.path).collect();
        f.debug_struct("Site").field("mounts", &paths).field("layers", &self.layers.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dot_files_are_hidden_however_they_are_spelt() {
        for hidden in ["/.git/config", "/%2egit/config", "/a/%2E%2e/b", "/a%2f.env", "/..", "/.well-known/../x"] {
            assert!(is_hidden(hidden), "{hidden}");
        }
        for shown in ["/", "/index.html", "/a.b/c.d", "/.well-known/security.txt"] {
            assert!(!is_hidden(shown), "{shown}");
        }
    }

    #[test]
    fn paths_are_plain() {
        assert_eq!(prefix("/admin/").unwrap(), "/admin");
        assert_eq!(prefix("/").unwrap(), "");
        for wrong in ["", "admin", "/{id}", "/a//b", "/ä", "/a*"] {
            assert!(prefix(wrong).is_err(), "{wrong}");
        }
    }
}
