"""What schemathesis leaves out of the requests that it makes.

A form carries texts and files, and nothing else: on the wire an object is the text of it, a number and null are texts, and a list is its
items, of which there may be one or none. schemathesis makes such values where the document has a text, and expects the text that arrives to be
refused. No server can tell; so those requests are not made.
"""

import schemathesis

FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")


@schemathesis.hook
def filter_body(context, body):
    forms = [alternative for alternative in context.operation.body if alternative.media_type in FORMS]
    if not forms or not isinstance(body, dict):
        return True
    texts = set().union(*(texts_of(form.optimized_schema) for form in forms))
    return all(survives_a_form(value, name in texts) for name, value in body.items())


def survives_a_form(value, is_text):
    if isinstance(value, list):
        return len(value) > 1
    if isinstance(value, (int, float)):
        return not is_text
    return value is not None and not isinstance(value, dict)


def texts_of(schema):
    """The names of the fields that are texts."""
    root = schema
    while "$ref" in schema:
        path = schema["$ref"].removeprefix("#/").split("/")
        schema = root
        for step in path:
            schema = schema[step]
    fields = schema.get("properties", {}).items()
    return {name for name, field in fields if isinstance(field, dict) and "string" in field.get("type", ())}
