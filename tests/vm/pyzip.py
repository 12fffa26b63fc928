#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
#
# pyzip.py OUT SCRIPT...: what of this Python's standard library the scripts
# import, as one zip file for a guest, which gets the interpreter beside it
# (PYTHONHOME=/usr PYTHONPATH=OUT). C extensions that are not built into the
# interpreter are left out: the standard library does without, mostly.
import modulefinder
import os
import sys
import zipfile

ALWAYS = ("encodings", "encodings.utf_8", "encodings.ascii", "encodings.latin_1",
          "encodings.idna", "site", "codecs", "io", "abc", "os", "stat", "posixpath")


def main(argv):
    out, *scripts = argv[1:]
    names = {}
    for script in scripts:
        finder = modulefinder.ModuleFinder([os.path.dirname(script)] + sys.path[1:])
        finder.run_script(script)
        for name in ALWAYS:
            finder.import_hook(name)
        names.update(finder.modules)
    stdlib = os.path.dirname(os.__file__)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for module in names.values():
            path = module.__file__
            if path and path.startswith(stdlib + os.sep) and path.endswith(".py"):
                archive.write(path, os.path.relpath(path, stdlib))


if __name__ == "__main__":
    main(sys.argv)
