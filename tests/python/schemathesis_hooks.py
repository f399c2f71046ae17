"""What schemathesis leaves out of the requests that it makes.

A form carries texts and files, and nothing else: on the wire an object is the text of it, null is a text, and a list is its items, of
which there may be one or none. schemathesis makes such values where the document has a text, and expects the text that arrives to be
refused. No server can tell; so those requests are not made.
"""

import schemathesis

FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")


@schemathesis.hook
def filter_body(context, body):
    is_form = any(alternative.media_type in FORMS for alternative in context.operation.body)
    return not is_form or not isinstance(body, dict) or all(map(survives_a_form, body.values()))


def survives_a_form(value):
    if isinstance(value, list):
        return len(value) > 1
    return value is not None and not isinstance(value, dict)
