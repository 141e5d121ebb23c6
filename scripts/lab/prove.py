#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Prove what lab/prove/list has, and see whether the proofs notice seeded faults."""

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
import time

import mutants

# Of cbmc and of its solver, in seconds of CPU (make check, all others) and bytes
CPU_MAX = (600, 1800)
MEMORY_MAX = 10 << 30
# cbmc's own solver, MiniSat, may take a hundred times as long after a change that has nothing to do with a proof.
# Then this one has a try, or at once, if the list says so: it is slower with most.
SOLVER = ["--external-sat-solver", "cadical"]
RESULT = re.compile(r"^\[(\S+)\] (?:line (\d+) )?(.*): (SUCCESS|FAILURE|UNKNOWN|ERROR)$")


def rows(path):
    reader = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../rows")
    return [line.split("\t") for line in subprocess.check_output([reader, path], text=True).splitlines()]


def extract(tree, table, target):
    """Writes the functions that the table names, as they are in the tree, to the target directory."""
    os.makedirs(target, exist_ok=True)
    for name, source, functions in rows(table):
        with open(os.path.join(tree, source)) as f:
            text = f.read()
        with open(os.path.join(target, name), "w") as f:
            for function in functions.split():
                # The kernel's style: the type begins a line, the closing brace is alone in one.
                found = re.findall(r"^[a-z][^\n;]*\b%s\([^;{]*\)\n\{\n.*?^\}\n" % function, text, re.M | re.S)
                if len(found) != 1:
                    sys.exit("%s: %s is there %d times" % (source, function, len(found)))
                f.write(found[0] + "\n")


class Prover:
    def __init__(self, args):
        self.cbmc, self.dir, self.tool, self.log = args.cbmc, args.dir, args.tool, args.log
        self.seconds = CPU_MAX[args.target != "check"]

    def limit(self):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
        resource.setrlimit(resource.RLIMIT_CPU, (self.seconds, self.seconds))

    def run(self, tree, harness, log, *more):
        """Returns (what has been found of each property, whether cbmc came to an end)."""
        found, ended = self.run_once(tree, harness, log, *more)
        if not ended and SOLVER[0] not in harness[2]:
            found, ended = self.run_once(tree, harness, log, *more, *SOLVER)
        return found, ended

    def run_once(self, tree, harness, log, *more):
        name, source, options = harness[:3]
        # What follows a dot tells variants of a harness apart.
        cmd = [self.cbmc, os.path.join(self.dir, source), "--function", name.split(".")[0],
               "-DCONFIG_PHYS_ADDR_T_64BIT",
               "-I", os.path.join(self.tool, "include"), "-I", os.path.join(tree, "tools/include"), "-I", tree,
               "-I", os.path.join(tree, "arch/arm64/kvm/hyp/nvhe"), "--drop-unused-functions"]
        cmd += options.split() + list(more)
        if "-DPAGE_SHIFT" not in options:
            cmd.append("-DPAGE_SHIFT=12")
        with open(log, "w") as f, tempfile.TemporaryDirectory() as generated:
            extract(tree, os.path.join(self.dir, "extract"), os.path.join(generated, "extracted"))
            cmd += ["-I", generated]
            # What cbmc and its solver write on the way goes with the directory.
            code = subprocess.run(cmd, stdin=subprocess.DEVNULL, stdout=f, stderr=subprocess.STDOUT,
                                  preexec_fn=self.limit, env={**os.environ, "TMPDIR": generated}).returncode
        with open(log, errors="replace") as f:
            found = [m.groups() for m in map(RESULT.match, f) if m]
        # 0: all hold. 10: some do not.
        return found, code in (0, 10)

    def prove(self, tree, harness):
        """Returns (what is wrong, how many properties are proved)."""
        log = os.path.join(self.log, harness[0])
        # All that cbmc checks of itself (bounds, pointers, shifts, signed overflow, division), and that loops end.
        found, ended = self.run(tree, harness, log, "--unwinding-assertions")
        if not ended:
            return "cbmc gave no result: see " + log, 0
        if not found:
            return "there is nothing to prove: see " + log, 0
        for prop, line, text, verdict in found:
            if verdict != "SUCCESS":
                return "%s line %s: %s" % (prop, line, text), 0
        # The assumptions allow what the harness says they do.
        reached, ended = self.run(tree, harness, log + ".reach", "-DREACH", "--no-standard-checks")
        reached = [r for r in reached if r[2].startswith("reach: ")]
        if not ended or not reached:
            return "cbmc reached nothing: see %s.reach" % log, 0
        for prop, line, text, verdict in reached:
            if verdict != "FAILURE":
                return "line %s: cannot %s" % (line, text), 0
        return None, len(found)

    def notices(self, tree, harness, log):
        """Returns the property that a fault breaks, or None; raises RuntimeError without a result."""
        # Most faults break a property of the harness, which is found much sooner without all others.
        for checks in (["--no-standard-checks"], []):
            found, ended = self.run(tree, harness, log, "--unwinding-assertions", "--stop-on-fail", *checks)
            if not ended:
                raise RuntimeError("cbmc gave no result")
            with open(log, errors="replace") as f:
                text = f.read()
            if "VERIFICATION SUCCESSFUL" not in text:
                m = re.search(r"Violated property:\n.*\n  (.*)", text)
                return m.group(1) if m else "a property"
        return None


