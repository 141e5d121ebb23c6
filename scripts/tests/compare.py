#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Run the stock selftests in several set-ups of one machine and compare what they say.

compare.py OUT --dir DIR [--base IMAGE] --series IMAGE --programs DIR --part ci|all [--no-vfio REASON]
    Boot "base" (the kernel without the series, if it is given), "off" (kvm-arm.protected_its=off) and "on" (confined
    ITS), each once for the KVM and once for the VFIO selftests. Write OUT and print the table. CPU, GIC, SMP, MEM and
    APPEND are those of the environment. Exit 0, or 110 if any is worse than the first in anything. Without IMAGE of base
    "off" is the first, and must not fail.

A run is bad if no run of the first set-up was as bad. A test with a bad run runs again in all set-ups, up to three
times in all, as the first may show the same. A single bad run in ten is reported and counts as skipped: that is not
enough to say whose doing it was. If the machine died, or the kernel complained as it never did in the first set-up, once
is enough.
"""
import argparse
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from typing import NamedTuple

import ktap

HERE = os.path.dirname(os.path.abspath(__file__))
# What the kernel command line has, and what the kernel says of its ITS
SETUPS = {"base": ("", "none"), "off": ("kvm-arm.protected_its=off", "off"), "on": ("", "confined")}
BOOT = "(kernel log outside the tests)"


class Row(NamedTuple):
    program: str
    arguments: str = "-"
    devices: str = "-"
    part: str = "ci"
    deadline: str = "180"
    note: str = "-"

    @property
    def name(self):
        return " ".join(c for c in self[:3] if c != "-")

    @property
    def key(self):
        return re.sub(r"[^\w.-]+", "_", self.name.replace("/", "."))


class Outcome(NamedTuple):
    """The result of one run of a test."""
    word: str               # pass, skip, fail, timeout, died
    reason: str = ""
    passed: frozenset = frozenset()

    def __str__(self):
        return self.word + (" %d" % len(self.passed) if self.passed else "")

    def as_good_as(self, base):
        rank, base_rank = ({"pass": 2, "skip": 1}.get(o.word, 0) for o in (self, base))
        return rank > base_rank or (self.word == base.word and plain(self.reason) == plain(base.reason) and
                                    self.passed >= base.passed)


def plain(text):
    """Text without what differs from one run to the next."""
    return re.sub(r"0x[0-9a-f]+|\b[0-9a-f]{8,}\b|\d+", "N", text).strip()


def judge(base, runs, complaints=()):
    """Return "good", "worse", "once" or "again" (too early to say), and the bad runs."""
    bad = [o for o in runs if not any(o.as_good_as(b) for b in base)]
    if not bad and not complaints:
        return "good", bad
    lone = len(bad) == 1 and bad[0].word != "died" and not complaints
    if len(runs) < 3 or lone and len(runs) < 10:
        return "again", bad
    return "once" if lone else "worse", bad


def read_rows(programs):
    text = subprocess.check_output([os.path.join(HERE, "../rows"), os.path.join(HERE, "compare.list")], text=True)
    rows = [Row(*line.split("\t")) for line in text.splitlines()]
    for r in rows:
        if r.part not in ("ci", "all", "never") or (r.part == "never" and r.note == "-"):
            sys.exit("compare.list: part is ci, all, or never with a reason: " + r.name)
    listed = {r.program for r in rows}
    for group in ("kvm", "vfio"):
        for root, _, names in os.walk(os.path.join(programs, group)):
            paths = [os.path.join(root, n) for n in names if not re.search(r"^pkvm_|\.(sh|o|d|so)$", n)]
            found = {os.path.relpath(p, programs) for p in paths if os.access(p, os.X_OK)}
            rows += [Row(p) for p in found - listed]
    return sorted(rows)


def outcome(row, out, died):
    """The result of a row from its files, or None if it was not begun."""
    base = os.path.join(out, row.key)
    if not os.path.exists(base + ".txt"):
        return None
    lines = [l for l in ktap.read_lines(base + ".txt") if l.strip()]
    passed, failed, problems = [], [], []
    if any(re.match(r"(TAP|KTAP) version", l) for l in lines):
        passed, failed, _, problems = ktap.parse(lines)
    passed = frozenset(passed)
    if not os.path.exists(base + ".status"):
        return Outcome("died", died, passed)
    with open(base + ".status") as f:
        status, seconds = map(int, f.read().split())
    if status in (137, 143) and seconds >= int(row.deadline):
        return Outcome("timeout", "not done after %s s" % row.deadline, passed)
    if status == 0 and not failed and not problems:
        return Outcome("pass", "", passed)
    # The place of KVM's TEST_ASSERT or the first result that is to blame; and the last line, where a message is.
    why = re.search(r"Assertion Failure ====\n\s*(.*)|#\s*SKIP[\s-]*(.*)|^\s*(not ok.*|Bail out!.*)", "\n".join(lines), re.M)
    why = [next(filter(None, why.groups()), "")] if why else []
    why += [l.strip() for l in lines[-1:] if not why or why[0] not in l]
    return Outcome("skip" if status == 4 else "fail", "; ".join(why) or "no output", passed)


def complaints_of(log):
    """The kernel's complaints: {(test, text without numbers): text}."""
    found, key = {}, BOOT
    for line in ktap.read_lines(log):
        text, patterns = ktap.splat(line)
        marker = re.search(r"\] compare: (?:begin (\S+)|end)", line)
        if marker:
            key = marker.group(1) or BOOT
        elif patterns:
            found[key, plain(text)] = text
    # A warning in a test leaves the kernel tainted.
    if any("WARNING" in text for (key, _), text in found.items() if key != BOOT):
        found = {k: text for k, text in found.items() if "guest: the kernel is tainted" not in text}
    return found


