#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Boot pKVM under QEMU and run DIR/share/job in it.

  -i  interactive: console and monitor on this terminal, no log and no deadline
  -c  time is a count: one nanosecond an instruction, one tick of the counter, and the same in each boot of a kernel.
      DIR/files is added to the initramfs and /job runs from there; the share is only for what comes out
  -d  seconds until the boot is ended (120)
  -x  comma separated: edu, nvme (2048 MSI-X vectors; 128 on the debug kernel), sriov (an NVMe controller with a
      virtual function), igb (where QEMU has it), blk, bridge (two disks with one DeviceID), smmu; single (all CPUs take
      turns in one thread of QEMU: with more, QEMU may go on with old code, if it is in the middle of translating
      what another CPU patches, which KVM has it do for the first VM and for the last); efi (firmware boots the kernel
      and describes the machine with ACPI), noncoherent (GIC and ITS access memory past the caches), qemu-VERSION (as
      QEMU=VERSION)
  -a  more kernel arguments (APPEND= comes after them)

DIR gets console.log and, from the guest, share/status; if the deadline passed, cpus and registers as well. The exit
code is the guest's own status, or one of those in README.md. CPU=, GIC=, SMP=, MEM= and GDB=1 choose the machine,
CONFIG= the kernel, or KERNEL_IMAGE= one that is built already.
"""
import argparse
import collections
import contextlib
import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ENV = os.environ
EX_USAGE, EX_PANIC, EX_EL2, EX_DEADLINE, EX_QEMU, EX_GONE = 2, 111, 112, 113, 114, 115
# Only in lines of the kernel: what a program prints is its own.
PANIC = re.compile(rb"\[ *[0-9]+\.[0-9]+\].*Kernel panic - not syncing")
EL2_PANIC = re.compile(rb"\[ *[0-9]+\.[0-9]+\].*(HYP panic|nVHE hyp (panic|BUG))")
SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
# Seconds that a kernel has after its panic, and QEMU to end when it is told to
PANIC_TIME, END_TIME = 10, 10


def say(text, end="\n"):
    print(text, end=end, file=sys.stderr, flush=True)


def die(what, what_next, code):
    say("boot: error: %s\nboot: next:  %s" % (what, what_next))
    sys.exit(code)


def output(*command, **options):
    """What a command prints. If it fails, it has said why."""
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, **options).stdout


def text_of(path):
    return path.read_bytes().replace(b"\r", b"").decode(errors="replace")


class Machine:
    """Those parts of QEMU's command line that options and devices change."""

    def __init__(self, directory, program):
        self.dir, self.program, self.initrd = directory, program, pathlib.Path(ENV["O"], "initramfs.gz")
        self.board = "virt,virtualization=on,gic-version=%s,its=on" % ENV["GIC"]
        self.append = "console=ttyAMA0 kvm-arm.mode=protected panic=-1 loglevel=7" + " nokaslr" * (ENV["GDB"] == "1")
        self.cpu = ENV["CPU"]
        if self.cpu == "max":
            # Pointers are signed with an algorithm that is cheap to emulate; QARMA takes more time than all the rest.
            self.cpu += ",pauth-impdef=on"
            # With LPA2 and pages of 16K, any kernel faults forever on QEMU 7.2 once pKVM is initialised. Not on 11.1.
            self.cpu += ",lpa2=off" * (ENV["CONFIG"] == "16k")


def nvme(machine, _):
    # With PREEMPT_RT each vector is a thread, and that takes the debug kernel 60 ms.
    vectors, path = 128 if ENV["CONFIG"] == "debug" else 2048, machine.dir / "nvme.raw"
    with open(path, "ab") as f:
        f.truncate(64 << 20)
    return ["-drive", "file=%s,if=none,format=raw,id=nvme0" % path, "-device",
            "nvme,drive=nvme0,serial=pkvm-its,msix_qsize=%d,max_ioqpairs=%d" % (vectors, vectors - 1)]


def igb(machine, n):
    # From QEMU 8.0 on. Room for the virtual functions, which are 16 slots and more behind: two at most.
    known = subprocess.run([machine.program, "-device", "igb,help"], capture_output=True).stdout
    return ["-device", "igb,romfile=,addr=%x" % (8 + 4 * n)] if known else []


