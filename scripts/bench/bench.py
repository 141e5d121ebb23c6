#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What the bench has counted: list, table, plots.

bench.py collect RESULTS short|all kernel=V qemu=V commit=ID MODE:DIR[:METRIC]...
    Read the "# bench: <case> <metric> <value> <unit>" lines of each boot's DIR/share/out. MODE is direct, protected,
    reference, or without (a kernel without the series, for the time to user space alone); with METRIC only that is
    taken from the boot, which was there for nothing else. A METRIC initcall_* is what DIR/console.log says of the
    initcall that deprivileges the host. Write RESULTS/bench.json and
    RESULTS/bench/numbers.ktap and print the table. Exit 110 if a number is missing or an exact count is wrong.
bench.py plots RESULTS LOG
    Draw RESULTS/bench-*.svg from RESULTS/bench.json.
bench.py publish RESULTS TOP
    Copy the plots to TOP/bench and write the table into TOP/README.md.
bench.py diff A B
    Print the numbers in which two bench.json differ. Exit 1 if there are any.
"""
import json
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
EX_TEST = 110
MODES = ("direct", "protected", "reference")
STATES = {"direct": ("off",), "protected": ("confined",), "reference": ("confined", "reference"), "without": ("none",)}
INITCALL = re.compile(r"initcall finalize_pkvm\S* returned 0 after (\d+) usecs")
LINE = re.compile(r"^\s*# bench: (\S+) (\S+) (\d+(?:\.\d+)?) (instructions|entries|bytes|ratio|devices)\s*$")
DEVICES = {"short": (0,), "all": (0, 16, 256, 4096)}
SCALE = (1, 100, 1000, 10000, 60000)
PLOTS = ("bench-posted-pair", "bench-mapd-scaling", "bench-activate")
BEGIN, END = "<!-- OUTPUT of make bench: begin -->", "<!-- OUTPUT of make bench: end -->"


def same(v):
    return v["protected"] == v["direct"]


def at_most(limit):
    return lambda v: v["protected"] <= limit


class Row:
    """A line of the table: who reports it, and the target of the protected mode."""

    def __init__(self, case, metric, text, modes="dpr", short=True, target="", met=None):
        self.case, self.metric, self.text, self.short = case, metric, text, short
        self.modes = [m for m in MODES if m[0] in modes]
        self.target, self.met = target, met

    def expected(self, part):
        if part == "short" and not self.short:
            return []
        return [m for m in self.modes if part == "all" or m != "reference"]


ROWS = [
    Row("creadr-read", "instructions", "read of GITS_CREADR", target="as direct", met=same),
    Row("posted-pair", "el2_entries", "INV + SYNC: entries to EL2", target="1.00", met=lambda v: v["protected"] == 1),
    Row("posted-pair", "el2_instructions", "INV + SYNC: at EL2", "pr", target="at most 600", met=at_most(600)),
    Row("posted-pair", "el2_floor", "an empty guarded write: at EL2", "p"),
    Row("posted-pair", "instructions_inv", "INV + SYNC: in all"),
    Row("posted-pair", "instructions_mapti", "MAPTI + SYNC: in all"),
    Row("posted-pair", "cwriter_write", "write of GITS_CWRITER, INV + SYNC posted"),
    Row("posted-pair", "guarded_write", "write of a register that is ignored"),
    Row("msix-2048", "instructions", "2048 vectors on and off", short=False),
    Row("msix-2048", "el2_entries", "2048 vectors on and off: entries to EL2", "pr", short=False),
    Row("msix-2048", "ratio", "2048 vectors on and off, to direct", "pr", short=False, target="at most 1.05",
        met=at_most(1.05)),
    Row("msix-2048", "affinity_instructions", "2048 changes of affinity", short=False),
    Row("msix-2048", "affinity_ratio", "2048 changes of affinity, to direct", "pr", short=False),
]
ROWS += [Row("mapd-scaling", "at_%d" % n, "MAPD and back, %s mapped" % format(n, ",")) for n in SCALE]
ROWS += [
    Row("mapd-scaling", "ratio", "MAPD and back, 60,000 mapped to 1 mapped", target="at most 1.20", met=at_most(1.2)),
    Row("activate", "irqs_off", "hand-over: interrupts off, at most", "p", target="at most 20,000", met=at_most(20000)),
]
for devices in DEVICES["all"]:
    for metric, text in (("irqs_off", "interrupts off"), ("waited", "longest wait of a CPU"), ("total", "in all")):
        ROWS.append(Row("activate", "%s_at_%d" % (metric, devices), "hand-over of %s devices: %s" %
                        (format(devices, ","), text), "p", short=devices in DEVICES["short"]))
ROWS += [
    Row("activate", "ratio", "hand-over: interrupts off, most to least", "p", short=False, target="1.00",
        met=lambda v: round(v["protected"], 2) == 1),
    # The initcall is timed in microseconds.
    Row("handover", "initcall_cpus_1", "hand-over and deprivileging, 1 CPU", "dp", short=False),
    Row("handover", "initcall_cpus_8", "hand-over and deprivileging, 8 CPUs", "dp", short=False),
    Row("memory", "staging", "staging memory", "p", short=False),
    Row("memory", "el2_per_its", "EL2: for an ITS", "p", short=False),
    Row("memory", "el2_per_device", "EL2: for a device", "p", short=False),
    Row("vcpu-switch", "instructions", "put and load of a vCPU", "dp", short=False),
    Row("vcpu-switch", "el2_entries", "put and load of a vCPU: entries to EL2", "dp", short=False),
    Row("vcpu-switch", "instructions_vpe", "put and load of a vCPU with a vPE", "dpr", short=False),
    Row("vcpu-switch", "el2_entries_vpe", "put and load of a vCPU with a vPE: entries to EL2", "dpr", short=False),
    Row("boot", "instructions", "boot to user space", "dp", short=False),
    Row("boot", "instructions_without_series", "boot to user space without the series", "d", short=False),
    Row("boot", "ratio", "boot to user space, to without the series", "dp", short=False, target="at most 1.02",
        met=at_most(1.02)),
]
# What goes into README.md; bench.json has all of it.
README = [("posted-pair", "cwriter_write"), ("posted-pair", "guarded_write"), ("activate", "waited_at_0"),
          ("activate", "waited_at_16"), ("activate", "waited_at_256"), ("activate", "total_at_16"),
          ("activate", "total_at_256"), ("activate", "irqs_off_at_16"), ("activate", "irqs_off_at_256"),
          ("mapd-scaling", "at_100"), ("mapd-scaling", "at_1000"), ("mapd-scaling", "at_10000")]


def fail(what, then):
    sys.exit("bench.py: error: %s\nbench.py: next:  %s" % (what, then))


def read(path):
    try:
        with open(path, errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".part", "w") as f:
        f.write(text)
    os.replace(path + ".part", path)


def number(text):
    value = float(text)
    return int(value) if value == int(value) and "." not in text else value


class Numbers:
    """Values by (case, metric) and mode, and how each case was told."""

    def __init__(self):
        self.values, self.units, self.problems = {}, {}, []

    def put(self, case, metric, mode, value, unit):
        values = self.values.setdefault((case, metric), {})
        if mode in values and values[mode] != value:
            self.problems.append("%s %s %s is %s and %s" % (mode, case, metric, values[mode], value))
        values[mode] = value
        self.units[case, metric] = unit

    def get(self, case, metric, mode):
        return self.values.get((case, metric), {}).get(mode)

    def derive(self, case, metric, mode, unit, make, *inputs):
        """A number made of others, if they are all there. Inputs are (metric, mode)."""
        values = [self.get(case, m, which) for m, which in inputs]
        if None not in values:
            self.put(case, metric, mode, make(*values), unit)


def boot(numbers, mode, path, only=""):
    """One boot's numbers."""
    found = [m.groups() for m in map(LINE.match, read(os.path.join(path, "share", "out")).splitlines()) if m]
    found = [f for f in found if only in ("", f[1])]
    if only.startswith("initcall_"):
        usecs = INITCALL.findall(read(os.path.join(path, "console.log")))
        found = [("handover", only, str(int(n) * 1000), "instructions") for n in usecs]
    state = read(os.path.join(path, "share", "state")).strip() or "unknown"
    if state not in STATES[mode]:
        numbers.problems.append("the kernel of %s says \"%s\" of its ITSs" % (os.path.basename(path), state))
    # Those of a hand-over belong to the number of devices there were.
    devices = [v for case, metric, v, _ in found if (case, metric) == ("activate", "devices")]
    for case, metric, value, unit in found:
        if case == "activate":
            if metric == "devices" or not devices:
                continue
            metric += "_at_" + devices[0]
        if mode == "without":
            if case == "boot":
                numbers.put(case, metric + "_without_series", "direct", number(value), unit)
            continue
        numbers.put(case, metric, mode, number(value), unit)


