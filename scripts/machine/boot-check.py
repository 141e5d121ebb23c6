#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What boot asks of QEMU, and what it makes of how that ends. QEMU is a few lines of shell here, and there is no kernel."""
import concurrent.futures
import contextlib
import io
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import boot  # noqa: E402

WRAPPER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "boot")
# Options, variables that are not as usual, and a part of QEMU's command line
COMMANDS = [
    ("", {}, "-M virt,virtualization=on,gic-version=3,its=on -cpu max,pauth-impdef=on -smp 4 -m 1024 -display none "
     "-nodefaults -no-reboot -serial stdio -kernel DIR/Image -initrd DIR/initramfs.gz -append console=ttyAMA0 "
     "kvm-arm.mode=protected panic=-1 loglevel=7 -fsdev local,id=host,path=DIR/share,security_model=none -device virtio-9p"),
    ("", {"CPU": "cortex-a57", "GIC": "4"}, "gic-version=4,its=on -cpu cortex-a57 "),
    ("", {"CONFIG": "16k"}, "-cpu max,pauth-impdef=on,lpa2=off "),
    ("-i", {"GDB": "1"}, "-serial mon:stdio "),
    ("-a a=1", {"APPEND": "b=2", "GDB": "1"}, " loglevel=7 nokaslr a=1 b=2 -fsdev "),
    ("-x edu,igb,igb", {}, "-device edu -device igb,romfile=,addr=8 -device igb,romfile=,addr=c"),
    ("-x nvme", {}, "=DIR/nvme.raw,if=none,format=raw,id=nvme0 -device nvme,drive=nvme0,serial=pkvm-its,msix_qsize=2048,"),
    ("-x nvme", {"CONFIG": "debug"}, "msix_qsize=128,max_ioqpairs=127"),
    ("-x blk,,blk", {}, "id=blk0 -device virtio-blk-pci,drive=blk0 -drive driver=null-co,size=64M,read-zeroes=on,if=none"),
    ("-x blk,edu,blk", {}, "id=blk1 -device virtio-blk-pci,drive=blk1"),
    ("-x bridge", {}, "id=bridged1 -device virtio-blk-pci,drive=bridged1,bus=bridge0,addr=2.0"),
    ("-c -x smmu", {}, "its=on,iommu=smmuv3,dtb-randomness=off -cpu max,pauth-impdef=on,cntfrq=1000000000 "),
    ("-c -x sriov,single", {}, "sriov_vi_flexible=1 -accel tcg,thread=single -icount shift=0,sleep=off -seed 1 "),
]
PANIC = "echo '[    1.000000] Kernel panic - not syncing: x'; "
GOOD = "echo 0 >share/status; "
CPU = "\\nCPU#0\\n PC=%016d X00=0\\nX30=%016d\\nPSTATE=0 EL1h\\n(qemu) "
CPUS = "CPU#0 PC=%016d () X30=%016d () EL1h\n"
SAY = "exec 3<>monitor.out; printf '%s' >&3; "
# What happens, what QEMU does in DIR, the deadline, and the exit code
ENDS = [
    ("the guest is done", GOOD, 60, 0),
    ("the guest has a status", "echo 3 >share/status", 60, 3),
    ("the guest went away", "true", 60, 115),
    ("the status is none", "echo x >share/status", 60, 115),
    ("QEMU fails", GOOD + "exit 1", 60, 114),
    ("QEMU is killed", GOOD + "kill -KILL $$", 60, 114),
    ("a panic, and QEMU fails", PANIC + "exit 1", 60, 111),
    ("a panic that does not end the machine", PANIC + GOOD + "exec sleep 60", 60, 111),
    ("a program prints that", "echo 'Kernel panic - not syncing: x'; " + GOOD, 60, 0),
    ("a panic of EL2", "echo '[    1.000000] kvm [1]: HYP panic:'; " + PANIC, 60, 112),
    ("a BUG of EL2", "echo '[    1.000000][    T1] kvm [1]: nVHE hyp BUG at: x'; " + GOOD, 60, 112),
    ("the deadline", GOOD + SAY % ("(qemu) " + CPU % (1, 2) + CPU % (3, 4)) + "exec sleep 60", 0, 113),
    ("a QEMU that is stuck", "trap '' TERM; " + SAY % (3 * "(qemu) ") + "while :; do sleep 0.1; done", 0, 113),
]
QEMU = """#!/bin/sh
case $* in --version | *,help) echo "version 1.0"; exit ;; esac
echo $$ >pid.part; mv pid.part pid
exec sleep 60
"""
bad = []


def expect(what, got, expected):
    if got != expected:
        bad.append("%s: %s, not %s" % (what, got, expected))


def check_command(top, options, variables, part):
    usual = {v: boot.ENV[v] for v in variables}
    boot.ENV.update(variables)
    line = " ".join(boot.command(boot.parse([*options.split(), str(top)])))
    boot.ENV.update(usual)
    if part.replace("DIR", str(top)) not in line:
        bad.append("boot %s: no %s in %s" % (options, part, line))


def check_end(top, what, script, deadline, code):
    (top / what / "share").mkdir(parents=True)
    args = boot.parse(["-d", str(deadline), str(top / what)])
    found = boot.watch(["sh", "-c", 'cd "$0"; ' + script, str(args.dir)], args)
    expect(what, boot.verdict(args, *found), code)
    if what == "the deadline":
        expect("CPUs", boot.text_of(args.dir / "cpus"), (CPUS + CPUS) % (1, 2, 3, 4))


def check_usage(top):
    p = subprocess.run([WRAPPER, "-x", "edu,none", top], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    expect("an unknown device", p.returncode, 2)
    expect("its message", p.stderr.splitlines()[0], "boot: error: unknown device none")


def check_signal(top):
    with subprocess.Popen([WRAPPER, top], cwd=top, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as p:
        while not (top / "pid").exists() and p.poll() is None:
            time.sleep(0.01)
        p.terminate()
    expect("boot is told to end", p.returncode, 130)
    expect("QEMU then", os.path.exists("/proc/" + (top / "pid").read_text().strip()), False)


with tempfile.TemporaryDirectory() as name, concurrent.futures.ThreadPoolExecutor(len(ENDS) + 2) as pool:
    place = pathlib.Path(name)
    for directory in ("share", "files"):
        (place / directory).mkdir()
    for file in (".pkvm-its", "Image", "initramfs.gz"):
        (place / file).touch()
    (place / "qemu").write_text(QEMU)
    (place / "qemu").chmod(0o755)
    os.environ.update(O=name, KERNEL_IMAGE=name + "/Image", VMLINUX="/none", QEMU=name + "/qemu", CROSS="", CPU="max",
                      GIC="3", SMP="4", MEM="1024", GDB="0", CONFIG="base", APPEND="")
    boot.PANIC_TIME, boot.END_TIME = 0.1, 0.2
    with contextlib.redirect_stderr(io.StringIO()):
        jobs = [pool.submit(check_end, place, *end) for end in ENDS]
        jobs += [pool.submit(check_usage, place), pool.submit(check_signal, place)]
        for j in jobs:
            j.result()
        for c in COMMANDS:
            check_command(place, *c)
print("\n".join(bad))
sys.exit(len(bad) > 0)
