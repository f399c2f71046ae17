//! Paths of routes, as axum has them: `/orders/{id}`, `/files/{*rest}`.

use proc_macro2::Span;
use syn::LitStr;

use crate::diag::Diag;

/// A path that is well formed.
pub(crate) struct RoutePath {
    pub(crate) text: String,
    /// The names of its parameters, in order.
    pub(crate) params: Vec<String>,
    pub(crate) span: Span,
}

impl Default for RoutePath {
    fn default() -> Self {
        Self { text: String::new(), params: Vec::new(), span: Span::call_site() }
    }
}

impl RoutePath {
    /// The path without the names of its parameters: two routes alike in it match the same requests.
    pub(crate) fn shape(&self) -> String {
        let segments = self.text.split('/').map(|segment| match segment.as_bytes() {
            [b'{', b'*', ..] => "{*}",
            [b'{', ..] => "{}",
            _ => segment,
        });
        segments.collect::<Vec<_>>().join("/")
    }
}

/// Reads a path, or says what is wrong with it.
pub(super) fn route_path(text: &LitStr, diag: &mut Diag) -> Option<RoutePath> {
    match read(&text.value()) {
        Ok(params) => Some(RoutePath { text: text.value(), params, span: text.span() }),
        Err(why) => {
            diag.on(text, why);
            None
        }
    }
}

fn read(path: &str) -> Result<Vec<String>, String> {
    let Some(rest) = path.strip_prefix('/') else {
        return Err(format!("a path begins with a slash: write `\"/{path}\"`"));
    };
    if let Some(odd) = path.chars().find(|c| !c.is_ascii_graphic() || matches!(c, '?' | '#' | '\\' | '"')) {
        return Err(match odd {
            '?' => "the query is no part of the path: a parameter that the path does not name comes from the query"
                .to_owned(),
            odd if !odd.is_ascii() => {
                format!("`{odd}` comes percent-encoded in a request, so this path would match none: write it so")
            }
            odd => format!("a path has no {odd:?}"),
        });
    }
    let mut params: Vec<String> = Vec::new();
    let segments: Vec<&str> = rest.split('/').collect();
    for (place, segment) in segments.iter().enumerate() {
        let is_last = place + 1 == segments.len();
        if segment.is_empty() && !is_last {
            return Err("two slashes in a row: leave one out".to_owned());
        }
        let Some(inside) = parameter(segment)? else { continue };
        let name = match inside.strip_prefix('*') {
            Some(_) if !is_last => {
                return Err(format!("`{{{inside}}}` takes all that is left of the path: it comes last"));
            }
            Some(name) => name,
            None => inside,
        };
        let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !starts || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(format!("`{{{inside}}}` names no parameter: write a name as in the method, `{{id}}`"));
        }
        if params.iter().any(|known| known == name) {
            return Err(format!("`{{{name}}}` is there twice: rename one of them"));
        }
        params.push(name.to_owned());
    }
    Ok(params)
}

/// What stands in a segment's braces, where the segment is a parameter.
fn parameter(segment: &str) -> Result<Option<&str>, String> {
    if let Some(inside) = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'))
        && !inside.contains(['{', '}'])
    {
        return Ok(Some(inside));
    }
    if segment.contains(['{', '}']) {
        return Err(format!(
            "`{segment}` is part parameter, part text: a parameter is a whole segment, `/{{id}}`; take it apart in the method"
        ));
    }
    match segment.strip_prefix([':', '*']).or_else(|| segment.strip_prefix('<')?.strip_suffix('>')) {
        Some(name) if !name.is_empty() => Err(format!("a parameter stands in braces: write `{{{name}}}`")),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn paths_are_as_axum_has_them() {
        assert_eq!(read("/").unwrap(), [""; 0]);
        assert_eq!(read("/orders/{id}/lines/{line}").unwrap(), ["id", "line"]);
        assert_eq!(read("/files/{*rest}").unwrap(), ["rest"]);
        for (path, why) in [
            ("orders", "a path begins with a slash: write `\"/orders\"`"),
            ("/a//b", "two slashes"),
            ("/{id}/{id}", "`{id}` is there twice"),
            ("/:id", "write `{id}`"),
            ("/<id>", "write `{id}`"),
            ("/{id}.json", "part parameter, part text"),
            ("/{*rest}/a", "it comes last"),
            ("/{}", "names no parameter"),
            ("/a?b={b}", "the query is no part of the path"),
            ("/käse", "percent-encoded"),
            ("/a b", "a path has no ' '"),
        ] {
            let error = read(path).unwrap_err();
            assert!(error.contains(why), "{path}: {error}");
        }
    }
}
