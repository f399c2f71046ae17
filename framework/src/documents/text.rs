//! Doc comments as a summary and a description.

use crate::protocol::Value;

/// Sets `summary` and `description`: the first line of a doc comment, and what follows it. A summary of its own leaves the comment whole.
pub(super) fn describe(object: &mut Value, doc: &str, summary: Option<&str>) {
    let (first, rest) = match summary {
        Some(own) => (own, doc),
        None => doc.split_once('\n').unwrap_or((doc, "")),
    };
    for (key, text) in [("summary", first.trim()), ("description", rest.trim())] {
        if !text.is_empty() {
            object[key] = text.into();
        }
    }
}