def ratio(a, b):
    return round(a / b, 6) if b else 0


def derive(numbers):
    def less(a, b):
        return round(a - b, 2)

    pair = "posted-pair"
    numbers.derive(pair, "el2_instructions", "protected", "instructions", less,
                   ("cwriter_write", "protected"), ("cwriter_write", "direct"))
    numbers.derive(pair, "el2_floor", "protected", "instructions", less,
                   ("guarded_write", "protected"), ("guarded_write", "direct"))
    # There the reads of CREADR trap as well, so that it is all that a pair takes more than direct.
    numbers.derive(pair, "el2_instructions", "reference", "instructions", less,
                   ("instructions_inv", "reference"), ("instructions_inv", "direct"))
    for mode in ("protected", "reference"):
        numbers.derive("msix-2048", "ratio", mode, "ratio", ratio, ("instructions", mode), ("instructions", "direct"))
        numbers.derive("msix-2048", "affinity_ratio", mode, "ratio", ratio,
                       ("affinity_instructions", mode), ("affinity_instructions", "direct"))
    for mode in MODES:
        numbers.derive("mapd-scaling", "ratio", mode, "ratio", ratio, ("at_60000", mode), ("at_1", mode))
        numbers.derive("boot", "ratio", mode, "ratio", ratio,
                       ("instructions", mode), ("instructions_without_series", "direct"))
    off = [v["protected"] for (case, metric), v in numbers.values.items()
           if case == "activate" and metric.startswith("irqs_off_at_") and "protected" in v]
    if off:
        numbers.put("activate", "irqs_off", "protected", max(off), "instructions")
        numbers.put("activate", "ratio", "protected", ratio(max(off), min(off)), "ratio")


