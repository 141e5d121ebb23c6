#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Boot the rows of selftests.list on each CPU, two boots at once if there are CPUs for that.

A boot keeps one CPU of the machine outside busy most of the time. CONFIG, T, DURATION, RESULTS, O and SRC are those of the
environment. Exit with the code of the first boot that did not pass.
"""
import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
import time
from typing import NamedTuple

HERE = os.path.dirname(os.path.abspath(__file__))
ENV = os.environ
# What ktap.py exits with after it has left results (README.md)
VERDICTS = (0, *range(110, 117))


class Row(NamedTuple):
    test: str
    args: str
    modes: str
    kernels: str
    gic: str
    devices: str
    smp: str
    deadline: str
    allowed: str


class Job(NamedTuple):
    """One boot, or as many as there are times that a step of the hand-over can fail."""
    row: Row
    cpu: str
    mode: str
    gic: str


def say(text):
    print("    " + text, file=sys.stderr, flush=True)


def read(path):
    with open(path, errors="replace") as f:
        return f.read()


def write_ktap(suite, name, result):
    path = os.path.join(ENV["RESULTS"], suite, name + ".ktap")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write("KTAP version 1\n1..1\n%s\n" % result)


def suite_of(row):
    return ("kunit" if row.test == "kunit" else "selftests") + ("" if ENV["CONFIG"] == "base" else "-" + ENV["CONFIG"])


def missing(row):
    """Why the kernel tree has not got this test, if so."""
    if row.test == "kunit":
        kconfig = os.path.join(ENV["SRC"], "drivers/irqchip/Kconfig")
        return "" if "ARM_GIC_V3_ITS_STAGING_KUNIT_TEST" in read(kconfig) else "this kernel has no suite of ours"
    source = os.path.join(ENV["SRC"], "tools/testing/selftests/kvm/arm64", row.test + ".c")
    return "" if os.path.exists(source) else "not in this kernel tree"


def name_of(job, mode):
    variant = "" if job.gic == "3" else "-gic" + job.gic
    variant += "".join("-" + d for d in ("bridge", "efi", "noncoherent", "qemu-11.1") if d in job.row.devices.split(","))
    variant += "" if ENV["CONFIG"] == "base" else "-" + ENV["CONFIG"]
    return "%s-%s-%s%s" % (job.row.test, job.cpu, mode, variant)


def boot(args, job, mode):
    """One boot. Return its exit code and the path of its results."""
    row, suite, start = job.row, suite_of(job.row), time.monotonic()
    name = name_of(job, mode)
    results = os.path.join(ENV["RESULTS"], suite, name + ".ktap")
    deadline, arguments = int(row.deadline), row.args
    if "{duration}" in arguments:
        deadline += int(ENV["DURATION"])
        arguments = arguments.replace("{duration}", ENV["DURATION"])
    if "{pages}" in arguments:
        off = os.path.join(ENV["RESULTS"], suite, name_of(job, "off") + ".ktap")
        found = re.search(r"^# EL2 has (\d+) pages$", read(off) if os.path.exists(off) else "", re.M)
        arguments = arguments.replace("{pages}", found.group(1) if found else "")
    log = os.path.join(ENV["O"], "log", "guest-test-" + name)
    with open(log, "w") as f:
        code = subprocess.call(
            [os.path.join(HERE, "guest-test"), suite, name, row.test, arguments, mode, row.devices, str(deadline), row.allowed],
            env={**ENV, "CPU": job.cpu, "GIC": job.gic, "SMP": args.smp if row.smp == "-" or args.same_smp else row.smp},
            stdin=subprocess.DEVNULL, stderr=f)
    if code not in VERDICTS:
        # Without a verdict there are no results, and a boot that was killed would not count.
        write_ktap(suite, name, "not ok 1 %s: exit code %d" % (name, code))
    seconds = time.monotonic() - start
    if code:
        sys.stderr.write(read(log))
        say("FAIL  %s: exit code %d (%d s); log: %s/boot/%s/console.log" % (name, code, seconds, ENV["O"], name))
    else:
        say("ok    %s (%d s)" % (name, seconds))
    return code, results


def boots(args, job):
    """The exit codes of all boots of a job."""
    if not job.mode.endswith("-n"):
        return [boot(args, job, job.mode)[0]]
    codes = []
    for n in range(1, 100):
        code, results = boot(args, job, job.mode[:-1] + str(n))
        codes.append(code)
        if code or re.search(r"^# .* was not reached", read(results), re.M):
            return codes
    raise RuntimeError("%s does not come to an end: see %s/boot" % (job.mode, ENV["O"]))


def run(args, job):
    """The same. What goes wrong in here is a failed test, too."""
    try:
        return boots(args, job)
    except Exception as e:
        write_ktap(suite_of(job.row), name_of(job, job.mode), "not ok 1 %s: %s" % (name_of(job, job.mode), e))
        say("FAIL  %s: %s" % (name_of(job, job.mode), e))
        return [1]


def jobs_of(args, row):
    modes = row.modes
    if ENV["CONFIG"] != "base":
        kernels = dict(k.split(":") for k in row.kernels.split() if ":" in k)
        modes = kernels.get(ENV["CONFIG"], "")
    for cpu in args.cpus:
        for mode in filter(None, modes.split(",")):
            mode, _, only = mode.partition("@")
            if only in ("", cpu) or args.any:
                yield from (Job(row, cpu, mode, gic) for gic in ([args.gic] if args.gic else row.gic.split(",")))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cpus", nargs="+", help="types of CPU")
    parser.add_argument("--any", action="store_true", help="what the list has for one type of CPU runs on any")
    parser.add_argument("--gic", help="version, in place of those in the list")
    parser.add_argument("--smp", required=True, help="CPUs where the list does not say how many")
    parser.add_argument("--same-smp", action="store_true", help="so many everywhere")
    parser.add_argument("--at-once", type=int, required=True, help="number of boots")
    args = parser.parse_args()

    rows = [Row(*line.split("\t")) for line in subprocess.check_output(
        [os.path.join(HERE, "../rows"), os.path.join(HERE, "selftests.list"), ENV["T"]], text=True).splitlines()]
    suites = {suite_of(r) for r in rows}
    if not ENV["T"]:
        for s in suites:
            subprocess.check_call(["rm", "-rf", os.path.join(ENV["RESULTS"], s)])
    os.makedirs(os.path.join(ENV["O"], "log"), exist_ok=True)

    print("==> tests in QEMU on the %s kernel" % ENV["CONFIG"], file=sys.stderr, flush=True)
    jobs = []
    for row in rows:
        reason = missing(row)
        if reason:
            write_ktap(suite_of(row), row.test, "ok 1 %s # SKIP %s" % (row.test, reason))
            say("skip  %s (%s)" % (row.test, reason))
        else:
            jobs += jobs_of(args, row)
    # With GIC= given, rows that differ in nothing else are one.
    jobs = list({name_of(j, j.mode): j for j in reversed(jobs)}.values())[::-1]
    codes = []
    # What needs a number of pages comes behind the boots that say it.
    for late in (False, True):
        with concurrent.futures.ThreadPoolExecutor(args.at_once) as pool:
            try:
                for result in [pool.submit(run, args, j) for j in jobs if ("{pages}" in j.row.args) == late]:
                    codes += result.result()
            except KeyboardInterrupt:
                pool.shutdown(cancel_futures=True)
                return 130
    say("%d boots" % len(codes))
    return next(filter(None, codes), 0)


if __name__ == "__main__":
    sys.exit(main())
