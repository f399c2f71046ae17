//! The paths of a document. Two that differ in nothing but the names of their parameters are one to OpenAPI.

use serde_json::{Map, json};

use crate::protocol::Value;

/// Each path as it is written in the document, by its shape.
#[derive(Default)]
pub(super) struct Paths(Vec<Path>);

struct Path {
    shape: String,
    written: String,
    names: Vec<String>,
    item: Value,
}

/// What a route's parameters of the path are called in the document, by the names that the route has for them.
pub(super) type PathNames = Vec<(String, String)>;

impl Paths {
    /// Where the operations of this path go.
    pub(super) fn item(&mut self, path: &str) -> (&mut Value, PathNames) {
        let own: Vec<_> = path.split('/').filter_map(parameter).map(str::to_owned).collect();
        let shape = rewritten(path, |_| "{}".to_owned());
        let place = self.0.iter().position(|known| known.shape == shape).unwrap_or_else(|| {
            let written = rewritten(path, |name| format!("{{{name}}}"));
            self.0.push(Path { shape, written, names: own.clone(), item: json!({}) });
            self.0.len() - 1
        });
        let path = &mut self.0[place];
        let names = own.into_iter().zip(path.names.iter().cloned()).collect();
        (&mut path.item, names)
    }

    pub(super) fn into_json(self) -> Value {
        self.0.into_iter().map(|path| (path.written, path.item)).collect::<Map<_, _>>().into()
    }
}

fn parameter(segment: &str) -> Option<&str> {
    let name = segment.strip_prefix('{')?.strip_suffix('}')?;
    Some(name.strip_prefix('*').unwrap_or(name))
}

fn rewritten(path: &str, write: impl Fn(&str) -> String) -> String {
    let segments = path.split('/').map(|segment| parameter(segment).map_or_else(|| segment.to_owned(), &write));
    segments.collect::<Vec<_>>().join("/")
}
