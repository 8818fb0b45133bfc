"""As much of JSON Schema as src/control/status.schema.json uses; tests/control/schema.rs is the same in Rust."""

import json
import os

FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../src/control/status.schema.json")


def faults(value):
    """Where a status is not as the schema says, a line each."""
    with open(FILE, encoding="utf-8") as file:
        root = json.load(file)
    return list(_faults(root, root, value, "$"))


def _faults(root, schema, value, at):
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if _type(value) not in types:
        yield f"{at}: {value!r} is none of {types}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at}: {value!r} is none of {schema['enum']}"
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _faults(root, schema["items"], item, f"{at}[{index}]")
    if isinstance(value, dict):
        yield from (f"{at}: {name} is missing" for name in schema.get("required", []) if name not in value)
        for name, member in value.items():
            if name in schema["properties"]:
                yield from _faults(root, schema["properties"][name], member, f"{at}.{name}")
            else:
                yield f"{at}: {name} is not in the schema"


def _type(value):
    names = {type(None): "null", bool: "boolean", int: "integer", float: "number", str: "string",
             list: "array", dict: "object"}
    return names[type(value)]
