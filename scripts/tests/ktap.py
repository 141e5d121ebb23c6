#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Read, complete and add up KTAP results, which the kernel's kunit_parser parses: PYTHONPATH has its tools/testing/kunit.

ktap.py finish OUT --in FILE --log CONSOLE --status N --mode MODE [--allow PATTERNS]
    Copy the test's own KTAP to OUT, checked against its plan, with two lines more: how the boot ended and
    whether the console log is clean. Exit 0 (passed or skipped), 110 (failed), 116 (only the log is at fault),
    or the boot's own code from 111 to 115.
ktap.py samples FILE
    Try the patterns for kernel logs on sample lines: those marked "!" must be caught, others must not, and each
    pattern must be the only one that catches some line.
ktap.py summary DIR
    Write DIR/summary.json from all DIR/*/*.ktap and print "N passed, N failed, N skipped".

PATTERNS: "regex => reason" separated by " ;; "; with "off:" or "on:" in front only for that mode.
"""
import argparse
import glob
import io
import json
import os
import re
import sys

sys.dont_write_bytecode = True
import kunit_parser  # noqa: E402
from kunit_parser import TestStatus  # noqa: E402
from kunit_printer import Printer  # noqa: E402

EX_TEST, EX_SPLAT = 110, 116
ENDS = {111: "kernel panic", 112: "EL2 panic", 113: "deadline", 114: "QEMU failure", 115: "guest gone without status"}
RESULT = re.compile(r"\s*(not )?ok\b")
PLAN = re.compile(r"1\.\.(\d+)(?: # SKIP (.*))?")
SKIP = re.compile(r"\s*#\s*SKIP\b\s*", re.I)

# What must not be in a kernel log, whoever caused it. splat-samples has the lines that each of them is for.
SPLATS = [re.compile(p) for p in (
    r"Call trace:", r"\bWARNING:", r"\bBUG:", r"kernel BUG at", r"Unable to handle", r"Internal error:", r"Kernel panic",
    r"ITS queue timeout", r"ITS cmd .* failed", r"ITS queue not draining", r"nVHE hyp .* at:",
    r"rcu: INFO: .*(stall|detected expedited)", r"hard LOCKUP", r"blocked for more than \d+ seconds", r"KASAN:", r"UBSAN:",
    r"nobody cared", r"list_(add|del) corruption", r"page allocation failure", r"left hardirqs enabled",
    r"softirq work is pending", r"non-static key", r"locking correctness validator", r"lockdep is turned off",
    r"lockdep:.*bad path", r"DEBUG_LOCKS_WARN_ON", r"ODEBUG disabled", r"guest: the kernel is tainted", r"guest: lockdep",
)]
# The console could not keep up, and any line may be missing. It stands before the next line, without a time.
DROPPED = re.compile(r"\*\* \d+ printk messages dropped \*\*")
# The last line of a kernel that did not crash.
LAST = re.compile(r"reboot: Power down")
# A kernel line, even behind a piece of user space's output.
KERNEL = re.compile(r"\[\s*\d+\.\d{6}\](?:\[\s*[TC]\d+\])?\s?(.*)$")


def below(test):
    for t in test.subtests:
        yield t
        yield from below(t)


def parse(lines):
    """Return (passed, failed, skipped, problems): names of the leaves, and what is wrong with the KTAP itself."""
    lines = [SKIP.sub(" # SKIP ", l) for l in lines]
    plans = [m for m in map(PLAN.match, lines) if m]
    results = [l for l in lines if RESULT.match(l)]
    problems = [l.strip() for l in lines if l.lstrip().startswith("Bail out!")]
    if not results:
        if [m.group(1) for m in plans] == ["0"]:
            return [], [], [plans[0].group(2) or "empty plan"], problems
        return [], [], [], problems + ["the test printed no results"]
    # A plan may come last; kunit_parser wants it first.
    if PLAN.match(lines[-1]):
        lines.insert(1, lines.pop())
    printed = io.StringIO()
    top = kunit_parser.parse_run_tests(lines, Printer(output=printed))
    problems += dict.fromkeys(re.findall(r"\[ERROR\] Test: (.*)", printed.getvalue()))
    # It can do without a plan, and ignores what comes before the version or beyond the plan.
    count = sum(1 for l in results if not l[0].isspace())
    if [int(m.group(1)) for m in plans] != [count]:
        problems.append("%s and %d results came" % (" and ".join(m.group().strip() for m in plans) or "no plan line", count))
    tests = list(below(top))
    if len(tests) < len(results):
        problems.append("%d of %d results count" % (len(tests), len(results)))
    named = {s: [t.name for t in tests if t.status == s and not t.subtests] for s in TestStatus}
    failed = named[TestStatus.FAILURE] or [t.name for t in tests if t.status == TestStatus.FAILURE]
    skipped = [t.skip_reason or t.name for t in tests if t.status == TestStatus.SKIPPED and not t.subtests]
    if not top.ok_status() and not failed and not problems:
        problems.append(top.status.name)
    return named[TestStatus.SUCCESS], failed, skipped, problems


def read_lines(path):
    try:
        with open(path, errors="replace") as f:
            return f.read().splitlines()
    except OSError:
        return []


def allowed(text, mode):
    rules = []
    for rule in (text or "").split(";;"):
        rule = rule.strip()
        if not rule or rule == "-":
            continue
        m = re.match(r"(off|on):(.*)$", rule, re.S)
        if m:
            if m.group(1) not in mode.split("+"):
                continue
            rule = m.group(2)
        regex, arrow, reason = rule.partition("=>")
        if not arrow or not reason.strip():
            sys.exit("allowed pattern without a reason: " + rule)
        rules.append((re.compile(regex.strip()), reason.strip()))
    return rules


def splat(line):
    """Return the kernel's text of a console line and the patterns that it matches."""
    if DROPPED.search(line):
        return line, [DROPPED]
    m = KERNEL.search(line)
    if not m:
        return "", []
    return m.group(1), [s for s in SPLATS if s.search(m.group(1))]


def scan(log, rules):
    bad, excused = [], []
    for number, line in enumerate(read_lines(log), 1):
        text, patterns = splat(line)
        if not patterns:
            continue
        for regex, reason in rules:
            if regex.search(text):
                excused.append("%d: %s (allowed: %s)" % (number, text, reason))
                break
        else:
            bad.append("%d: %s" % (number, text))
    return bad, excused


def finish(args):
    lines = [l for l in read_lines(args.input) if l.strip()]
    passed, failed, skipped, problems = parse(lines)
    whole_skip = bool(skipped) and not passed and not failed and args.status == 4
    body = [l for l in lines if not re.match(r"^(TAP|KTAP) version|^1\.\.", l)]
    count = sum(1 for l in body if re.match(r"^(not )?ok\b", l))
    out = ["KTAP version 1"]
    extra = []

    def add(good, name, notes=()):
        nonlocal count
        count += 1
        extra.extend("# " + n for n in notes)
        extra.append("%sok %d %s" % ("" if good else "not ", count, name))

    if whole_skip:
        extra.append("ok %d %s # SKIP %s" % (count + 1, "test", skipped[-1]))
        count += 1
    for p in problems:
        add(False, "KTAP: " + p)
    ended = args.status == 0 or whole_skip
    # A status of 1 after a "not ok" says nothing new.
    if ended or not failed or args.status in ENDS:
        add(ended, "ends normally" if ended else ENDS.get(args.status, "exit status %d" % args.status))
    bad, excused = scan(args.log, allowed(args.allow, args.mode))
    if args.status not in ENDS and not any(LAST.search(l) for l in read_lines(args.log)):
        bad.append("none: the log ends before the power was turned off")
    add(not bad, "console log is clean", ["log line " + b for b in excused] + ["log line " + b for b in bad[:20]])
    out.append("1..%d" % count)
    os.makedirs(os.path.dirname(args.out), exist_ok=True)
    with open(args.out + ".part", "w") as f:
        f.write("\n".join(out + body + extra) + "\n")
    os.replace(args.out + ".part", args.out)

    for name in failed:
        print("          not ok: " + name, file=sys.stderr)
    for l in extra:
        if l.startswith("not ok"):
            print("          " + l, file=sys.stderr)
    for b in bad[:5]:
        print("          log line " + b, file=sys.stderr)
    if args.status in ENDS:
        return args.status
    if failed or problems or not ended:
        return EX_TEST
    return EX_SPLAT if bad else 0


def samples(path):
    faults, needed = 0, set()
    for line in read_lines(path):
        mark, text = line[:1], line[2:]
        if mark not in ("!", "."):
            continue
        _, patterns = splat(text)
        if bool(patterns) != (mark == "!"):
            print("%s: %s" % ("not caught" if mark == "!" else "caught", text))
            faults += 1
        if len(patterns) == 1:
            needed.add(patterns[0])
    for s in SPLATS + [DROPPED]:
        if s not in needed:
            print("no sample needs the pattern " + s.pattern)
            faults += 1
    return 1 if faults else 0


def summary(top):
    total = {"passed": 0, "failed": 0, "skipped": 0, "suites": {}}
    for path in sorted(glob.glob(os.path.join(top, "*", "*.ktap"))):
        suite = os.path.basename(os.path.dirname(path))
        passed, failed, skipped, problems = parse(read_lines(path))
        if problems:
            print("%s: %s" % (path, "; ".join(problems)), file=sys.stderr)
        s = total["suites"].setdefault(suite, {"passed": 0, "failed": 0, "skipped": 0, "tests": {}})
        one = {"passed": len(passed), "failed": len(failed) + len(problems), "skipped": len(skipped)}
        s["tests"][os.path.basename(path)[:-5]] = one
        for key, value in one.items():
            s[key] += value
            total[key] += value
    with open(os.path.join(top, "summary.json.part"), "w") as f:
        json.dump(total, f, indent=1)
        f.write("\n")
    os.replace(os.path.join(top, "summary.json.part"), os.path.join(top, "summary.json"))
    print("%(passed)d passed, %(failed)d failed, %(skipped)d skipped" % total)
    return 1 if total["failed"] or not total["passed"] else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sub = parser.add_subparsers(dest="what", required=True)
    f = sub.add_parser("finish")
    f.add_argument("out")
    f.add_argument("--in", dest="input", required=True)
    f.add_argument("--log", required=True)
    f.add_argument("--status", type=int, required=True)
    f.add_argument("--mode", required=True)
    f.add_argument("--allow", default="")
    s = sub.add_parser("samples")
    s.add_argument("file")
    s = sub.add_parser("summary")
    s.add_argument("dir")
    args = parser.parse_args()
    if args.what == "finish":
        sys.exit(finish(args))
    sys.exit(samples(args.file) if args.what == "samples" else summary(args.dir))


if __name__ == "__main__":
    main()