def disk(name, where=""):
    return ["-drive", "driver=null-co,size=64M,read-zeroes=on,if=none,id=" + name,
            "-device", "virtio-blk-pci,drive=" + name + where]


def smmu(machine, _):
    machine.board += ",iommu=smmuv3"
    return []


def efi(machine):
    machine.append += " acpi=force"
    return ["-bios", output(
        HERE + "/arm64-file", "bookworm", "qemu-efi-aarch64", "2022.11-6+deb12u2", "*/QEMU_EFI.fd",
        "1794df260f8a1b1c938b5cee48f277327d8ce901a07ff44d2cd86ca043dae96a", "arm64/QEMU_EFI.fd", text=True).strip()]


def noncoherent(machine):
    dtb, node = machine.dir / "machine.dtb", ""
    subprocess.run([machine.program, "-M", "%s,dumpdtb=%s" % (machine.board, dtb), "-cpu", machine.cpu, "-smp", ENV["SMP"],
                    "-m", ENV["MEM"], "-nodefaults"], stdout=sys.stderr, check=True)
    for kind in ("intc@", "its@"):
        node += "/" + next(n for n in output("fdtget", "-l", dtb, node or "/", text=True).split() if n.startswith(kind))
        output("fdtput", dtb, node, "dma-noncoherent")
    return ["-dtb", str(dtb)]


# What -x knows: QEMU's arguments for a device, when the machine has n of that kind already
DEVICES = {
    "edu": lambda machine, n: ["-device", "edu"],
    "nvme": nvme,
    # Another NVMe controller, with one virtual function.
    "sriov": lambda machine, n: [
        "-device", "nvme-subsys,id=sriov0", "-device", "nvme,subsys=sriov0,serial=sriov,max_ioqpairs=4,msix_qsize=5,"
        "sriov_max_vfs=1,sriov_vq_flexible=2,sriov_vi_flexible=1"],
    "igb": igb,
    # A disk whose driver is bound, and its interrupts mapped, before the hand-over of the ITSs.
    "blk": lambda machine, n: disk("blk%d" % n),
    # What is behind such a bridge has the bridge's requester ID.
    "bridge": lambda machine, n: [
        "-device", "pcie-pci-bridge,id=bridge0", *disk("bridged0", ",bus=bridge0,addr=1.0"),
        *disk("bridged1", ",bus=bridge0,addr=2.0")],
    "smmu": smmu,
    "single": lambda machine, n: ["-accel", "tcg,thread=single"],
}
# What changes the machine as a whole, once and when all else is known
WHOLE = {"efi": efi, "noncoherent": noncoherent}


def counted(machine):
    # Nothing that is random, no clock of the outside, nothing beside what is measured.
    machine.append += " nokaslr initramfs_async=0"
    machine.board += ",dtb-randomness=off"
    machine.cpu += ",cntfrq=1000000000"
    top, initrd = machine.dir / "files", machine.dir / "initramfs.gz"
    paths = [top, *top.rglob("*")]
    for path in paths:
        os.utime(path, (0, 0), follow_symlinks=False)
    names = "\n".join(sorted(str(path.relative_to(top)) for path in paths))
    files = output("cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0", "--reproducible", cwd=top, input=names.encode())
    initrd.write_bytes(machine.initrd.read_bytes() + output("gzip", "-9n", input=files))
    machine.initrd = initrd
    return ["-icount", "shift=0,sleep=off", "-seed", "1", "-rtc", "base=2026-01-01,clock=vm"]


def gdb():
    # Any port, if that one is taken.
    for port in (1234, 0):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)) as s:
            port = s.getsockname()[1]
            break
    say("waiting for gdb; attach with: gdb-multiarch %s -ex 'target remote 127.0.0.1:%d'" % (ENV["VMLINUX"], port))
    return ["-S", "-gdb", "tcp:127.0.0.1:%d" % port]


