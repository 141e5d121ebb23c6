#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Seed faults into code that is tested in user space, and see whether they are noticed."""

import argparse
import os
import queue
import re
import shutil
import subprocess
import sys
import threading
import time

# Where the tests are in each copy, beside the kernel's directories
TOOL = "pkvm-its"
# What the build in user space reads of the kernel
PARTS = ["tools/include", "include/linux/irqchip", "arch/arm64/include/asm/kvm_pkvm_its.h",
         "arch/arm64/kvm/hyp/include/nvhe", "arch/arm64/kvm/hyp/nvhe",
         "arch/arm64/kvm/vgic", "drivers/irqchip/irq-gic-v5-irs.c"]
GICV5 = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lab/gicv5")
SHIFTS = [12, 14, 16]
FUZZ_SECONDS = 60
# A fault may well have EL2 loop for ever.
TEST_SECONDS = 120


def read_list(path):
    mutants = []
    with open(path) as f:
        text = f.read()
    for block in re.split(r"^== ", text, flags=re.M)[1:]:
        m = re.match(r"([\w-]+): (.*)\nfile (\S+)\n<<<<\n(.*)\n----\n(.*?)\n?>>>>\n", block, re.S)
        if not m:
            sys.exit("%s: cannot read: %s" % (path, block.splitlines()[0]))
        mutants.append(m.groups())
    return mutants


def run(args, cwd, log, timeout=None):
    try:
        with open(log, "w") as f:
            return subprocess.run(args, cwd=cwd, stdin=subprocess.DEVNULL, stdout=f, stderr=subprocess.STDOUT,
                                  timeout=timeout).returncode
    except subprocess.TimeoutExpired:
        return "time"


def make(tree, log, *targets):
    tool = os.path.join(tree, TOOL)
    # The dependencies that the compiler has written are copied with the trees, so no path is to be in them.
    return run(["make", "-C", tool, "KERNEL=..", "OUTPUT=.", "CC=clang"] + ["./" + t for t in targets], tree, log)


def first_failure(log):
    with open(log, errors="replace") as f:
        for line in f:
            m = re.match(r"not ok \d+ (.*)", line)
            if m:
                return m.group(1)
    return "the run as a whole"


def hunt(tree, corpus):
    """Returns what notices the fault, None if nothing does, or raises RuntimeError."""
    tool, log = os.path.join(tree, TOOL), os.path.join(tree, "log")
    for shift in SHIFTS:
        if make(tree, log, "unit-%d" % shift):
            raise RuntimeError("does not build: " + open(log).read()[-500:])
        code = run([os.path.join(tool, "unit-%d" % shift)], tree, log, TEST_SECONDS)
        if code == "time":
            return "unit tests do not end (%dk pages)" % (1 << shift - 10)
        if code:
            return "unit test %s (%dk pages)" % (first_failure(log), 1 << shift - 10)
    if make(tree, log, "fuzz-12"):
        raise RuntimeError("does not build: " + open(log).read()[-500:])
    start = time.time()
    work = os.path.join(tree, "corpus")
    os.makedirs(work, exist_ok=True)
    code = run([os.path.join(tool, "fuzz-12"), "-max_total_time=%d" % FUZZ_SECONDS, "-max_len=600", "-len_control=20",
                work, corpus], tree, log, FUZZ_SECONDS * 3)
    shutil.rmtree(work)
    return "fuzzer, after %d s" % (time.time() - start) if code else None


def is_gicv5(file):
    return "gic-v5" in file


def hunt_gicv5(tree):
    """As hunt(), for the ISTs of GICv5 guests: the tests in lab/gicv5"""
    log, out = os.path.join(tree, "log"), os.path.join(tree, "gicv5")
    for variant in ("4k", "be"):
        program = os.path.join(out, "unit-" + variant)
        if run(["make", "-C", GICV5, "KERNEL=" + os.path.abspath(tree), "OUTPUT=" + out, program], tree, log):
            raise RuntimeError("does not build: " + open(log).read()[-500:])
        code = run([program], tree, log, TEST_SECONDS)
        if code:
            return "unit tests do not end" if code == "time" else "unit test " + first_failure(log)
    return None


