# SPDX-License-Identifier: GPL-2.0-or-later
"""
Validates every line by the JSON Schema, in reasonable time: python3-jsonschema
takes a millisecond per line if asked naively. A line is valid if each value is
valid by its property's schema, and if the object is by the rest; both answers
are kept. That the rest looks at nothing but which keys there are, and the
values of a few, is checked; if it does more, each line is validated whole.
"""
import json

from jsonschema import Draft202012Validator

# Keywords of the rest that depend on the set of keys only, or on nothing.
BY_KEYS = {"$schema", "$id", "title", "description", "type", "required", "dependentRequired"}
BRANCHES = {"if", "then", "else"}
MAX_KNOWN = 1_000_000


class Schema:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            schema = json.load(file)
        Draft202012Validator.check_schema(schema)
        rest = {k: v for k, v in schema.items() if k != "properties"}
        self.whole = Draft202012Validator(schema)
        self.rest = Draft202012Validator(rest)
        self.properties = {name: Draft202012Validator(sub)
                           for name, sub in schema.get("properties", {}).items()}
        self.looked_at = values_looked_at(rest)
        self.is_divisible = "$ref" not in json.dumps(schema) and self.looked_at is not None
        self.known_values = {}
        self.known_shapes = {}

    def problem(self, fields):
        """What the schema has against a line, or None."""
        if not self.is_divisible:
            return first_error(self.whole, fields)
        shape = (frozenset(fields), *(fields.get(name) for name in self.looked_at))
        if shape not in self.known_shapes:
            self.known_shapes[shape] = first_error(self.rest, fields)
        if self.known_shapes[shape]:
            return self.known_shapes[shape]
        for name, value in fields.items():
            problem = self.value_problem(name, value)
            if problem:
                return problem
        return None

    def value_problem(self, name, value):
        validator = self.properties.get(name)
        if validator is None:  # readers must expect new ones; ours are all in it
            return "%s is not in the schema" % name
        if isinstance(value, (dict, list)):
            return first_error(validator, value)
        key = (name, type(value), value)
        if len(self.known_values) > MAX_KNOWN:
            self.known_values.clear()
        if key not in self.known_values:
            self.known_values[key] = first_error(validator, value)
        return self.known_values[key]


def values_looked_at(part):
    """The properties whose values a part of the rest asks for, sorted; None if it asks for more."""
    names = set()
    for keyword, value in part.items():
        if keyword in BY_KEYS:
            continue
        if keyword == "properties" and all(set(sub) == {"const"} for sub in value.values()):
            names |= set(value)
            continue
        if keyword in BRANCHES:
            value = [value]
        elif keyword != "anyOf":
            return None
        found = [values_looked_at(sub) for sub in value]
        if None in found:
            return None
        names.update(*found)
    return sorted(names)


def first_error(validator, value):
    error = next(validator.iter_errors(value), None)
    return None if error is None else "%s: %s" % ("/".join(map(str, error.path)), error.message)
