#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks JSON lines on standard input against the schema, strictly.

    check_lines.py SCHEMA [--all-fields] <LINES

Strictly: a field that the schema does not list is an error, and so are a key
given twice, an integer of 2^53 or more, null, and an empty string. With
--all-fields each field of the schema must occur in some line. Says what is
wrong on standard error and exits 1; else prints the number of lines.
"""

import json
import sys

import jsonschema


def members(pairs):
    names = [name for name, _ in pairs]
    if len(names) != len(set(names)):
        raise ValueError("a key twice: %s" % names)
    for name, value in pairs:
        if value is None or value == "":
            raise ValueError("%s is empty" % name)
        if isinstance(value, (int, float)) and abs(value) >= 2**53:
            raise ValueError("%s is too large" % name)
    return dict(pairs)


def check(line, validator, seen):
    if not line.endswith(b"\n"):
        raise ValueError("no newline at the end")
    if any(byte < 0x20 or byte == 0x7F for byte in line[:-1]):
        raise ValueError("a control character")
    value = json.loads(line.decode("utf-8"), object_pairs_hook=members)
    validator.validate(value)
    seen.update(value)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    schema["additionalProperties"] = False
    validator = jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.FormatChecker(["ipv4", "ipv6"])
    )
    seen, number, errors = set(), 0, 0
    for number, line in enumerate(sys.stdin.buffer, 1):
        try:
            check(line, validator, seen)
        except (ValueError, jsonschema.ValidationError) as error:
            errors += 1
            reason = getattr(error, "message", str(error))
            print("line %d: %s: %r" % (number, reason, line), file=sys.stderr)
    missing = set(schema["properties"]) - seen
    if missing and "--all-fields" in sys.argv[2:]:
        errors += 1
        print("never seen: %s" % sorted(missing), file=sys.stderr)
    if errors:
        sys.exit(1)
    print(number)


main()