def hunt_baseline(tree, gicv5):
    if gicv5:
        caught = hunt_gicv5(tree)
        # What is built knows where, so that it is of no use in copies.
        shutil.rmtree(os.path.join(tree, "gicv5"))
        return caught
    tool, log = os.path.join(tree, TOOL), os.path.join(tree, "log")
    # The objects of models and tests are built once, and copied with the trees.
    if make(tree, log, "fuzz-12", *("unit-%d" % s for s in SHIFTS)):
        sys.exit("mutants: the code does not build: see " + log)
    return any(run([os.path.join(tool, "unit-%d" % s)], tree, log, TEST_SECONDS) for s in SHIFTS)


def replace(path, old, new):
    with open(path) as f:
        text = f.read()
    if text.count(old) != 1:
        raise RuntimeError("the code it changes is there %d times: bring the list up to date" % text.count(old))
    with open(path, "w") as f:
        f.write(text.replace(old, new))
    return text


def copy_sources(source, tree):
    for part in PARTS:
        target = os.path.join(tree, part)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        copy = shutil.copytree if os.path.isdir(os.path.join(source, part)) else shutil.copy2
        copy(os.path.join(source, part), target)


def in_parallel(jobs, work, todo):
    """Call work(n, item) for each item of todo, n being the number of the thread."""
    q, threads = queue.Queue(), []
    for item in todo:
        q.put(item)

    def worker(n):
        while True:
            try:
                item = q.get_nowait()
            except queue.Empty:
                return
            work(n, item)

    for n in range(jobs):
        threads.append(threading.Thread(target=worker, args=(n,)))
        threads[-1].start()
    for t in threads:
        t.join()


def report(ktap, results):
    """results: (name, what is wrong or None, remark)"""
    bad = 0
    with open(ktap + ".part", "w") as f:
        f.write("KTAP version 1\n1..%d\n" % len(results))
        for i, (name, wrong, remark) in enumerate(results, 1):
            bad += wrong is not None
            f.write("%sok %d %s: %s\n" % ("not " if wrong else "", i, name, (wrong or remark).replace("\n", " ")))
    os.replace(ktap + ".part", ktap)
    return bad


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("tool", "source", "work", "corpus", "ktap"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--list", nargs="+", required=True)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", default="")
    args = parser.parse_args()

    mutants = [m for path in args.list for m in read_list(path) if args.only in m[0]]
    if not mutants:
        sys.exit("mutants: there is none with %s in its name; see %s" % (args.only, " and ".join(args.list)))

    first = os.path.join(args.work, "0")
    shutil.copytree(args.tool, os.path.join(first, TOOL))
    copy_sources(args.source, first)

    # Without a fault all must be well, or nothing that follows means anything.
    if any(hunt_baseline(first, gicv5) for gicv5 in {is_gicv5(m[2]) for m in mutants}):
        sys.exit("mutants: the unit tests fail without a fault: run make unit")
    trees = [first]
    for i in range(1, min(args.jobs, len(mutants))):
        trees.append(os.path.join(args.work, str(i)))
        subprocess.run(["cp", "-a", first, trees[-1]], check=True)

    results = [None] * len(mutants)

    def work(n, i):
        name, why, file, old, new = mutants[i]
        path, text, caught, error = os.path.join(trees[n], file), None, None, "survives"
        start = time.time()
        try:
            text = replace(path, old, new)
            caught = hunt_gicv5(trees[n]) if is_gicv5(file) else hunt(trees[n], args.corpus)
        except RuntimeError as e:
            error = str(e)
        if text is not None:
            with open(path, "w") as f:
                f.write(text)
        results[i] = (name, None if caught else why + ": " + error, "%s: %s" % (why, caught))
        print("    %-6s %s: %s (%d s)" % ("ok" if caught else "FAIL", name, caught or error, time.time() - start),
              file=sys.stderr, flush=True)

    in_parallel(len(trees), work, range(len(mutants)))
    # A thread that died leaves some that were not tried.
    results = [r or (m[0], m[1] + ": was not tried", "") for m, r in zip(mutants, results)]
    bad = report(args.ktap, results)
    print("    %d mutants, %d noticed, %d not" % (len(mutants), len(mutants) - bad, bad), file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
