//! Content that does not change while the program runs: packed once, told from older versions by a tag.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    io::{Read, Write},
};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};
use bytes::Bytes;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};

/// Something that is served as it is.
pub(in crate::http) struct File {
    media: &'static str,
    packed: Bytes,
    tag: HeaderValue,
}

impl File {
    /// Of content that is not packed yet.
    pub(in crate::http) fn plain(media: &'static str, content: &[u8]) -> Self {
        let mut packer = GzEncoder::new(Vec::new(), Compression::default());
        let packed = packer.write_all(content).and_then(|()| packer.finish());
        Self::of(media, Bytes::from(packed.expect("writing to memory does not fail")))
    }

    /// Of content that is packed already.
    pub(in crate::http) fn gzip(media: &'static str, packed: &'static [u8]) -> Self {
        Self::of(media, Bytes::from_static(packed))
    }

    fn of(media: &'static str, packed: Bytes) -> Self {
        let mut hasher = DefaultHasher::new();
        packed.hash(&mut hasher);
        // Weak: packed and unpacked are the same content, not the same bytes.
        let tag = HeaderValue::try_from(format!("W/\"{:016x}\"", hasher.finish()));
        Self { media, packed, tag: tag.expect("hexadecimal digits are a header's value") }
    }

    pub(in crate::http) fn response(&self, request: &HeaderMap) -> Response {
        let mut response = Response::new(Body::empty());
        secure(response.headers_mut());
        let set = response.headers_mut();
        set.insert(header::ETAG, self.tag.clone());
        set.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        // Kept, and asked for again each time: another version of the program may be behind the same address.
        set.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        set.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.media));
        if has_tag(request, &self.tag) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        } else if takes_gzip(request) {
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            *response.body_mut() = Body::from(self.packed.clone());
        } else {
            *response.body_mut() = Body::from(self.unpacked());
        }
        response
    }

    fn unpacked(&self) -> Vec<u8> {
        let mut content = Vec::new();
        GzDecoder::new(&*self.packed)
            .read_to_end(&mut content)
            .expect("it was packed by this program, or before it was built");
        content
    }
}

/// What every answer of a page says to the browser.
pub(super) fn secure(headers: &mut HeaderMap) {
    const ALL: [(HeaderName, &str); 2] =
        [(header::X_CONTENT_TYPE_OPTIONS, "nosniff"), (header::REFERRER_POLICY, "no-referrer")];
    for (name, value) in ALL {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

fn has_tag(request: &HeaderMap, tag: &HeaderValue) -> bool {
    let known = request.get_all(header::IF_NONE_MATCH).into_iter().filter_map(|value| value.to_str().ok());
    known.flat_map(|tags| tags.split(',')).any(|known| known.trim() == "*" || known.trim().as_bytes() == tag.as_bytes())
}

fn takes_gzip(request: &HeaderMap) -> bool {
    let accepted = request.get_all(header::ACCEPT_ENCODING).into_iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|codings| codings.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().strip_prefix("q=").map_or(Ok(1.0), str::parse::<f32>);
        name.trim().eq_ignore_ascii_case("gzip") && weight.is_ok_and(|weight| weight > 0.0)
    })
}
