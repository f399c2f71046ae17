//! The cookie that may carry a caller's token.
//!
//! Browsers send a cookie along with whatever request any page makes. So it counts only for requests of pages of the same host, and of
//! those that the settings name; a request that changes nothing may come from anywhere, since the page that made it does not see the answer.

use axum::http::{HeaderMap, HeaderName, Method, header, request::Parts};

use super::origin::Origins;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

pub(super) struct TokenCookie {
    name: String,
    /// The pages that may send it beside those of the same host.
    origins: Origins,
}

impl TokenCookie {
    /// That of a service that has one.
    #[cfg(feature = "jwt")]
    pub(super) fn of(scope: &crate::dependency::ContainerScope) -> crate::Result<Option<Self>> {
        let Some(jwt) = scope.registry.ready::<crate::auth::Jwt>() else { return Ok(None) };
        let Some(name) = jwt.cookie() else { return Ok(None) };
        let settings = &scope.process.settings;
        let is_name = |c: char| c.is_ascii_graphic() && !"()<>@,;:\\\"/[]?={}".contains(c);
        if name.is_empty() || !name.chars().all(is_name) {
            let key = format!("{}.cookie", jwt.section());
            return Err(
                settings.refuse(&key, format!("no cookie is called {name:?}: write letters, digits, `-` and `_`"))
            );
        }
        let origins = Origins::read(settings, &format!("{}.cookie_origins", jwt.section()))?;
        Ok(Some(Self { name: name.to_owned(), origins }))
    }

    #[cfg(not(feature = "jwt"))]
    pub(super) fn of(_: &crate::dependency::ContainerScope) -> crate::Result<Option<Self>> {
        Ok(None)
    }

    /// The token of a request.
    pub(super) fn token<'a>(&self, request: &'a Parts) -> Option<&'a str> {
        let token = self.find(&request.headers)?;
        let changes_nothing = matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS);
        if changes_nothing || self.may_send(request) {
            return Some(token);
        }
        tracing::warn!(
            path = request.uri.path(),
            "a token in a cookie is not believed: the request is of another site's page"
        );
        None
    }

    /// That of a request that opens a socket, by which anything may be asked.
    pub(super) fn token_of_socket<'a>(&self, request: &'a Parts) -> Option<&'a str> {
        self.find(&request.headers).filter(|_| self.may_send(request))
    }

    fn may_send(&self, request: &Parts) -> bool {
        let site = request.headers.get(SEC_FETCH_SITE).map(|site| site.as_bytes());
        match site {
            // By what the browser itself says; `none`: it was typed.
            Some(b"same-origin" | b"none") => true,
            Some(_) => request.headers.get(header::ORIGIN).is_some_and(|origin| self.origins.has(origin)),
            None => self.origins.may_connect(request),
        }
    }

    /// Two of one name are none: whoever can set a cookie for a host above this one could choose who calls.
    fn find<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
        let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let mut found = pairs.filter(|(name, _)| *name == self.name).map(|(_, value)| value);
        let first = found.next()?;
        let value = first.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(first);
        (found.next().is_none() && !value.is_empty()).then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;
    use crate::Settings;

    fn believed(method: &str, headers: &[(&str, &str)]) -> bool {
        let mut settings = Settings::default();
        settings.set("origins", "https://front.example");
        let cookie = TokenCookie { name: "session".into(), origins: Origins::read(&settings, "origins").unwrap() };
        let mut request = Request::builder().method(method).uri("/").header("host", "shop.example");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        cookie.token(&request.body(()).unwrap().into_parts().0) == Some("t.o.k")
    }

    const COOKIE: (&str, &str) = ("cookie", "lang=de; session=t.o.k");

    #[test]
    fn a_page_of_the_same_host_and_whoever_is_no_browser_may_send_it() {
        assert!(believed("POST", &[COOKIE]));
        assert!(believed("POST", &[COOKIE, ("origin", "https://shop.example")]));
        assert!(believed("POST", &[COOKIE, ("sec-fetch-site", "same-origin"), ("origin", "https://shop.example")]));
        assert!(believed("POST", &[COOKIE, ("sec-fetch-site", "cross-site"), ("origin", "https://front.example")]));
        assert!(believed("GET", &[COOKIE, ("origin", "https://evil.example")]), "it changes nothing");
        assert!(believed("GET", &[("cookie", "session=\"t.o.k\"")]));
    }

    #[test]
    fn a_page_of_another_host_may_not() {
        for method in ["POST", "PUT", "PATCH", "DELETE", "BREW"] {
            assert!(!believed(method, &[COOKIE, ("origin", "https://evil.example")]), "{method}");
            assert!(!believed(method, &[COOKIE, ("origin", "null")]), "{method}");
            assert!(!believed(method, &[COOKIE, ("sec-fetch-site", "cross-site")]), "{method}");
            assert!(!believed(
                method,
                &[COOKIE, ("sec-fetch-site", "same-site"), ("origin", "https://x.shop.example")]
            ));
        }
    }

    #[test]
    fn two_cookies_of_the_name_are_none() {
        assert!(!believed("GET", &[("cookie", "session=a; session=t.o.k")]));
        assert!(!believed("GET", &[("cookie", "session=t.o.k"), ("cookie", "session=t.o.k")]));
        assert!(!believed("GET", &[("cookie", "session=")]));
        assert!(!believed("GET", &[("cookie", "sessions=t.o.k; xsession=t.o.k")]));
    }
}