def shown(value, unit):
    if value is None:
        return "-"
    if unit in ("entries", "ratio"):
        return format(value, ",.3f" if unit == "ratio" else ",.2f" if value < 1000 else ",.0f")
    return format(value, "," if isinstance(value, int) else ",.1f")


def table(numbers, leave_out=()):
    """Lines of cells: text, the modes, target, met."""
    lines = []
    for row in ROWS:
        values = numbers.values.get((row.case, row.metric))
        if not values or (row.case, row.metric) in leave_out:
            continue
        unit = numbers.units[row.case, row.metric]
        cells = [shown(values.get(m), unit) for m in MODES]
        met = ""
        if row.met:
            # Direct may be missing where a boot has failed.
            try:
                met = "yes" if row.met(values) else "NO"
            except KeyError:
                met = "?"
        lines.append((row, unit, cells, met))
    return lines


def print_table(numbers):
    lines = [(r.case, r.metric, *cells, unit, r.target, met) for r, unit, cells, met in table(numbers)]
    lines.insert(0, ("case", "metric", *MODES, "unit", "target", "met"))
    width = [max(len(l[i]) for l in lines) for i in range(len(lines[0]))]
    lines.insert(1, tuple("-" * w for w in width))
    for line in lines:
        cells = [c.rjust(w) if 2 <= i <= 4 else c.ljust(w) for i, (c, w) in enumerate(zip(line, width))]
        print("  ".join(cells).rstrip())


