#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Run the stock selftests of compare.list in three set-ups of one machine and compare what they say.

compare.py run OUT --dir DIR --base IMAGE --series IMAGE --programs DIR --part ci|all [--boots N] [--no-vfio REASON]
    Boot "base" (the kernel without the series), "off" (kvm-arm.protected_its=off) and "on" (confined ITS), each once
    for the KVM and once for the VFIO selftests. Write OUT.ktap and OUT.json and print the table. CPU, GIC, SMP, MEM and
    APPEND are those of the environment. Exit 0, or 110 if the series is worse in anything.
compare.py merge DIR FILE
    One JSON file of all DIR/*.json.

A test that comes out worse with the series is run again in all three set-ups, twice. Its result with the series is
still a difference unless the base kernel has shown the same, or a worse one, in one of its own runs.
What happened a single time is told about and counts as skipped: that is not enough to say whose doing it was. A test
that did not end must do so in the two other runs of that set-up, one that failed must not fail in nine more. If the
machine died, or the kernel complained, then once is enough.

The CPUs of a machine share a thread. With one each, KVM_RUN now and then failed or never returned, without the series
just as well: a vCPU was put when its task was preempted, and not loaded when that came back. The hook for it is behind
a static key that each first and last VM patches, and QEMU 7.2 translates without a lock: it may go on with old code.
"""
import argparse
import concurrent.futures
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time

import ktap

HERE = os.path.dirname(os.path.abspath(__file__))
SETUPS = ("base", "off", "on")
STATES = {"base": "none", "off": "off", "on": "confined"}
ROUNDS = 3
MANY_ROUNDS = 10
RANK = {"pass": 2, "skip": 1, "fail": 0, "timeout": 0, "died": 0}
BOOT = "(kernel log outside the tests)"
TAINTED = "guest: the kernel is tainted"


class Row:
    def __init__(self, line):
        columns = [c.strip() for c in line.split("|")]
        if len(columns) != 6:
            sys.exit("compare.list: six columns are needed: " + line)
        self.program, self.arguments, self.devices, self.part, deadline, self.note = columns
        if self.part not in ("ci", "all", "never") or (self.part == "never" and self.note == "-"):
            sys.exit("compare.list: part is ci, all, or never with a reason: " + line)
        self.deadline = int(deadline)
        self.group = self.program.split("/")[0]
        self.name = self.program + ("" if self.arguments == "-" else " " + self.arguments)
        if self.devices != "-":
            self.name += " " + self.devices
        self.key = re.sub(r"[^\w.-]+", "_", self.name.replace("/", "."))


def read_list(path):
    with open(path) as f:
        rows = [Row(line) for line in f if line.strip() and not line.startswith("#")]
    if len({r.key for r in rows}) != len(rows):
        sys.exit("compare.list: two rows are the same")
    return rows


def plain(text):
    """Text without what differs from one run to the next."""
    return re.sub(r"0x[0-9a-f]+|\b[0-9a-f]{8,}\b|\d+", "N", text).strip()


class Outcome:
    """What one run of a test said."""

    def __init__(self, word, reason="", seconds=0, passed=(), failed=0, skipped=0):
        self.word, self.reason, self.seconds = word, reason, seconds
        self.passed, self.failed, self.skipped = frozenset(passed), failed, skipped
        self.complaints = {}    # of the kernel, meanwhile: {text without numbers: line}

    def as_good_as(self, base):
        if RANK[self.word] != RANK[base.word]:
            return RANK[self.word] > RANK[base.word]
        return self.word == base.word and plain(self.reason) == plain(base.reason) and self.passed >= base.passed

    def short(self):
        return self.word + (" %d" % len(self.passed) if self.passed else "")

    def json(self):
        return {"result": self.word, "reason": self.reason, "seconds": self.seconds,
                "subtests_passed": len(self.passed), "subtests_failed": self.failed, "subtests_skipped": self.skipped}


def reason_of(lines, word):
    if word == "skip":
        for line in lines:
            m = re.search(r"#\s*SKIP\s*-?\s*(.*)", line, re.I)
            if m and m.group(1):
                return m.group(1)
        return lines[-1] if lines else "no reason given"
    for i, line in enumerate(lines):
        # KVM's TEST_ASSERT: place and condition, ids, a stack that nobody can decode here, and the message.
        if "Test Assertion Failure" in line and i + 1 < len(lines):
            rest = [l.strip() for l in lines[i + 2:i + 8] if not re.search(r"pid=|addr2line|\(null\)|^\s+\d+\s", l)]
            return "; ".join([lines[i + 1].strip()] + rest[:1])
    bad = [l for l in lines if re.match(r"\s*not ok|Bail out!", l)]
    return (bad or lines or ["no output"])[0 if bad else -1].strip()


def outcome(row, out, died):
    """The result of a row from its files, or None if it was not begun."""
    base = os.path.join(out, row.key)
    if not os.path.exists(base + ".txt"):
        return None
    lines = [l for l in ktap.read_lines(base + ".txt") if l.strip()]
    passed, failed, skipped, problems = [], [], [], []
    if any(re.match(r"(TAP|KTAP) version", l) for l in lines):
        passed, failed, skipped, problems = ktap.parse(lines)
    numbers = {"passed": passed, "failed": len(failed), "skipped": len(skipped)}
    if not os.path.exists(base + ".status"):
        return Outcome("died", died, **numbers)
    with open(base + ".status") as f:
        status = int(f.read())
    with open(base + ".seconds") as f:
        seconds = int(f.read())
    if status in (137, 143) and seconds >= row.deadline:
        return Outcome("timeout", "not done after %d s" % row.deadline, seconds, **numbers)
    word = {0: "pass", 4: "skip"}.get(status, "fail")
    if word == "pass" and (failed or problems):
        word = "fail"
    return Outcome(word, "" if word == "pass" else reason_of(lines, word), seconds, **numbers)


def splats(log):
    """The kernel's complaints by the test they came in: {key: {text without numbers: line}}."""
    found, key = {}, BOOT
    for line in ktap.read_lines(log):
        m = ktap.KERNEL.search(line)
        if not m:
            continue
        text = m.group(1)
        marker = re.match(r"compare: (?:begin (\S+)|end)", text)
        if marker:
            key = marker.group(1) or BOOT
        elif any(s.search(text) for s in ktap.SPLATS):
            found.setdefault(key, {}).setdefault(plain(text), text)
    return found


class Setup:
    def __init__(self, name, image, append):
        self.name, self.image, self.append = name, image, append
        self.outcomes = {}      # key: list of Outcome
        self.splats = {}        # those that are not an outcome's, key: {plain: text}
        self.states, self.refused = set(), []


class Comparison:
    def __init__(self, args):
        self.args, self.lock, self.start = args, threading.Lock(), time.monotonic()
        self.setups = [Setup("base", args.base, ""), Setup("off", args.series, "kvm-arm.protected_its=off"),
                       Setup("on", args.series, "")]
        self.rows = read_list(os.path.join(HERE, "compare.list"))
        self.chosen = [r for r in self.rows if r.part == "ci" or r.part == args.part]
        if args.no_vfio:
            self.chosen = [r for r in self.chosen if r.group != "vfio"]
        self.running = {}

    def say(self, text):
        with self.lock:
            print("    " + text, file=sys.stderr, flush=True)

    def boot(self, setup, rows, where):
        """One boot that runs rows. Returns the rows it did not get to."""
        shutil.rmtree(where, ignore_errors=True)
        share = os.path.join(where, "share")
        os.makedirs(share)
        shutil.copy(os.path.join(HERE, "guest-compare"), os.path.join(share, "job"))
        with open(os.path.join(share, "rows"), "w") as f:
            for r in rows:
                f.write("\t".join((r.key, str(r.deadline), r.devices, r.program, r.arguments)) + "\n")
        for program in {r.program for r in rows}:
            os.makedirs(os.path.dirname(os.path.join(share, program)), exist_ok=True)
            shutil.copy(os.path.join(self.args.programs, program), os.path.join(share, program))
        devices = sorted({d for r in rows for d in r.devices.split(",") if d != "-"})
        arguments = setup.append
        if devices:
            devices.append("smmu")
            arguments += " vfio_pci.enable_sriov=1"
        command = [os.path.join(HERE, "../machine/boot"), "-q", "-s", "-d", str(sum(r.deadline for r in rows) + 60),
                   "-x", ",".join(devices), "-a", arguments.strip(), where]
        began = time.monotonic()
        self.running[where] = setup.name
        with open(os.path.join(where, "boot.log"), "w") as log:
            code = subprocess.call(command, env={**os.environ, "KERNEL_IMAGE": setup.image}, stdout=log, stderr=log,
                                   stdin=subprocess.DEVNULL)
        del self.running[where]
        died = ktap.ENDS.get(code, "exit code %d" % code)
        left, found = [], splats(os.path.join(where, "console.log"))
        if any("WARNING" in text for key in found if key != BOOT for text in found[key].values()):
            found[BOOT] = {p: text for p, text in found.get(BOOT, {}).items() if not text.startswith(TAINTED)}
        for r in rows:
            o = outcome(r, os.path.join(share, "out"), died)
            if o:
                o.complaints = found.pop(r.key, {})
                setup.outcomes.setdefault(r.key, []).append(o)
            else:
                left.append(r)
        for key, texts in found.items():
            setup.splats.setdefault(key, {}).update(texts)
        if code and not left and all(os.path.exists(os.path.join(share, "out", r.key + ".status")) for r in rows):
            setup.splats.setdefault(BOOT, {})[died] = "after the last test: " + died
        setup.states.update(ktap.read_lines(os.path.join(share, "state")) or ["unknown"])
        setup.refused += [l for l in ktap.read_lines(os.path.join(share, "stats")) if l.startswith("refused ")]
        self.say("%s, %s: %d tests in %d s%s" % (setup.name, os.path.basename(where), len(rows) - len(left),
                                                  time.monotonic() - began, " (%s)" % died if code else ""))
        if len(left) == len(rows):
            for r in left:
                setup.outcomes.setdefault(r.key, []).append(Outcome("died", "boot: " + died))
            return []
        return left

    def perform(self, setup, rows, number):
        """Run rows in one boot, and in more if one dies."""
        boots = 0
        where = os.path.join(self.args.dir, setup.name, "%s-%s-%d" % (rows[0].group, rows[0].part, number))
        while rows:
            boots += 1
            rows = self.boot(setup, rows, where if boots == 1 else "%s-%d" % (where, boots))

    def round(self, number, rows):
        # One boot each; what takes longest begins first.
        batches = [[r for r in rows if r.group == "kvm" and r.part == "all"],
                   [r for r in rows if r.group == "kvm" and r.part == "ci"], [r for r in rows if r.group == "vfio"]]
        with concurrent.futures.ThreadPoolExecutor(self.args.boots) as pool:
            jobs = [pool.submit(self.perform, s, b, number) for b in batches if b for s in self.setups]
            while True:
                _, waiting = concurrent.futures.wait(jobs, timeout=30)
                if not waiting:
                    break
                for where, name in list(self.running.items()):
                    marks = [l for l in ktap.read_lines(os.path.join(where, "console.log")) if "compare: begin " in l]
                    self.say("%4d s: %s is at test %d, %s" % (time.monotonic() - self.start, name, len(marks),
                                                               marks[-1].split()[-1] if marks else "none yet"))
        for job in jobs:
            job.result()

    def new_splats(self, setup, key):
        known = self.setups[0].splats.get(key, {})
        return [text for p, text in setup.splats.get(key, {}).items() if p not in known]

    def new_complaints(self, row, outcome):
        known = set().union(*(b.complaints for b in self.setups[0].outcomes[row.key]))
        return [text for p, text in outcome.complaints.items() if p not in known]

    def is_worse(self, row, outcome):
        return not any(outcome.as_good_as(b) for b in self.setups[0].outcomes[row.key])

    def bad_outcomes(self, setup, row):
        return [o for o in setup.outcomes[row.key] if self.is_worse(row, o) or self.new_complaints(row, o)]

    def may_be_lone(self, setup, row):
        """Is there a single bad outcome, of a kind that is worth running the test more often?"""
        bad = self.bad_outcomes(setup, row)
        return len(bad) == 1 and bad[0].word != "died" and not self.new_complaints(row, bad[0])

    def lone(self, setup, row):
        """The only bad outcome of many in a set-up; None if there is no such thing."""
        if not self.may_be_lone(setup, row):
            return None
        bad = self.bad_outcomes(setup, row)[0]
        needed = ROUNDS if bad.word == "timeout" else MANY_ROUNDS
        return bad if len(setup.outcomes[row.key]) >= needed else None

    def worse(self, row):
        """What the series does that the base kernel has not shown."""
        notes = []
        base = self.setups[0].outcomes[row.key]
        for s in self.setups[1:]:
            lone = self.lone(s, row)
            for o in self.bad_outcomes(s, row):
                if o is lone:
                    continue
                if self.is_worse(row, o):
                    lost = sorted(set().union(*(b.passed for b in base)) - o.passed)
                    notes.append("%s: %s%s%s" % (s.name, o.short(), ", " + o.reason if o.reason else "",
                                                 "; not passed: " + ", ".join(lost[:5]) if lost else ""))
                notes += ["%s: new in the kernel log: %s" % (s.name, t) for t in self.new_complaints(row, o)]
            notes += ["%s: new in the kernel log: %s" % (s.name, t) for t in self.new_splats(s, row.key)]
        return list(dict.fromkeys(notes))

    def worth_another(self, row):
        """A row that is worse: can it still turn out to have been so a single time?"""
        return all(not self.new_splats(s, row.key) and (not self.bad_outcomes(s, row) or self.may_be_lone(s, row))
                   for s in self.setups[1:])

    def run(self):
        rows = self.chosen
        for number in range(1, MANY_ROUNDS + 1):
            if number > 1:
                self.say("once more in all set-ups: " + ", ".join(r.name for r in rows))
            self.round(number, rows)
            rows = [r for r in rows if self.worse(r) and (number < ROUNDS or self.worth_another(r))]
            if not rows:
                break
        return self.report()

    def unlisted(self):
        listed = {r.program for r in self.rows}
        found = []
        for group in ("kvm", "vfio"):
            for root, _, names in os.walk(os.path.join(self.args.programs, group)):
                for name in names:
                    path = os.path.join(root, name)
                    if os.access(path, os.X_OK) and not re.search(r"\.(sh|o|d|so)$", name):
                        found.append(os.path.relpath(path, self.args.programs))
        return sorted(set(found) - listed)

    def report(self):
        lines, failures, table, tests, reasons = [], [], [], [], {}
        count = bad = 0

        def result(good, name, notes=(), skip=""):
            nonlocal count, bad
            count += 1
            bad += 0 if good else 1
            lines.extend("# " + n for n in notes)
            lines.append("%sok %d %s%s" % ("" if good else "not ", count, name, " # SKIP " + skip if skip else ""))
            if not good:
                failures.extend([lines[-1]] + ["    " + n for n in notes])

        for row in self.rows:
            if row.part == "never":
                result(True, row.name, skip=row.note)
                continue
            if row not in self.chosen:
                if row.group == "vfio" and self.args.no_vfio and row.part in ("ci", self.args.part):
                    result(True, row.name, skip=self.args.no_vfio)
                continue
            worse = self.worse(row)
            seen = [s.outcomes[row.key] for s in self.setups]
            shown = ["/".join(dict.fromkeys(o.short() for o in os_)) for os_ in seen]
            same = len(set(shown)) == 1
            verdict = "WORSE" if worse else "same" if same else "differs as base does" if len(seen[0]) > 1 else "better"
            # What does not pass without the series either shows nothing.
            skip = ""
            if verdict == "same" and seen[0][0].word != "pass":
                skip = ("" if seen[0][0].word == "skip" else shown[0] + " at base: ") + seen[0][0].reason
            lone = [(t, self.lone(t, row)) for t in self.setups[1:] if self.lone(t, row)]
            if lone and not worse:
                verdict = "once worse"
                skip = "once in %d runs: %s" % (len(seen[1]), "; ".join(
                    ", ".join([t.name, o.short(), o.reason]) for t, o in lone))
            for word, reason in {(o.word, o.reason) for o in seen[0] if o.reason}:
                reasons.setdefault((word, reason), []).append(row.name)
            table.append([row.name] + shown + [verdict])
            notes = ["%s: %s" % (s.name, w) for s, w in zip(self.setups, shown)] + worse
            result(not worse, row.name, [] if skip else notes, skip)
            tests.append({"test": row.program, "arguments": row.arguments, "devices": row.devices, "verdict": verdict,
                          "worse": worse, **{s.name: [o.json() for o in s.outcomes[row.key]] for s in self.setups}})
        boot = ["%s: %s" % (s.name, t) for s in self.setups[1:] for t in self.new_splats(s, BOOT)]
        result(not boot, "nothing new in the kernel log outside the tests", boot)
        states = {s.name: sorted(s.states) for s in self.setups}
        result(all(v == [STATES[k]] for k, v in states.items()), "each boot had the ITS it was meant to have",
               ["%s: %s" % (k, ", ".join(v)) for k, v in states.items()])
        on = self.setups[2].refused
        result(bool(on) and set(on) == {"refused 0"}, "no command of a host that behaves is refused", sorted(set(on)))
        unlisted = self.unlisted()
        result(not unlisted, "every stock test is in compare.list", unlisted)

        with open(self.args.out + ".ktap.part", "w") as f:
            f.write("\n".join(["KTAP version 1", "1..%d" % count] + lines) + "\n")
        os.replace(self.args.out + ".ktap.part", self.args.out + ".ktap")
        env = os.environ
        with open(self.args.out + ".json", "w") as f:
            json.dump({"cpu": env["CPU"], "gic": env["GIC"], "part": self.args.part, "its": states, "worse": bad,
                       "seconds": round(time.monotonic() - self.start), "tests": tests,
                       "kernel_log": {s.name: self.kernel_log(s) for s in self.setups}}, f, indent=1)
            f.write("\n")
        self.print_table(table, reasons, failures)
        return 110 if bad else 0

    @staticmethod
    def kernel_log(setup):
        log = {key: dict(texts) for key, texts in setup.splats.items()}
        for key, outcomes in setup.outcomes.items():
            for o in outcomes:
                if o.complaints:
                    log.setdefault(key, {}).update(o.complaints)
        return log

    def print_table(self, table, reasons, failures):
        heads = ["test", "base", "off", "on", ""]
        widths = [max(len(r[i]) for r in table + [heads]) for i in range(5)]
        print("\nCPU %s, GICv%s: the kernel without the series, with kvm-arm.protected_its=off, with confined ITSs"
              " (n: subtests)\n" % (os.environ["CPU"], os.environ["GIC"]))
        for r in [heads, ["-" * w for w in widths]] + table:
            print("  ".join(c.ljust(w) for c, w in zip(r, widths)).rstrip())
        if reasons:
            print("\nReasons at base:")
        for (word, reason), names in sorted(reasons.items()):
            print("  %s: %s: %s" % (word, ", ".join(names), reason))
        words = [(r[4] + ", " + r[1].split()[0] if r[4] == "same" else r[4]) for r in table]
        print("\n%d tests: %s" % (len(table), "; ".join("%d %s" % (words.count(w), w) for w in dict.fromkeys(words))))
        for line in failures:
            print(line)


def merge(directory, path):
    machines = []
    for name in sorted(glob.glob(os.path.join(directory, "*.json"))):
        with open(name) as f:
            machines.append(json.load(f))
    with open(path + ".part", "w") as f:
        json.dump({"machines": machines}, f, indent=1)
        f.write("\n")
    os.replace(path + ".part", path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sub = parser.add_subparsers(dest="what", required=True)
    r = sub.add_parser("run")
    r.add_argument("out")
    for name in ("--dir", "--base", "--series", "--programs"):
        r.add_argument(name, required=True)
    r.add_argument("--part", choices=("ci", "all"), required=True)
    r.add_argument("--boots", type=int, default=1)
    r.add_argument("--no-vfio", default="")
    m = sub.add_parser("merge")
    m.add_argument("dir")
    m.add_argument("file")
    args = parser.parse_args()
    if args.what == "merge":
        return merge(args.dir, args.file)
    return Comparison(args).run()


if __name__ == "__main__":
    sys.exit(main())
