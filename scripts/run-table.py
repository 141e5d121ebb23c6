#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The demonstration's table.

Usage: run-table.py DIRECT_DIR PROTECTED_DIR OUT.json KEY=VALUE...
Reads share/out ("# result <attack> <word>") and console.log of both boots. Exit 0 only if every attack
succeeded (corrupted, reached) on the direct ITS and was blocked on the confined one, and the kernel itself
says that the ITS was off and confined.
"""
import json
import os
import re
import sys

RESULT = re.compile(r"#\s*result\s+(\S+)\s+(corrupted|reached|blocked|error|skipped)\b")


def results(path):
    found = {}
    try:
        with open(os.path.join(path, "share", "out"), errors="replace") as f:
            for line in f:
                m = RESULT.search(line)
                if m:
                    found[m.group(1)] = m.group(2)
    except OSError:
        pass
    return found


def mode(path):
    try:
        with open(os.path.join(path, "console.log"), errors="replace") as f:
            m = re.search(r"Protected (hVHE|nVHE) mode initialized", f.read())
            return m.group(1).lower() if m else "unknown"
    except OSError:
        return "unknown"


def state(path):
    """What the kernel itself says of its ITSs (pkvm_its/state in debugfs)."""
    try:
        with open(os.path.join(path, "share", "state")) as f:
            return f.read().strip()
    except OSError:
        return "unknown"


def main():
    direct_dir, protected_dir, out = sys.argv[1:4]
    record = dict(a.split("=", 1) for a in sys.argv[4:])
    direct, protected = results(direct_dir), results(protected_dir)
    names = list(direct) + [n for n in protected if n not in direct]
    # What this machine has not got (say, GICv4 commands on a GICv3) is no attack here, but it is named.
    skipped = [n for n in names if direct.get(n) == "skipped" and protected.get(n) == "skipped"]
    names = [n for n in names if n not in skipped]
    record["skipped"] = skipped
    record["mode"] = mode(protected_dir)
    record["state"] = {"direct": state(direct_dir), "protected": state(protected_dir)}
    record["attacks"] = [{"attack": n, "direct": direct.get(n, "missing"), "protected": protected.get(n, "missing")}
                         for n in names]
    with open(out + ".part", "w") as f:
        json.dump(record, f, indent=1)
        f.write("\n")
    os.replace(out + ".part", out)

    good = [a for a in record["attacks"] if a["direct"] in ("corrupted", "reached") and a["protected"] == "blocked"]
    width = max([len(n) for n in names] + [6])
    print("%-*s  %-12s  %s" % (width, "attack", "direct ITS", "confined ITS"))
    print("%s  %s  %s" % ("-" * width, "-" * 12, "-" * 12))
    for a in record["attacks"]:
        note = "" if a in good else "   <-- not as it should be"
        print("%-*s  %-12s  %s%s" % (width, a["attack"], a["direct"], a["protected"], note))
    print()
    print("%d attacks, %d succeed on a direct ITS and are blocked on a confined one (Linux %s, %s, CPU %s, QEMU %s)" % (
        len(names), len(good), record.get("kernel", ""), record["mode"], record.get("cpu", ""), record.get("qemu", "")))
    if skipped:
        print("not possible on this machine: " + ", ".join(skipped))
    proper = record["state"] == {"direct": "off", "protected": "confined"}
    if not proper:
        print("the kernel calls its ITSs \"%(direct)s\" in the direct boot and \"%(protected)s\" in the confined one; "
              "it should be off and confined" % record["state"])
    sys.exit(0 if proper and names and len(good) == len(names) else 1)


main()
