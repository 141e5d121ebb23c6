#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What compare.py makes of runs: which are held against the series, and which are worth running again."""
import sys
import types

sys.dont_write_bytecode = True
import compare  # noqa: E402

COMPLAINT = ["WARNING: at kvm_vcpu_put+0x98/0xa0, CPU#1: test/108"]

# name, base, off (p pass, s skip, f fail, t timeout, d died), what the kernel says in the first run of off,
# and what is expected: is it held against the series, and is it worth running again if so
CASES = [
    ("all the same", "p", "p", [], False, None),
    ("fails at base, too", "f", "f", [], False, None),
    ("better", "f", "p", [], False, None),
    ("failed once, in the first run", "p", "f", [], True, True),
    ("failed once in three", "ppp", "fpp", [], True, True),
    ("failed once in ten", "p" * 10, "f" + "p" * 9, [], False, None),
    ("failed twice in ten", "p" * 10, "f" + "p" * 8 + "f", [], True, False),
    ("failed twice, and at base once", "p" * 9 + "f", "ff" + "p" * 8, [], False, None),
    ("skipped once in three", "ppp", "spp", [], True, True),
    ("late once in two", "pp", "tp", [], True, True),
    ("late once in three", "ppp", "tpp", [], False, None),
    ("late twice in three", "ppp", "ttp", [], True, False),
    ("late, and failed", "ppp", "tfp", [], True, False),
    ("died once in ten", "p" * 10, "d" + "p" * 9, [], True, False),
    ("a complaint in ten", "p" * 10, "p" * 10, COMPLAINT, True, False),
    ("a complaint and a failure in ten", "p" * 10, "f" + "p" * 9, COMPLAINT, True, False),
]
WORDS = {"p": "pass", "s": "skip", "f": "fail", "t": "timeout", "d": "died"}


def judge(base, off, says):
    row = types.SimpleNamespace(key="row", name="row")
    comparison = compare.Comparison.__new__(compare.Comparison)
    comparison.setups = [compare.Setup(name, "", "") for name in compare.SETUPS]
    for setup, runs in zip(comparison.setups, (base, off, "p" * len(off))):
        setup.outcomes["row"] = [compare.Outcome(WORDS[r], "" if r == "p" else "reason") for r in runs]
    comparison.setups[1].outcomes["row"][0].complaints = {compare.plain(text): text for text in says}
    worse = bool(comparison.worse(row))
    return worse, comparison.worth_another(row) if worse else None


bad = 0
for case, base, off, says, *expected in CASES:
    got = list(judge(base, off, says))
    if got != expected:
        bad += 1
        print("%s: worse, worth another run: %s, not %s" % (case, got, expected))
sys.exit(bad > 0)
