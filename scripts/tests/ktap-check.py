#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What ktap.py makes of KTAP, well-formed and not."""
import sys

sys.dont_write_bytecode = True
import ktap  # noqa: E402

SUITE = "KTAP version 1/1..1/  KTAP version 1/  # Subtest: s/"
# What it is, its lines with "/" between, and what is expected: passed, failed, skipped; "bad" if it is not proper KTAP
CASES = [
    ("proper", "seed 0x1/TAP version 13/# ITS/1..2/# b/ok 1 a/ok 2 b/# Totals: pass:2", "2 0 0"),
    ("a failure", "TAP version 13/1..2/ok 1 a/not ok 2 b", "1 1 0"),
    ("the plan comes last", "TAP version 13/ok 1 a/ok 2 b/1..2", "2 0 0"),
    ("one skipped", "TAP version 13/1..2/ok 1 a # SKIP why/ok 2 b", "1 0 1"),
    ("skipped, in other letters", "TAP version 13/1..1/ok 1 a #skip", "0 0 1"),
    ("all skipped", "TAP version 13/1..0 # SKIP not here", "0 0 1"),
    ("a suite", SUITE + "  1..2/  ok 1 a/  ok 2 b/ok 1 s", "2 0 0"),
    ("a suite of parameters without a plan", SUITE + "  ok 1 a/  ok 2 b/ok 1 s", "2 0 0"),
    ("a failure below, none above", SUITE + "  1..2/  ok 1 a/  not ok 2 b/ok 1 s", "1 1 0"),
    ("a failure above, none below", SUITE + "  1..1/  ok 1 a/not ok 1 s", "1 1 0"),
    ("nothing", "", "bad"),
    ("other text", "segmentation fault", "bad"),
    ("a version", "TAP version 13", "bad"),
    ("no results", "TAP version 13/1..2", "bad"),
    ("no plan", "TAP version 13/ok 1 a/ok 2 b", "bad"),
    ("two plans", "TAP version 13/1..2/1..1/ok 1 a/ok 2 b", "bad"),
    ("too few", "TAP version 13/1..3/ok 1 a/ok 2 b", "bad"),
    ("too many", "TAP version 13/1..1/ok 1 a/not ok 2 b", "bad"),
    ("too few below", SUITE + "  1..2/  ok 1 a/ok 1 s", "bad"),
    ("too many below", SUITE + "  1..1/  ok 1 a/  not ok 2 b/ok 1 s", "bad"),
    ("nothing above", SUITE + "  1..1/  ok 1 a", "bad"),
    ("nothing above the first of two", "KTAP version 1/1..2/  # Subtest: s/  1..1/  ok 1 a/ok 2 t", "bad"),
    ("a number twice", "TAP version 13/1..2/ok 1 a/ok 1 b", "bad"),
    ("a number left out", "TAP version 13/1..2/ok 1 a/ok 3 b", "bad"),
    ("given up", "TAP version 13/1..2/ok 1 a/Bail out! no memory", "bad"),
    ("given up at the end", "TAP version 13/1..1/ok 1 a/Bail out! no memory", "bad"),
    ("skipped and given up", "TAP version 13/1..0 # SKIP x/Bail out! no memory", "bad"),
    ("a result behind other text", "TAP version 13/1..1/ok 1 a/oops/not ok 2 b", "bad"),
    ("a result below, behind the last", "TAP version 13/1..1/ok 1 a/  not ok 1 b", "bad"),
    ("a result before the version", "not ok 1 z/TAP version 13/1..1/ok 1 a", "bad"),
    ("a second run", "TAP version 13/1..1/ok 1 a/TAP version 13/1..1/not ok 1 a", "bad"),
    ("a skip, and a result", "TAP version 13/1..0 # SKIP x/not ok 1 a", "bad"),
    ("a result behind the end of the kernel", "TAP version 13/1..1/ok 1 a/reboot: System halted/not ok 2 b", "bad"),
    ("a failure that cannot be read", "TAP version 13/1..1/not ok 1 cpu#1", "bad"),
    ("a result glued to other text", "TAP version 13/1..1/xok 1 a", "bad"),
    ("a result without its suite", "TAP version 13/1..1/  ok 1 a", "bad"),
]
bad = 0
for what, text, expected in CASES:
    *names, problems = ktap.parse(text.split("/") if text else [])
    got = "bad" if problems else " ".join(str(len(n)) for n in names)
    if got != expected:
        bad += 1
        print("%s: %s, not %s" % (what, got, expected))
sys.exit(bad > 0)
