//! Whether a request comes from one of the program's own pages, or was made by a page of somebody else's in the same browser.

use std::net::IpAddr;

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, header, uri::Authority},
};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Why a request is not taken that needs to bring nothing which a page of its own does not have by itself; `None`: it is taken.
///
/// Only under an IP address or `localhost`: a name of a stranger's can be made to lead here after the browser has loaded the stranger's
/// page under it (DNS rebinding). And only from the same origin: with CORS open to all, any page could read and send.
pub(in crate::http) fn refusal(request: &Request) -> Option<&'static str> {
    let Some(authority) = authority(request) else { return Some("it does not say which host it is for") };
    if !is_local(authority.host()) {
        return Some("it is for a host name: open the page by an IP address or as localhost");
    }
    foreign(request)
}

/// The same for a request that brings a secret, under whatever host: a stranger's page, which may be made to lead here, does not know it.
pub(in crate::http) fn foreign(request: &Request) -> Option<&'static str> {
    let authority = authority(request);
    let is_own = |origin| authority.as_ref().is_some_and(|authority| is_origin(origin, authority));
    let from_elsewhere = text(request.headers(), header::ORIGIN).is_some_and(|origin| !is_own(origin));
    // Browsers alone send it, and no page can change it. `none` is the address bar.
    let cross_site = text(request.headers(), FETCH_SITE).is_some_and(|site| site != "same-origin" && site != "none");
    (from_elsewhere || cross_site).then_some("it comes from a page of another origin")
}

fn authority(request: &Request) -> Option<Authority> {
    match request.uri().authority() {
        Some(authority) => Some(authority.clone()),
        None => text(request.headers(), header::HOST)?.parse().ok(),
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    // What is no text is from nobody.
    headers.get(name).map(|value| value.to_str().unwrap_or_default())
}

fn is_local(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    address.parse::<IpAddr>().is_ok() || host.eq_ignore_ascii_case("localhost")
}

fn is_origin(origin: &str, authority: &Authority) -> bool {
    let origin = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    origin.is_some_and(|origin| origin.eq_ignore_ascii_case(authority.as_str()))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn request(headers: &[(&str, &str)]) -> Request {
        let request =
            headers.iter().fold(Request::get("/docs"), |request, (name, value)| request.header(*name, *value));
        request.body(Body::empty()).unwrap()
    }

    fn is_refused(headers: &[(&str, &str)]) -> bool {
        refusal(&request(headers)).is_some()
    }

    #[test]
    fn only_addresses_and_localhost_are_hosts() {
        for taken in ["127.0.0.1:8000", "localhost", "LOCALHOST:1", "[::1]:8000", "192.168.1.7"] {
            assert!(!is_refused(&[("host", taken)]), "{taken}");
        }
        for refused in ["evil.example", "127.0.0.1.evil.example:80", "localhost.evil.example", ""] {
            assert!(is_refused(&[("host", refused)]), "{refused}");
        }
        assert!(is_refused(&[]));
    }

    #[test]
    fn pages_of_other_origins_are_refused() {
        let host = ("host", "127.0.0.1:8000");
        assert!(!is_refused(&[host, ("origin", "http://127.0.0.1:8000"), ("sec-fetch-site", "same-origin")]));
        assert!(!is_refused(&[host, ("sec-fetch-site", "none")]));
        assert!(is_refused(&[host, ("origin", "http://127.0.0.1:9000")]), "another port is another program");
        assert!(is_refused(&[host, ("origin", "null")]));
        for site in ["cross-site", "same-site"] {
            assert!(is_refused(&[host, ("sec-fetch-site", site)]), "{site}");
        }
    }

    #[test]
    fn who_brings_a_secret_may_ask_under_any_name_and_from_no_other_page() {
        let host = ("host", "orders.internal:9000");
        for taken in [&[][..], &[host], &[host, ("origin", "http://orders.internal:9000")]] {
            assert_eq!(foreign(&request(taken)), None, "{taken:?}");
        }
        for refused in [
            &[host, ("origin", "http://evil.example")][..],
            &[("origin", "http://evil.example")],
            &[host, ("sec-fetch-site", "cross-site")],
        ] {
            assert!(foreign(&request(refused)).is_some(), "{refused:?}");
        }
    }
}