def command(args):
    """QEMU's command line. The files that it names are made."""
    devices = args.devices.replace(",", " ").split()
    versions = {"QEMU": d[5:] for d in devices if d.startswith("qemu-")}
    devices = [d for d in devices if not d.startswith("qemu-")]
    machine = Machine(args.dir, output(HERE + "/qemu", text=True, env={**ENV, **versions}).strip())
    more, seen = [], collections.Counter()
    for d in devices:
        if d not in DEVICES and d not in WHOLE:
            die("unknown device " + d, "known are %s and qemu-VERSION" % ", ".join([*DEVICES, *WHOLE]), EX_USAGE)
        more += DEVICES[d](machine, seen[d]) if d in DEVICES else []
        seen[d] += 1
    if args.count:
        more += counted(machine)
    for d in WHOLE:
        more += WHOLE[d](machine) if d in devices else []
    if ENV["GDB"] == "1":
        more += gdb()
    return [machine.program, "-M", machine.board, "-cpu", machine.cpu, "-smp", ENV["SMP"], "-m", ENV["MEM"],
            "-display", "none", "-nodefaults", "-no-reboot", "-serial", "mon:stdio" if args.interactive else "stdio",
            "-kernel", ENV["KERNEL_IMAGE"], "-initrd", str(machine.initrd),
            "-append", " ".join(filter(None, (machine.append, args.arguments, ENV["APPEND"]))),
            "-fsdev", "local,id=host,path=%s/share,security_model=none" % args.dir,
            # No MSI for the share: tests break the ITS, and their results have to get out all the same. And no PCI, where
            # QEMU 7.2 may take accesses to another device (see scripts/config/base.config).
            "-device", "virtio-9p-device,fsdev=host,mount_tag=host", *more]


def ended(process, seconds):
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    return process.returncode is not None


@contextlib.contextmanager
def running(qemu, **options):
    """A process that does not outlive this block, even if a signal ends that. Signals wait until it has been started."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    process = subprocess.Popen(qemu, preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS), **options)
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        yield process
    finally:
        process.terminate()
        if not ended(process, END_TIME):
            process.kill()
            process.wait()


def registers(directory):
    """Those of all CPUs, now and a second later: a CPU that runs in a circle is told from one that waits."""
    said = b""
    with open(directory / "monitor.in", "r+b", 0) as commands, open(directory / "monitor.out", "r+b", 0) as answers:
        # A prompt comes before the first answer and after each.
        for seconds, prompts in ((1, 99), (4, 3)):
            commands.write(b"info registers -a\n")
            end = time.monotonic() + seconds
            while said.count(b"(qemu) ") < prompts and select.select([answers], [], [], max(0, end - time.monotonic()))[0]:
                said += answers.read(1 << 16)
    (directory / "registers").write_bytes(said.replace(b"\r", b""))


def cpus(directory):
    """Where each CPU was. Addresses of EL2 are its own, and stay numbers."""
    found = list(re.finditer(r"^CPU#\d+|EL[0-3][ht]|\b(?:PC|X30)=([0-9a-f]{16})", text_of(directory / "registers"), re.M))
    addresses, names = [m[1] for m in found if m[1]], []
    with contextlib.suppress(OSError):
        names = subprocess.run([ENV["CROSS"] + "addr2line", "-fe", ENV["VMLINUX"], *addresses], capture_output=True,
                               text=True).stdout.splitlines()[::2]
    names = dict(zip(addresses, names))
    words = ["%s (%s)" % (m[0], names.get(m[1], "")) if m[1] else m[0] for m in found]
    # A QEMU that is stuck itself says nothing.
    (directory / "cpus").write_text((" ".join(words).replace(" CPU#", "\nCPU#") or "nothing from QEMU") + "\n")


def status_of(process):
    """As a shell has it"""
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def guest_status(directory):
    """The guest's own, if it left one"""
    with contextlib.suppress(OSError, ValueError):
        return int(text_of(directory / "share/status"))
    return EX_GONE