class Setup:
    def __init__(self, name, args):
        self.name, self.args = name, args
        self.append, self.state = SETUPS[name]
        self.runs = defaultdict(list)   # outcomes by the key of the row
        self.complaints = {}
        self.wrong = []                 # what makes its boots no proper ones

    def run(self, rows, number):
        """Run rows in one boot, and in more if one dies."""
        boots = 0
        while rows:
            boots += 1
            where = "%s-%s-%d-%d" % (rows[0].program.split("/")[0], rows[0].part, number, boots)
            rows = self.boot(rows, os.path.join(self.args.dir, self.name, where))

    def boot(self, rows, where):
        """Run rows in one boot. Returns those it did not get to."""
        shutil.rmtree(where, ignore_errors=True)
        share = os.path.join(where, "share")
        for r in rows:
            os.makedirs(os.path.dirname(os.path.join(share, r.program)), exist_ok=True)
            shutil.copy(os.path.join(self.args.programs, r.program), os.path.join(share, r.program))
        shutil.copy(os.path.join(HERE, "guest-compare"), os.path.join(share, "job"))
        with open(os.path.join(share, "rows"), "w") as f:
            f.writelines("\t".join((r.key, r.deadline, r.devices, r.program, r.arguments)) + "\n" for r in rows)
        devices = {d for r in rows for d in r.devices.split(",")} - {"-"}
        append = self.append + (" vfio_pci.enable_sriov=1" if devices else "")
        command = [os.path.join(HERE, "../machine/boot"), "-d", str(sum(int(r.deadline) for r in rows) + 60),
                   "-x", ",".join(["single", *sorted(devices)] + ["smmu"] * bool(devices)), "-a", append.strip(), where]
        image, start = self.args.base if self.name == "base" else self.args.series, time.monotonic()
        with open(os.path.join(where, "boot.log"), "w") as log:
            code = subprocess.call(command, env={**os.environ, "KERNEL_IMAGE": image}, stdout=log, stderr=log,
                                   stdin=subprocess.DEVNULL)
        died = ktap.ENDS.get(code, "exit code %d" % code)
        done = {r: outcome(r, os.path.join(share, "out"), died) for r in rows}
        left = [r for r in rows if not done[r]]
        if len(left) == len(rows):
            done, left = {r: Outcome("died", "boot: " + died) for r in rows}, []
        for r in done:
            if done[r]:
                self.runs[r.key].append(done[r])
        self.complaints.update(complaints_of(os.path.join(where, "console.log")))
        if code and not left and all(o.word != "died" for o in done.values()):
            self.complaints[BOOT, died] = "after the last test: " + died
        state = " ".join(ktap.read_lines(os.path.join(share, "state"))) or "unknown"
        if state != self.state:
            self.wrong.append("%s: the ITS is %s, not %s" % (self.name, state, self.state))
        refused = {l for l in ktap.read_lines(os.path.join(share, "stats")) if l.startswith("refused ")}
        if self.name == "on" and (refused or not code) and refused != {"refused 0"}:
            self.wrong.append("on: of a host that behaves: " + (", ".join(sorted(refused)) or "no count of what is refused"))
        print("    %s: %d tests in %d s%s" % (os.path.relpath(where, self.args.dir), len(rows) - len(left),
                                             time.monotonic() - start, " (%s)" % died if code else ""), file=sys.stderr, flush=True)
        return left