def prove_all(args, prover, harnesses):
    results = {}

    def work(_, i):
        name, what = harnesses[i][0], harnesses[i][4]
        start = time.time()
        wrong, count = prover.prove(args.source, harnesses[i])
        seconds = time.time() - start
        results[i] = (name, wrong, "%s: %d properties" % (what, count))
        print("    %-5s %s: %s (%d s)" % ("FAIL" if wrong else "ok", name, wrong or results[i][2], seconds),
              file=sys.stderr, flush=True)

    mutants.in_parallel(args.jobs, work, range(len(harnesses)))
    return [results[i] for i in range(len(harnesses))]


def seed_all(args, prover, harnesses):
    faults = {m[0]: m for path in args.mutants for m in mutants.read_list(path)}
    by_name = {h[0]: h for h in harnesses}
    faulty = [r for r in rows(os.path.join(args.dir, "mutants")) if args.only in r[0] + " " + r[1]]
    trees, results = [], {}
    for n in range(args.jobs):
        trees.append(os.path.join(args.work, str(n)))
        mutants.copy_sources(args.source, trees[n])

    def work(n, i):
        fault, harness = faulty[i]
        wrong, remark, text, path = None, None, None, None
        start = time.time()
        try:
            _, why, file, old, new = faults[fault]
            path = os.path.join(trees[n], file)
            text = mutants.replace(path, old, new)
            remark = prover.notices(trees[n], by_name[harness], os.path.join(args.log, "mutant-" + fault))
            if not remark:
                wrong = "survives %s" % harness
        except KeyError as e:
            wrong = "there is no %s: bring lab/prove/mutants up to date" % e
        except RuntimeError as e:
            wrong = str(e)
        if text is not None:
            with open(path, "w") as f:
                f.write(text)
        results[i] = ("fault " + fault, wrong, "%s: %s" % (harness, remark))
        print("    %-5s %s: %s (%d s)" % ("FAIL" if wrong else "ok", fault, wrong or results[i][2],
                                          time.time() - start), file=sys.stderr, flush=True)

    mutants.in_parallel(args.jobs, work, range(len(faulty)))
    return [results[i] for i in range(len(faulty))]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("cbmc", "dir", "source", "tool", "log", "ktap", "work"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--mutants", nargs="+", required=True)
    parser.add_argument("--target", choices=("check", "all", "faults"), default="check")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", default="")
    args = parser.parse_args()

    harnesses = rows(os.path.join(args.dir, "list"))
    prover = Prover(args)
    os.makedirs(args.log, exist_ok=True)
    if args.target == "faults":
        results = seed_all(args, prover, harnesses)
    else:
        results = prove_all(args, prover, [h for h in harnesses if args.only in h[0] and
                                           h[3] in ("check", args.target)])
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print("    %d s of CPU" % (used.ru_utime + used.ru_stime), file=sys.stderr)
    if not results:
        print("    none with %s in its name" % args.only, file=sys.stderr)
        return 0
    return 1 if mutants.report(args.ktap, results) else 0


if __name__ == "__main__":
    sys.exit(main())
