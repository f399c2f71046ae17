//! Which pages may connect. Browsers let any page open a socket to any host, with the user's cookies: the server has to look.

use axum::http::{HeaderMap, Uri, header, request::Parts};

/// Whether a browser may connect from the page that it is at. Whoever sends no `Origin` is no browser.
pub(super) fn is_allowed(request: &Parts, allowed: &[String]) -> bool {
    let mut origins = request.headers.get_all(header::ORIGIN).iter();
    let Some(origin) = origins.next() else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    if origins.next().is_some() {
        return false;
    }
    let listed = allowed.iter().any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(origin));
    listed || is_same_host(origin, &request.headers, &request.uri)
}

/// Whether the page is of the host that is asked. The scheme says nothing: what stands before this program may have taken TLS off.
fn is_same_host(origin: &str, headers: &HeaderMap, uri: &Uri) -> bool {
    let asked = match headers.get(header::HOST) {
        Some(host) => host.to_str().ok(),
        // HTTP/2 has it in the URI.
        None => uri.authority().map(|authority| authority.as_str()),
    };
    match (origin.split_once("://"), asked) {
        (Some((scheme, host)), Some(asked)) => {
            without_default_port(host, scheme).eq_ignore_ascii_case(without_default_port(asked, scheme))
        }
        _ => false,
    }
}

fn without_default_port<'a>(host: &'a str, scheme: &str) -> &'a str {
    let port = if scheme.eq_ignore_ascii_case("https") { ":443" } else { ":80" };
    host.strip_suffix(port).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn allowed(host: &str, origin: &str, list: &[&str]) -> bool {
        let request = Request::builder().uri("/ws").header("host", host).header("origin", origin).body(()).unwrap();
        let list: Vec<_> = list.iter().map(ToString::to_string).collect();
        is_allowed(&request.into_parts().0, &list)
    }

    #[test]
    fn pages_of_the_same_host_and_those_listed_may_connect() {
        assert!(allowed("shop.example", "https://shop.example", &[]));
        assert!(allowed("SHOP.example:443", "https://shop.example", &[]));
        assert!(allowed("localhost:8000", "http://localhost:8000", &[]));
        assert!(allowed("api.example", "https://shop.example", &["https://shop.example"]));
        assert!(allowed("api.example", "null", &["*"]));
    }

    #[test]
    fn others_may_not() {
        assert!(!allowed("shop.example", "https://evil.example", &[]));
        assert!(!allowed("shop.example", "https://shop.example.evil.example", &[]));
        assert!(!allowed("localhost:8000", "http://localhost:3000", &[]));
        assert!(!allowed("shop.example", "null", &[]));
        assert!(!allowed("shop.example", "", &[]));
        assert!(!allowed("api.example", "http://shop.example", &["https://shop.example"]));
    }

    #[test]
    fn who_is_no_browser_may() {
        let request = Request::builder().uri("/ws").body(()).unwrap();
        assert!(is_allowed(&request.into_parts().0, &[]));
    }
}
