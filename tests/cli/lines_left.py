#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks each whole line of JSON that a test left in its folder against the schema.

    lines_left.py FOLDER

A file counts if it begins as a line of synfin's does. Its last line may be cut off: who wrote it may
have been killed. Says what is wrong on standard error and exits 1.
"""

import json
import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here + "/../net")
sys.dont_write_bytecode = True

from net_schema import Schema  # pylint: disable=wrong-import-position

SCHEMA = here + "/../../user/dist/schema/synfin.schema.json"
BEGIN = b'{"schema_version":'


def lines(folder):
    for place, _, names in os.walk(folder):
        for name in sorted(names):
            path = os.path.join(place, name)
            if os.path.islink(path) or not os.path.isfile(path):
                continue
            with open(path, "rb") as file:
                if file.read(len(BEGIN)) != BEGIN:
                    continue
                file.seek(0)
                for number, line in enumerate(file, 1):
                    if line.endswith(b"\n"):
                        yield path, number, line


def main():
    schema, nr_wrong = None, 0
    for path, number, line in lines(sys.argv[1]):
        schema = schema or Schema(SCHEMA)
        try:
            problem = schema.problem(json.loads(line))
        except ValueError as error:
            problem = str(error)
        if problem:
            nr_wrong += 1
            print("%s:%d: %s: %r" % (path, number, problem, line), file=sys.stderr)
    return nr_wrong != 0


if __name__ == "__main__":
    sys.exit(main())
