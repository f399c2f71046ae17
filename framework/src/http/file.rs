//! Uploaded files.

use std::{borrow::Cow, cell::RefCell, fmt};

use bytes::Bytes;
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, Visitor},
};

/// A file that came as a part of a `multipart/form-data` body.
///
/// A parameter, or a field of the struct that is the whole form: `File`, `Option<File>`, `Vec<File>` for a part that may come
/// several times. The body is read before the method runs, up to the route's `max_body_bytes`, so that the file is in memory.
/// It can come in no other way: read from JSON it is refused.
///
/// # Examples
///
/// ```
/// use kinoko::http::File;
///
/// fn stored_as(picture: &File) -> String {
///     // The name is the caller's text, a path perhaps: never one of ours.
///     format!("{}.{}", picture.bytes().len(), if picture.content_type() == Some("image/png") { "png" } else { "bin" })
/// }
/// assert_eq!(stored_as(&File::new(None, Some("image/png".into()), "abc".into())), "3.png");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct File {
    name: Option<String>,
    content_type: Option<String>,
    bytes: Bytes,
}

impl File {
    /// A file as a test sends one to a method.
    pub fn new(name: Option<String>, content_type: Option<String>, bytes: Bytes) -> Self {
        Self { name, content_type, bytes }
    }

    /// What the caller calls it. Nothing may be believed of it: it may hold `/` and `..`.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// What the caller says that it is, such as `image/png`. Nothing was checked.
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// What is in it.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// What is in it, taken out.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }
}

impl fmt::Debug for File {
    /// Without its bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, content_type, bytes } = self;
        f.debug_struct("File")
            .field("name", name)
            .field("content_type", content_type)
            .field("bytes", &bytes.len())
            .finish()
    }
}

/// Says to the deserializer of a multipart body that a file is asked for. No Rust type has such a name.
pub(super) const TOKEN: &str = "$kinoko::http::File";

pub(super) const ELSEWHERE: &str = "must be a file, which only a part of a multipart/form-data body can be";

thread_local! {
    /// On its way past serde, which knows no files and would copy the bytes.
    static HANDED_OVER: RefCell<Option<File>> = const { RefCell::new(None) };
}

/// Has a file ready for the visitor that is called.
pub(super) fn hand_over<T>(file: File, visit: impl FnOnce() -> T) -> T {
    HANDED_OVER.set(Some(file));
    let visited = visit();
    HANDED_OVER.take();
    visited
}

impl<'de> Deserialize<'de> for File {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(TOKEN, FileVisitor)
    }
}

struct FileVisitor;

impl<'de> Visitor<'de> for FileVisitor {
    type Value = File;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a file")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<File, E> {
        HANDED_OVER.take().ok_or_else(|| E::custom(ELSEWHERE))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, _: D) -> Result<File, D::Error> {
        Err(D::Error::custom(ELSEWHERE))
    }
}

/// As OpenAPI 3.1 describes bytes that are not in JSON.
impl schemars::JsonSchema for File {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "File".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "format": "binary",
            "contentMediaType": "application/octet-stream",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_comes_in_no_other_way() {
        for json in ["\"text\"", "null", "{}", "[1]"] {
            let error = serde_json::from_str::<File>(json).unwrap_err().to_string();
            assert!(error.contains("multipart/form-data"), "{json}: {error}");
        }
    }

    #[test]
    fn its_bytes_are_not_shown() {
        let file = File::new(Some("a.txt".into()), None, "secret".into());
        assert_eq!(format!("{file:?}"), r#"File { name: Some("a.txt"), content_type: None, bytes: 6 }"#);
    }
}
