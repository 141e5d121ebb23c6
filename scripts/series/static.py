#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Read what the tools of static and bisect print. Each complaint comes once, and they are sorted.

static.py warnings FILE... <LOG
    What compilers and sparse say of these files.
static.py compiler FILE... <LOG, static.py coccicheck <LOG, static.py kernel-doc <LOG
    The same, or what these say of any file, without line numbers: so it can be compared with that of another tree.
static.py asked CONFIG <.config
    Exit 1 if .config is not what a row of static.list asks for, and print the symbols that differ.
"""
import argparse
import re
import sys


def warnings(lines, files):
    return [l for l in lines if any(f + ":" in l for f in files) and re.search("(warning|error):", l)]


def compiler(lines, files):
    # The path in front is that of the tree.
    return [re.sub(r"^.*((?:arch|drivers|include)/[^:]*):[0-9:]*", r"\1:", l) for l in warnings(lines, files)]


def coccicheck(lines, _):
    found = [re.match(r"([^ :]*\.c):[0-9]+(?::[0-9-]+)?:? (.*)", l) for l in lines]
    return ["%s: %s" % m.groups() for m in found if m]


def kernel_doc(lines, _):
    return [re.sub(r":[0-9]+ ", ": ", l, count=1) for l in lines]


def asked(lines, symbols):
    got = dict(l.split("=", 1) for l in lines if l.startswith("CONFIG_"))
    wanted = [s.split("=", 1) for s in symbols[0].split(",")]
    return ["CONFIG_%s=%s is not there" % (s, value) for s, value in wanted if got.get("CONFIG_" + s, "n") != value]


READERS = {"warnings": warnings, "compiler": compiler, "coccicheck": coccicheck, "kernel-doc": kernel_doc,
           "asked": asked}


def read(what, lines, names):
    return sorted(set(READERS[what](lines, names)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=READERS)
    parser.add_argument("names", nargs="*", help="FILEs or CONFIG")
    args = parser.parse_args()
    found = read(args.what, [l.rstrip("\n") for l in sys.stdin], args.names)
    sys.stdout.writelines(l + "\n" for l in found)
    return 1 if args.what == "asked" and found else 0


if __name__ == "__main__":
    sys.exit(main())
