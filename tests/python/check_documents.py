"""Whether documents are valid: OpenAPI by openapi-spec-validator, AsyncAPI by its official schema.

    check_documents.py SCHEMA < {"openapi": …, "asyncapi": …}

SCHEMA is that of AsyncAPI, packed. Prints each thing that is wrong, and fails if there is any.
"""

import gzip
import json
import sys

from jsonschema.validators import validator_for
from openapi_spec_validator import OpenAPIV31SpecValidator


def problems(documents, schema):
    for error in OpenAPIV31SpecValidator(documents["openapi"]).iter_errors():
        yield f"openapi.json: {error.json_path}: {error.message}"
    validator = validator_for(schema)(schema)
    for error in validator.iter_errors(documents["asyncapi"]):
        yield f"asyncapi.json: {error.json_path}: {error.message[:500]}"


def main():
    with gzip.open(sys.argv[1]) as file:
        schema = json.load(file)
    found = list(problems(json.load(sys.stdin), schema))
    print("\n".join(found))
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
