#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The demonstration's table.

Usage: run-table.py OUT.json KEY=VALUE... MODE:TEST=DIR...
Reads share/out ("# result <attack> <word>") and console.log of each boot of TEST, MODE being off or on. Exit 0 only if
every attack succeeded (corrupted, reached) on the direct GIC and was blocked on the confined one, and the kernel itself
says that it was off and confined.
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
    """What the kernel itself says of its GIC (pkvm_its/state in debugfs)."""
    try:
        with open(os.path.join(path, "share", "state")) as f:
            return f.read().strip()
    except OSError:
        return "unknown"


def main():
    out = sys.argv[1]
    given = dict(a.split("=", 1) for a in sys.argv[2:])
    record = {k: v for k, v in given.items() if ":" not in k}
    boots = {tuple(k.split(":", 1)): v for k, v in given.items() if ":" in k}
    rows, skipped = [], []
    for test in dict.fromkeys(t for _, t in boots):
        direct, protected = results(boots["off", test]), results(boots["on", test])
        for name in dict.fromkeys([*direct, *protected]):
            row = {"attack": name, "test": test, "direct": direct.get(name, "missing"),
                   "protected": protected.get(name, "missing")}
            # What does not work on a direct GIC (GICv4 commands on a GICv3; what the CPU refuses) is no attack here. It is named.
            if row["direct"] == "skipped" and row["protected"] in ("skipped", "blocked"):
                skipped.append(name)
            else:
                rows.append(row)
    record["skipped"] = skipped
    record["mode"] = mode(boots["off", rows[0]["test"]] if rows else "")
    record["state"] = {"direct": sorted({state(d) for (m, _), d in boots.items() if m == "off"}),
                       "protected": sorted({state(d) for (m, _), d in boots.items() if m == "on"})}
    record["attacks"] = rows
    with open(out + ".part", "w") as f:
        json.dump(record, f, indent=1)
        f.write("\n")
    os.replace(out + ".part", out)

    good = [r for r in rows if r["direct"] in ("corrupted", "reached") and r["protected"] == "blocked"]
    width = max([len(r["attack"]) for r in rows] + [6])
    print("%-*s  %-12s  %s" % (width, "attack", "direct GIC", "confined GIC"))
    print("%s  %s  %s" % ("-" * width, "-" * 12, "-" * 12))
    for r in rows:
        note = "" if r in good else "   <-- not as it should be"
        print("%-*s  %-12s  %s%s" % (width, r["attack"], r["direct"], r["protected"], note))
    print()
    print("%d attacks, %d succeed on a direct GIC and are blocked on a confined one (Linux %s, %s, CPU %s, QEMU %s)" % (
        len(rows), len(good), record.get("kernel", ""), record["mode"], record.get("cpu", ""), record.get("qemu", "")))
    if skipped:
        print("not possible on this machine: " + ", ".join(skipped))
    proper = record["state"] == {"direct": ["off"], "protected": ["confined"]}
    if not proper:
        print("the kernel calls its GIC %s in the direct boots and %s in the confined ones; it should be off and confined" % (
            ", ".join(record["state"]["direct"]), ", ".join(record["state"]["protected"])))
    sys.exit(0 if proper and rows and len(good) == len(rows) else 1)


main()
