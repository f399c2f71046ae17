//! `${VAR}`, `${VAR:default}` and `${VAR:-default}` inside the texts of a settings file.

/// Gives a variable's value.
pub(super) type Lookup<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// How many defaults may stand one inside the other.
const DEPTH: usize = 32;

pub(super) struct Expanded {
    pub(super) text: String,
    /// The variables that it was made of, as written: `${PORT}`.
    pub(super) variables: String,
}

/// Puts variables in. `None` where the text names none.
///
/// `:` takes the default where the variable is not set, as Nameko does; `:-` also where it is empty, as a shell does.
/// A default may name variables itself. `$${` is a `${` that is meant as it stands.
///
/// # Errors
///
/// For a variable that is not set and has no default, a `${` without its `}`, and defaults in defaults beyond [`DEPTH`].
pub(super) fn expand(text: &str, variables: &Lookup<'_>) -> Result<Option<Expanded>, String> {
    expand_inside(text, variables, DEPTH)
}

fn expand_inside(text: &str, variables: &Lookup<'_>, depth: usize) -> Result<Option<Expanded>, String> {
    if !text.contains("${") {
        return Ok(None);
    }
    let mut expanded = Expanded { text: String::with_capacity(text.len()), variables: String::new() };
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            expanded.text.push_str(&rest[..at - 1]);
            expanded.text.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        expanded.text.push_str(&rest[..at]);
        let inside = &rest[at + 2..];
        let end =
            closing(inside).ok_or("a `${` is not closed: write `}`, or `$${` for the two characters themselves")?;
        let depth = depth.checked_sub(1).ok_or_else(|| format!("more than {DEPTH} defaults, one inside the other"))?;
        expanded.text.push_str(&value(&inside[..end], variables, depth, &mut expanded.variables)?);
        rest = &inside[end + 1..];
    }
    expanded.text.push_str(rest);
    Ok(Some(expanded))
}

/// Where the brace closes that was opened before the text.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, letter) in text.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn value(inside: &str, variables: &Lookup<'_>, depth: usize, used: &mut String) -> Result<String, String> {
    let (name, default) = match inside.split_once(':') {
        Some((name, default)) => (name.trim(), Some(default)),
        None => (inside.trim(), None),
    };
    let is_name = name.chars().all(|letter| letter.is_alphanumeric() || letter == '_') && !name.is_empty();
    if !is_name {
        return Err(format!("`${{{name}}}` names no variable: write `${{NAME}}` or `${{NAME:default}}`"));
    }
    used.push_str(if used.is_empty() { "${" } else { " ${" });
    used.push_str(name);
    used.push('}');
    let shell = default.is_some_and(|default| default.starts_with('-'));
    if let Some(value) = variables(name).filter(|value| !(shell && value.is_empty())) {
        return Ok(value);
    }
    let default = default.ok_or_else(|| {
        format!(
            "the variable {name} is not set, and `${{{name}}}` has no default: set it, or write `${{{name}:}}` for an empty text"
        )
    })?;
    let default = if shell { &default[1..] } else { default };
    let Some(inner) = expand_inside(default, variables, depth)? else { return Ok(default.to_owned()) };
    used.push(' ');
    used.push_str(&inner.variables);
    Ok(inner.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Result<String, String> {
        let variables = |name: &str| match name {
            "HOST" => Some("broker".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        expand(text, &variables).map(|expanded| expanded.map_or_else(|| text.to_owned(), |expanded| expanded.text))
    }

    fn nested(depth: usize) -> String {
        "${NONE:".repeat(depth) + &"}".repeat(depth)
    }

    #[test]
    fn variables_and_defaults() {
        for (text, expected) in [
            ("amqp://${HOST}/", "amqp://broker/"),
            ("${HOST:x}${NONE:y}", "brokery"),
            ("[${EMPTY:x}|${EMPTY:-x}|${NONE:-x}|${NONE:}]", "[|x|x|]"),
            ("${NONE:amqp://${HOST}:5672/}", "amqp://broker:5672/"),
            ("$${HOST} $5 {} $", "${HOST} $5 {} $"),
            ("${NONE:{a}}", "{a}"),
        ] {
            assert_eq!(expanded(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_expanded_says_so() {
        assert!(expanded("a ${NONE} b").unwrap_err().contains("write `${NONE:}` for an empty text"));
        assert!(expanded("${HOST").unwrap_err().contains("is not closed"));
        assert_eq!(expanded(&nested(32)).as_deref(), Ok(""));
        assert!(expanded(&nested(100_000)).unwrap_err().contains("more than 32 defaults, one inside the other"));
        assert!(expanded("${a b}").unwrap_err().contains("names no variable"));
    }
}