def watch(qemu, args):
    """Run QEMU to its end, to the deadline, or until some time after a panic. Returns its status and whether it was late."""
    log, late, dying, tty = args.dir / "console.log", False, None, sys.stderr.isatty()
    # The monitor is for what is left when the deadline has passed. Pipes: the name of a socket must not be long.
    for name in ("monitor.in", "monitor.out", "registers", "cpus"):
        (args.dir / name).unlink(missing_ok=True)
    for name in ("monitor.in", "monitor.out"):
        os.mkfifo(args.dir / name)
    monitor = ["-chardev", "pipe,id=monitor,path=%s/monitor" % args.dir, "-mon", "chardev=monitor,mode=readline"]
    with open(log, "wb") as out, open(args.dir / "qemu.err", "wb") as err, \
            running(qemu + monitor, stdin=subprocess.DEVNULL, stdout=out, stderr=err) as process:
        start = shown = time.monotonic()
        while True:
            now = time.monotonic()
            if dying is None and PANIC.search(log.read_bytes()):
                dying = now
            late = now - start >= args.deadline
            if late:
                registers(args.dir)
                cpus(args.dir)
            if late or dying is not None and now - dying >= PANIC_TIME:
                break
            # A line that is rewritten on a terminal; elsewhere a plain line now and then.
            line = "    %s: %d s (at most %d)" % (args.dir.name, now - start, args.deadline)
            if tty:
                say("\r\033[K" + line, end="")
            elif now >= shown:
                say(line)
                shown = now + 20
            if ended(process, 0.3):
                break
    if tty:
        say("\r\033[K", end="")
    return status_of(process), late


def interactive(qemu, args):
    with running(qemu) as process:
        process.wait()
    if process.returncode:
        die("QEMU ended with status %d" % status_of(process), "see its message above", EX_QEMU)
    return guest_status(args.dir)


def verdict(args, status, late):
    """What to exit with. Says what went wrong."""
    path = args.dir / "console.log"
    log, code = path.read_bytes(), guest_status(args.dir)
    if EL2_PANIC.search(log):
        code, why = EX_EL2, "EL2 panicked"
    elif PANIC.search(log):
        code, why = EX_PANIC, "the kernel panicked"
    elif late:
        code, why = EX_DEADLINE, "not finished after %d s" % args.deadline
        say("--- last lines of %s\n%s" % (path, "\n".join(text_of(path).splitlines()[-25:])))
        say("--- where the CPUs were, then and a second later\n%s---" % text_of(args.dir / "cpus"))
    elif status:
        code, why = EX_QEMU, "QEMU ended with status %d" % status
        say(text_of(args.dir / "qemu.err"), end="")
    elif code == EX_GONE:
        why = "the guest went away without a status"
    else:
        return code
    say("    %s (exit code %d); log: %s" % (why, code, path))
    return code


def parse(words=None):
    parser = argparse.ArgumentParser(prog="boot", usage="boot [-i] [-c] [-d SECONDS] [-x DEVICES] [-a ARGUMENTS] DIR",
                                     description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for flag, name in ("-i", "interactive"), ("-c", "count"):
        parser.add_argument(flag, dest=name, action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("-d", dest="deadline", type=int, default=120, help=argparse.SUPPRESS)
    for option, name in ("-x", "devices"), ("-a", "arguments"):
        parser.add_argument(option, dest=name, default="", help=argparse.SUPPRESS)
    parser.add_argument("dir", type=pathlib.Path, help=argparse.SUPPRESS)
    return parser.parse_args(words)


def main():
    args = parse()
    for s in SIGNALS:
        if signal.getsignal(s) != signal.SIG_IGN:
            signal.signal(s, lambda *_: sys.exit(130))
    if ENV["GDB"] == "1":
        args.deadline = 86400
    try:
        qemu = command(args)
    except subprocess.CalledProcessError as e:
        return e.returncode
    say(subprocess.run([qemu[0], "--version"], stdout=subprocess.PIPE, text=True).stdout.partition("\n")[0])
    say(" ".join("'%s'" % w if re.search(r"[^A-Za-z0-9_=,./:+-]", w) else w for w in qemu))
    (args.dir / "share/status").unlink(missing_ok=True)
    return interactive(qemu, args) if args.interactive else verdict(args, *watch(qemu, args))


if __name__ == "__main__":
    sys.exit(main())
