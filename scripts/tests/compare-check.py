#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What compare.py makes of runs: which are held against the series, and which are worth running again."""
import sys

sys.dont_write_bytecode = True
import compare  # noqa: E402

# What happened, base, off (p pass, s skip, f fail, o fail otherwise, t timeout, d died, 1 and 2 subtests passed), and the verdict
CASES = [
    ("all the same", "p", "p", "good"),
    ("fails at base, too", "f", "f", "good"),
    ("better", "f", "p", "good"),
    ("a subtest more", "1", "2", "good"),
    ("a subtest less", "222", "111", "worse"),
    ("fails in another way", "fff", "ooo", "worse"),
    ("skipped, but fails at base", "f", "s", "good"),
    ("hangs, but fails at base", "fff", "ttt", "worse"),
    ("failed in the first run", "p", "f", "again"),
    ("failed in both", "pp", "ff", "again"),
    ("failed in all three", "ppp", "fff", "worse"),
    ("failed in all three, and at base once", "ppf", "fff", "good"),
    ("failed once in three", "ppp", "fpp", "again"),
    ("failed once in nine", "p" * 9, "f" + "p" * 8, "again"),
    ("failed once in ten", "p" * 10, "f" + "p" * 9, "once"),
    ("failed twice in ten", "p" * 10, "f" + "p" * 8 + "f", "worse"),
    ("failed twice, and at base once", "p" * 9 + "f", "ff" + "p" * 8, "good"),
    ("skipped once in three", "ppp", "spp", "again"),
    ("late once in three", "ppp", "tpp", "again"),
    ("late twice in three", "ppp", "ttp", "worse"),
    ("late, and failed", "ppp", "tfp", "worse"),
    ("died once in ten", "p" * 10, "d" + "p" * 9, "worse"),
    ("died, and at base once", "ppd", "dpp", "good"),
    ("a complaint", "p", "p!", "again"),
    ("a complaint in ten", "p" * 10, "p" * 10 + "!", "worse"),
    ("a complaint and a failure in ten", "p" * 10, "f" + "p" * 9 + "!", "worse"),
]
OUTCOMES = {"p": ("pass",), "s": ("skip", "why"), "f": ("fail", "why"), "o": ("fail", "else"), "t": ("timeout", "why"),
            "d": ("died", "why"), "1": ("pass", "", frozenset("a")), "2": ("pass", "", frozenset("ab"))}

bad = 0
for case, base, off, expected in CASES:
    runs = [[compare.Outcome(*OUTCOMES[c]) for c in letters.rstrip("!")] for letters in (base, off)]
    got, _ = compare.judge(*runs, ["WARNING"] * off.count("!"))
    if got != expected:
        bad += 1
        print("%s: %s, not %s" % (case, got, expected))
sys.exit(bad > 0)
