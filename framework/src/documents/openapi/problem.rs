//! Problem details (RFC 9457), as every answer that is an error has them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// What an answer that is an error consists of. A type, so that the generator finds it a name that no type of the program has.
pub(super) struct Problem;

impl JsonSchema for Problem {
    fn schema_name() -> Cow<'static, str> {
        "Problem".into()
    }

    fn schema_id() -> Cow<'static, str> {
        "kinoko::Problem".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "What went wrong (RFC 9457).",
            "properties": {
                "type": { "type": "string", "const": "about:blank" },
                "title": { "type": "string", "description": "The name of the status." },
                "status": { "type": "integer", "minimum": 400, "maximum": 599 },
                "detail": { "type": "string", "description": "What went wrong, for people." },
                "code": { "type": "string", "description": "What went wrong, for programs." },
                "call_id": { "type": "string", "description": "What the logs know the request by." },
                "errors": { "type": "array", "items": generator.subschema_for::<InputError>() },
                "data": { "description": "What belongs to the code." },
            },
            "required": ["type", "title", "status", "detail"],
        })
    }
}

/// One thing that is wrong with a request.
struct InputError;

impl JsonSchema for InputError {
    fn schema_name() -> Cow<'static, str> {
        "InputError".into()
    }

    fn schema_id() -> Cow<'static, str> {
        "kinoko::InputError".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "One thing that is wrong with a request.",
            "properties": {
                "in": { "type": "string", "enum": ["path", "query", "header", "cookie", "body"] },
                "name": { "type": "string", "description": "The parameter." },
                "pointer": { "type": "string", "description": "The place in the body, as a JSON pointer." },
                "message": { "type": "string" },
                "rule": { "type": "string", "description": "The rule that is broken, for programs." },
                "value": { "description": "What was there instead, unless it is sensitive." },
            },
            "required": ["in", "message", "rule"],
        })
    }
}
