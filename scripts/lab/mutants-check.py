#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Check that each seeded fault can be seeded: mutants-check.py KERNEL_TREE LAB

The text that it replaces is there once. A fault for a proof is in a file that the proof includes.
"""
import os
import re
import sys

import mutants
import prove


def included(path, seen):
    """Adds what a harness includes, by the names of the files."""
    with open(path) as f:
        found = re.findall(r'^#include ["<](?:\S*/)?(\S+)[">]', f.read(), re.M)
    for name in set(found) - seen:
        seen.add(name)
        beside = os.path.join(os.path.dirname(path), name)
        if os.path.exists(beside):
            included(beside, seen)
    return seen


def main():
    tree, lab = sys.argv[1:]
    bad, faults = [], {}
    for path in ("mutants", "gicv5/mutants", "prove/faults"):
        for name, _, file, old, _ in mutants.read_list(os.path.join(lab, path)):
            faults[name] = file
            with open(os.path.join(tree, file)) as f:
                count = f.read().count(old)
            if count != 1:
                bad.append("%s: %s: the code it changes is there %d times" % (path, name, count))

    harnesses = {row[0]: row[1] for row in prove.rows(os.path.join(lab, "prove/list"))}
    extracted = {row[0]: os.path.basename(row[1]) for row in prove.rows(os.path.join(lab, "prove/extract"))}
    for name, harness in prove.rows(os.path.join(lab, "prove/mutants")):
        if name not in faults or harness not in harnesses:
            bad.append("prove/mutants: %s: there is no such fault, or no %s" % (name, harness))
            continue
        seen = included(os.path.join(lab, "prove", harnesses[harness]), set())
        if os.path.basename(faults[name]) not in {extracted.get(s, s) for s in seen}:
            bad.append("prove/mutants: %s: %s does not include %s" % (name, harness, faults[name]))

    print("\n".join(bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
