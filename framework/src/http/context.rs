//! A request's headers as a worker's context: what passes on along nested calls.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, header::AUTHORIZATION};

use crate::protocol::{
    Headers,
    context_data::{IDEMPOTENCY_KEY, TOKEN_HEADER, TRACE_COMPANIONS, TRACE_PARENT},
};

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest `X-Request-Id` that is taken over: it goes along with every nested call.
const MAX_REQUEST_ID: usize = 128;

/// What the head of a request says of its context.
pub(super) struct Head {
    /// What the worker's message carries.
    pub(super) headers: Headers,
    /// The caller's name for the request, which its answer has as well.
    pub(super) id: Option<HeaderValue>,
}

impl Head {
    /// `token`: what a cookie says, where nothing else does.
    pub(super) fn read(http: &HeaderMap, token: Option<&str>) -> Self {
        let mut headers = Headers::default();
        let (mut id, mut is_named) = (None, false);
        // One pass over the few headers of a request costs less than a look for each of those that count. Of several the first does.
        for (name, value) in http {
            let (key, value) = match name.as_str() {
                "x-request-id" if !is_named => {
                    is_named = true;
                    id = Some(value).filter(|id| is_plain(id)).cloned();
                    ("nameko.request_id", id.as_ref().and_then(|id| id.to_str().ok()))
                }
                name => match known(name, value) {
                    Some(known) => known,
                    None => continue,
                },
            };
            if let (Some(value), None) = (value, headers.get(key)) {
                headers.set(key, value);
            }
        }
        if let Some(token) = token.filter(|_| !http.contains_key(AUTHORIZATION)) {
            headers.set(TOKEN_HEADER, token);
        }
        Self { headers, id }
    }
}

/// A header that means the same to everybody: what the worker's message has in its place, and the value of it, if there is one.
pub(crate) fn known<'v>(name: &str, value: &'v HeaderValue) -> Option<(&'static str, Option<&'v str>)> {
    let text = || value.to_str().ok();
    Some(match name {
        "accept-language" => ("nameko.language", text().and_then(preferred)),
        "authorization" => (TOKEN_HEADER, text().and_then(bearer)),
        "idempotency-key" => (IDEMPOTENCY_KEY, text().and_then(key)),
        TRACE_PARENT => (TRACE_PARENT, text()),
        name => (TRACE_COMPANIONS.into_iter().find(|known| *known == name)?, text()),
    })
}

/// What a request is called, for its answer: whoever answers, a worker or nobody.
pub(super) struct RequestId(Option<HeaderValue>);

impl RequestId {
    /// As its caller calls it.
    pub(super) fn of(http: &HeaderMap) -> Self {
        Self(http.get(REQUEST_ID).filter(|id| is_plain(id)).cloned())
    }

    /// Writes it into the answer; where the caller has no name for the request, and who answered gave it none, a new one.
    pub(super) fn name<B>(self, answer: &mut Response<B>) {
        let headers = answer.headers_mut();
        match self.0 {
            Some(id) => drop(headers.insert(REQUEST_ID, id)),
            None if headers.contains_key(REQUEST_ID) => {}
            None => {
                let id = HeaderValue::from_str(uuid::Uuid::new_v4().hyphenated().encode_lower(&mut [0; 36]));
                headers.extend(id.ok().map(|id| (REQUEST_ID, id)));
            }
        }
    }
}

/// Whether an id can go into logs and headers as it is.
pub(crate) fn is_plain(id: &HeaderValue) -> bool {
    !id.is_empty() && id.len() <= MAX_REQUEST_ID && id.as_bytes().iter().all(u8::is_ascii_graphic)
}

/// The token of an `Authorization` header.
pub(super) fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_start())
}

/// What an `Idempotency-Key` says: a string in quotes by the IETF's draft, and bare as most send it.
fn key(value: &str) -> Option<&str> {
    let key = value.strip_prefix('"').and_then(|key| key.strip_suffix('"')).unwrap_or(value);
    (!key.is_empty()).then_some(key)
}

/// The language that the caller likes best: `de-CH, de;q=0.9, *;q=0.5` gives `de-CH`.
fn preferred(accept: &str) -> Option<&str> {
    let mut best: Option<(&str, f32)> = None;
    for entry in accept.split(',') {
        let (tag, parameters) = entry.split_once(';').unwrap_or((entry, ""));
        let tag = tag.trim();
        let weight = match parameters.trim().strip_prefix("q=") {
            Some(weight) => weight.trim().parse().unwrap_or(0.0),
            None => 1.0,
        };
        let is_tag = !tag.is_empty() && tag.len() <= 35 && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        // Of equals the first.
        if is_tag && weight > 0.0 && best.is_none_or(|(_, other)| weight > other) {
            best = Some((tag, weight));
        }
    }
    best.map(|(tag, _)| tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_that_is_liked_best_is_taken() {
        assert_eq!(preferred("de-CH, de;q=0.9, *;q=0.5"), Some("de-CH"));
        assert_eq!(preferred("fr;q=0.2, en;q=0.8"), Some("en"));
        assert_eq!(preferred("en;q=0, *"), None);
        assert_eq!(preferred(""), None);
        assert_eq!(preferred("<script>"), None);
    }

    #[test]
    fn only_plain_ids_are_taken_over() {
        let taken = |id: &str| is_plain(&HeaderValue::from_str(id).unwrap());
        assert!(taken("req-42"));
        assert!(!taken(""));
        assert!(!taken("a b"));
        assert!(!taken(&"x".repeat(129)));
    }
}