def collect(results, part, arguments):
    about = dict(a.split("=", 1) for a in arguments if re.match(r"(kernel|qemu|commit)=", a))
    numbers = Numbers()
    stock = False
    for argument in arguments:
        mode, colon, path = argument.partition(":")
        if colon and mode in STATES:
            stock = stock or mode == "without"
            boot(numbers, mode, *path.split(":"))
    derive(numbers)
    write(os.path.join(results, "bench.json"), json.dumps([
        {"case": case, "mode": mode, "metric": metric, "value": value, "unit": numbers.units[case, metric], **about}
        for (case, metric), values in numbers.values.items() for mode, value in values.items()], indent=1) + "\n")
    print_table(numbers)
    print()
    print("under QEMU %(qemu)s, Linux %(kernel)s; virtual time counts instructions" % about)

    missing = []
    for row in ROWS:
        if row.case == "boot" and not stock and row.metric != "instructions":
            continue
        missing += ["%s %s %s" % (mode, row.case, row.metric) for mode in row.expected(part)
                    if numbers.get(row.case, row.metric, mode) is None]
    entries = numbers.get("posted-pair", "el2_entries", "protected")
    flat = numbers.get("mapd-scaling", "ratio", "protected")
    tests = [
        ("every number was reported", missing),
        ("no number was told in two ways, and each kernel is in its mode", numbers.problems),
        ("a posted pair enters EL2 once", [] if entries == 1 else ["el2_entries is %s" % entries]),
        ("MAPD costs the same with 60,000 devices as with 1",
         [] if flat is not None and flat <= 1.2 else ["ratio is %s, and may be 1.2" % flat]),
    ]
    out = ["KTAP version 1", "1..%d" % len(tests)]
    for i, (name, faults) in enumerate(tests, 1):
        out += ["# " + f for f in faults] + ["%s %d %s" % ("not ok" if faults else "ok", i, name)]
        print("    %-5s %s" % ("FAIL" if faults else "ok", name), file=sys.stderr)
        for fault in faults:
            print("          " + fault, file=sys.stderr)
    write(os.path.join(results, "bench", "numbers.ktap"), "\n".join(out) + "\n")
    return EX_TEST if any(faults for _, faults in tests) else 0


def load(path):
    """Numbers, and what is said of kernel and QEMU, of a bench.json."""
    try:
        with open(path) as f:
            items = json.load(f)
        numbers = Numbers()
        for i in items:
            numbers.put(i["case"], i["metric"], i["mode"], i["value"], i["unit"])
        return numbers, {k: items[0][k] for k in ("kernel", "qemu", "commit")}
    except (OSError, ValueError, KeyError, IndexError) as e:
        fail("%s is not the result of a bench: %s" % (path, e), "run make bench")


def plots(results, log):
    numbers, _ = load(os.path.join(results, "bench.json"))
    os.makedirs(log, exist_ok=True)

    def data(name, lines):
        # A number that is missing leaves a gap.
        write(os.path.join(log, name + ".dat"), "".join(
            " ".join("NaN" if c is None else "\"%s\"" % c if isinstance(c, str) else str(c) for c in line) + "\n"
            for line in lines))

    pairs = []
    for mode in MODES:
        total = numbers.get("posted-pair", "instructions_inv", mode)
        el2 = 0 if mode == "direct" else numbers.get("posted-pair", "el2_instructions", mode)
        pairs.append((mode, None if None in (total, el2) else total - el2, el2, total, shown(total, "instructions")))
    data(PLOTS[0], pairs)
    data(PLOTS[1], [[n] + [numbers.get("mapd-scaling", "at_%d" % n, mode) for mode in MODES] for n in SCALE])
    hand_over = []
    for n in DEVICES["all"]:
        off, total = (numbers.get("activate", "%s_at_%d" % (m, n), "protected") for m in ("irqs_off", "total"))
        hand_over.append((format(n, ","), off, shown(off, "instructions"), total))
    data(PLOTS[2], hand_over)
    with open(os.path.join(log, "gnuplot.log"), "w") as f:
        rc = subprocess.call(["gnuplot", "-e", "dir='%s'" % log, os.path.join(HERE, "bench.gp")],
                             stdin=subprocess.DEVNULL, stdout=f, stderr=subprocess.STDOUT)
    if rc:
        fail("gnuplot failed", "see %s/gnuplot.log" % log)
    for name in PLOTS:
        text = read(os.path.join(log, name + ".svg"))
        # The same bytes from any version that draws the same, and a licence as in each file here.
        text = re.sub(r"<desc>Produced by GNUPLOT.*?</desc>\n?", "", text)
        text = text.replace("<svg", "<!-- SPDX-License-Identifier: GPL-2.0-only -->\n<svg", 1)
        write(os.path.join(results, name + ".svg"), text)
    return 0


