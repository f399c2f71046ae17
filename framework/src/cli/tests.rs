use super::*;
use crate::protocol::{MethodShapes, Param};

const fn param(name: &'static str, ty: &'static str, required: bool) -> Param {
    Param { name, ty, default: None, required, sensitive: false }
}

#[test]
fn the_example_of_a_call_has_a_value_for_each_argument_that_must_be_there() {
    let method = |params| MethodInfo {
        index: 0,
        name: "place",
        doc: "",
        params,
        returns: "",
        error: None,
        timeout: None,
        max_workers: None,
        shapes: MethodShapes::UNKNOWN,
    };
    let service = ServiceDescriptor::named("orders");
    let params = const {
        &[
            param("customer", "String", true),
            param("lines", "Vec<Line>", true),
            param("count", "u64", true),
            param("note", "Option<String>", false),
            param("gift", "bool", true),
            param("place", "Place", true),
        ]
    };
    assert_eq!(
        example(&service, &method(params)),
        r#"call orders.place '{"customer": "Ada", "lines": [], "count": 1, "gift": true, "place": …}'"#
    );
    assert_eq!(example(&service, &method(&[])), "call orders.place");
}
