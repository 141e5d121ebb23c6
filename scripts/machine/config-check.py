#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Compare a kernel .config with what the fragments asked for.

Usage: config-check.py TREE DOTCONFIG FRAGMENT...
Prints the symbols this tree does not have. Fails on one that it has and that got another value.
"""
import os
import re
import sys

SYMBOL = re.compile(r"(?m)^\s*(?:menu)?config\s+(\w+)")


def known(tree):
    names = set()
    for root, dirs, files in os.walk(tree):
        dirs[:] = [d for d in dirs if d not in (".git", "tools", "Documentation")]
        for name in files:
            if name.startswith("Kconfig"):
                with open(os.path.join(root, name), errors="replace") as f:
                    names.update(SYMBOL.findall(f.read()))
    return names


def read(path):
    values = {}
    with open(path) as f:
        for line in f:
            line = line.strip()
            m = re.match(r"CONFIG_(\w+)=(.*)$", line)
            if m:
                values[m.group(1)] = m.group(2)
            m = re.match(r"# CONFIG_(\w+) is not set$", line)
            if m:
                values[m.group(1)] = "n"
    return values


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    tree, dotconfig, fragments = sys.argv[1], sys.argv[2], sys.argv[3:]
    asked = {}
    for path in fragments:
        asked.update(read(path))
    got, names = read(dotconfig), known(tree)
    dropped = sorted(s for s in asked if s not in names)
    wrong = sorted(s for s in asked if s in names and got.get(s, "n") != asked[s])
    if dropped:
        print("    not in this tree: " + " ".join(dropped), file=sys.stderr)
    for s in wrong:
        print("    CONFIG_%s is %s, asked for %s" % (s, got.get(s, "n"), asked[s]), file=sys.stderr)
    sys.exit(1 if wrong else 0)


main()
