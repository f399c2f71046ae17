//! Forms: `application/x-www-form-urlencoded` and `multipart/form-data`, as texts and files by name.

use std::borrow::Cow;

use axum::http::header;
use bytes::Bytes;
use futures_util::stream;
use multer::Multipart;

use super::values::{Pair, Pairs, Part, Raw};
use crate::codec::essence;

/// Whether a content type is this one, whatever its parameters.
pub(super) fn is(content_type: &str, wanted: &str) -> bool {
    essence(content_type).eq_ignore_ascii_case(wanted)
}

/// The parts of a multipart body that is in memory.
///
/// # Errors
///
/// A text for people, where it is no such body.
pub(super) async fn parts(content_type: &str, body: Bytes) -> Result<Pairs<'static>, String> {
    let boundary = multer::parse_boundary(content_type).map_err(|error| error.to_string())?;
    let mut multipart = Multipart::new(stream::iter([Ok::<_, std::io::Error>(body)]), boundary);
    let mut pairs = Vec::new();
    while let Some(part) = multipart.next_field().await.map_err(|error| error.to_string())? {
        // RFC 7578 (5.1) has names in UTF-8; without theirs a file would be taken for a text, and a field would be missing.
        let disposition = part.headers().get(header::CONTENT_DISPOSITION);
        if disposition.is_some_and(|text| std::str::from_utf8(text.as_bytes()).is_err()) {
            return Err("the name of a part, or of its file, is not UTF-8".to_owned());
        }
        // What has no name is no field of a form.
        let Some(name) = part.name().map(str::to_owned) else { continue };
        let file_name = part.file_name().map(str::to_owned);
        let content_type = part.content_type().map(ToString::to_string);
        let bytes = part.bytes().await.map_err(|error| error.to_string())?;
        // So browsers send the field of a file that nobody chose.
        if file_name.as_deref() == Some("") && bytes.is_empty() {
            continue;
        }
        pairs.push(Pair { name: Cow::Owned(name), raw: Raw::Part(Part { file_name, content_type, bytes }) });
    }
    Ok(Pairs::new(pairs))
}