def judge_all(setups, key):
    """What judge() finds in the set-ups that have the series, by their names, and what is worse there."""
    base, *others = setups
    pairs = [(base.runs[key], base.complaints, s) for s in others]
    if base.name != "base":
        # It has the series, and must not fail.
        pairs.append(([o for o in base.runs[key] if o.word == "skip"] or [Outcome("skip")], {}, base))
    found, notes = {}, []
    for runs, known, s in pairs:
        new = [text for k, text in s.complaints.items() if k[0] == key and k not in known]
        found[s.name], bad = judge(runs, s.runs[key], new)
        notes += ["%s: %s, %s" % (s.name, o, o.reason) for o in bad]
        notes += ["%s: new in the kernel log: %s" % (s.name, text) for text in new]
    return found.values(), list(dict.fromkeys(notes))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    for name in ("--dir", "--series", "--programs", "--part"):
        parser.add_argument(name, required=True)
    parser.add_argument("--base")
    parser.add_argument("--no-vfio", default="")
    args = parser.parse_args()
    setups = [Setup(name, args) for name in SETUPS if name != "base" or args.base]
    rows = [r for r in read_rows(args.programs) if r.part in ("ci", "never", args.part)]
    skips = {r: r.note for r in rows if r.part == "never"}
    if args.no_vfio:
        skips.update({r: args.no_vfio for r in rows if r.program.startswith("vfio/")})

    todo, number = [r for r in rows if r not in skips], 0
    while todo:
        number += 1
        batches = defaultdict(list)
        for r in sorted(todo, key=lambda r: (r.part, r.program)):
            batches[r.part if r.program.startswith("kvm/") else "vfio"].append(r)
        # Two boots at once: most of these tests keep one CPU busy.
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for job in [pool.submit(s.run, b, number) for b in batches.values() for s in setups]:
                job.result()
        verdicts = {r: judge_all(setups, r.key)[0] for r in todo}
        todo = [r for r in todo if "again" in verdicts[r] and "worse" not in verdicts[r]]

    lines, bad = [], 0

    def result(worse, name, notes, skip=""):
        nonlocal bad
        bad += bool(worse)
        lines.extend("# " + n for n in notes)
        lines.append("%sok %d %s%s" % ("not " if worse else "", sum(l[0] != "#" for l in lines) + 1, name,
                                       " # SKIP " + skip if skip else ""))
        print("%-70s %s" % (lines[-1], "; ".join(notes)))

    for r in rows:
        if r in skips:
            result(False, r.name, [], skips[r])
            continue
        verdicts, notes = judge_all(setups, r.key)
        first = setups[0].runs[r.key][0]
        shown = ["%s: %s" % (s.name, "/".join(dict.fromkeys(map(str, s.runs[r.key])))) for s in setups]
        skip = ""
        if "once" in verdicts:
            skip = "once in %d runs: %s" % (len(setups[0].runs[r.key]), "; ".join(notes))
        elif first.word != "pass" and len({s.split()[1] for s in shown}) == 1:
            # What does not pass in the first either proves nothing.
            skip = first.reason if first.word == "skip" else "%s at %s: %s" % (first.word, setups[0].name, first.reason)
        worse = "worse" in verdicts
        result(worse, r.name, shown + notes, "" if worse else skip)
    _, notes = judge_all(setups, BOOT)
    result(notes, "nothing new in the kernel log outside the tests", notes)
    wrong = [w for s in setups for w in s.wrong]
    result(wrong, "each boot had the ITS it was meant to have, and EL2 refused nothing", wrong)
    with open(args.out, "w") as f:
        f.write("\n".join(["KTAP version 1", "1..%d" % sum(l[0] != "#" for l in lines)] + lines) + "\n")
    return 110 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
