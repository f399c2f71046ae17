//! What fields look like, for messages that derive their schema.

use std::borrow::Cow;

use ::schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{Form, MapValues, Optional, Plain, Repeated};

macro_rules! schema_of {
    ($($container:ident: $schema:expr;)*) => {$(
        impl<F: Form> JsonSchema for $container<F> {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($container).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema(F::schema())
            }
        }
    )*};
}

schema_of! {
    Plain: std::convert::identity;
    Optional: |value: Schema| json_schema!({ "anyOf": [value, { "type": "null" }] });
    Repeated: |value: Schema| json_schema!({ "type": "array", "items": value });
    MapValues: |value: Schema| json_schema!({ "type": "object", "additionalProperties": value });
}