def markdown(numbers, about):
    lines = ["| | direct GIC | confined GIC | reference | unit | target | met |", "|---|---:|---:|---:|---|---|---|"]
    for row, unit, cells, met in table(numbers, README):
        cells = ["" if c == "-" else c for c in cells]
        lines.append(re.sub(" +", " ", "| " + " | ".join([row.text, *cells, unit, row.target, met]) + " |"))
    lines += ["", "Linux %(kernel)s on QEMU %(qemu)s." % about, ""]
    for name, text in zip(PLOTS, ("Instructions of a posted pair", "MAPD over the number of devices that are mapped",
                                  "Hand-over, over the number of devices that are mapped before it")):
        lines.append("![%s](bench/%s.svg)" % (text, name))
    return "\n".join(lines)


def publish(results, top):
    numbers, about = load(os.path.join(results, "bench.json"))
    missing = ["%s %s %s" % (m, r.case, r.metric) for r in ROWS for m in r.expected("all")
               if numbers.get(r.case, r.metric, m) is None]
    missing += [n + ".svg" for n in PLOTS if not os.path.exists(os.path.join(results, n + ".svg"))]
    readme = os.path.join(top, "README.md")
    text = read(readme)
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        fail("README.md has no place for the table", "put back the lines %s and %s" % (BEGIN, END))
    if missing:
        fail("the last bench has not got " + ", ".join(missing[:5]), "run make bench")
    head, _, rest = text.partition(BEGIN)
    old, _, tail = rest.partition(END)
    # Words in front of the table are written by hand.
    words = old.partition("\n| ")[0].strip("\n")
    words += "\n\n" if words else ""
    write(readme, head + BEGIN + "\n" + words + markdown(numbers, about) + "\n\n" + END + tail)
    for name in PLOTS:
        os.makedirs(os.path.join(top, "bench"), exist_ok=True)
        shutil.copyfile(os.path.join(results, name + ".svg"), os.path.join(top, "bench", name + ".svg"))
    return 0


def diff(a, b):
    one, other = load(a)[0].values, load(b)[0].values
    differ = 0
    for case, metric in [*one, *[k for k in other if k not in one]]:
        for mode in MODES:
            pair = [n.get((case, metric), {}).get(mode, "nothing") for n in (one, other)]
            if pair[0] != pair[1]:
                print("%s %s %s: %s and %s" % (mode, case, metric, *pair))
                differ += 1
    print("%d numbers, %d differ" % (sum(len(v) for v in one.values()), differ))
    return 1 if differ else 0


def main():
    arguments = sys.argv[1:]
    if len(arguments) > 4 and arguments[0] == "collect" and arguments[2] in DEVICES:
        sys.exit(collect(arguments[1], arguments[2], arguments[3:]))
    if len(arguments) == 3 and arguments[0] in ("plots", "publish", "diff"):
        sys.exit({"plots": plots, "publish": publish, "diff": diff}[arguments[0]](*arguments[1:]))
    sys.exit(__doc__)


main()
