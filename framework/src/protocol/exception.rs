//! What a Python exception is made with, and what its arguments become on the wire.

use serde_json::Map;

use super::{Fault, Value};

/// The arguments of the Python class: these fields, as Nameko makes them safe, which leaves texts alone.
pub(super) fn arguments(fields: &[&str], data: &Map<String, Value>) -> Vec<Value> {
    fields.iter().map(|field| safe(data.get(*field).unwrap_or(&Value::Null))).collect()
}

fn safe(value: &Value) -> Value {
    match value {
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Number(number) => number.to_string().into(),
        Value::String(_) => value.clone(),
        Value::Array(items) => items.iter().map(safe).collect(),
        Value::Object(entries) => entries.iter().map(|(key, value)| (key.clone(), safe(value))).collect(),
    }
}

/// The other way: a text that Nameko made of a number, a truth value or `None`; other texts stay.
pub(crate) fn unsafe_again(value: &Value) -> Value {
    match value {
        Value::String(text) => match text.as_str() {
            "None" => Value::Null,
            "True" => Value::Bool(true),
            "False" => Value::Bool(false),
            text => serde_json::from_str(text).map_or_else(|_| value.clone(), Value::Number),
        },
        Value::Array(items) => items.iter().map(unsafe_again).collect(),
        Value::Object(entries) => entries.iter().map(|(key, value)| (key.clone(), unsafe_again(value))).collect(),
        other => other.clone(),
    }
}

/// The arguments of an exception of this class, as many as the variant has fields. `None`: it is another one, or kinoko's own.
///
/// A variant with one field takes the text where the class is made with more or fewer arguments, one without fields needs none.
pub(crate) fn raised(fault: &Fault, path: &str, fields: usize) -> Option<Vec<Value>> {
    if fault.code.is_some() || fault.exc_path != path {
        return None;
    }
    match fields {
        0 => Some(Vec::new()),
        _ if fields == fault.exc_args.len() => Some(fault.exc_args.clone()),
        1 => Some(vec![fault.value.clone().into()]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn arguments_are_as_nameko_makes_them_and_come_back() {
        let data = json!({"sku": "A-1", "left": 2, "last": null, "open": true, "sizes": [1.5, "x"], "more": {"n": 1}});
        let args = arguments(&["sku", "left", "last", "open", "sizes", "more"], data.as_object().unwrap());
        assert_eq!(
            args,
            [json!("A-1"), json!("2"), json!("None"), json!("True"), json!(["1.5", "x"]), json!({"n": "1"})]
        );
        let back: Vec<_> = args.iter().map(unsafe_again).collect();
        assert_eq!(back, [json!("A-1"), json!(2), json!(null), json!(true), json!([1.5, "x"]), json!({"n": 1})]);
    }

    #[test]
    fn an_exception_is_taken_by_its_path_and_its_arguments() {
        let fault = Fault {
            exc_path: "shop.OutOfStock".into(),
            exc_args: vec!["A-1".into(), "2".into()],
            value: "('A-1', 2)".into(),
            ..Fault::default()
        };
        assert_eq!(raised(&fault, "shop.OutOfStock", 2), Some(vec!["A-1".into(), "2".into()]));
        assert_eq!(raised(&fault, "shop.OutOfStock", 1), Some(vec!["('A-1', 2)".into()]));
        assert_eq!(raised(&fault, "shop.OutOfStock", 0), Some(Vec::new()));
        assert_eq!(raised(&fault, "shop.OutOfStock", 3), None);
        assert_eq!(raised(&fault, "shop.Closed", 2), None);
        let ours = Fault { code: Some("SOMETHING_NEWER".into()), ..fault };
        assert_eq!(raised(&ours, "shop.OutOfStock", 2), None);
    }
}
