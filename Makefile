# SPDX-License-Identifier: GPL-2.0-only
# The one entrance. `make` alone prints what there is.
MAKEFLAGS += --no-print-directory
SHELL := /bin/bash
S := scripts
.DEFAULT_GOAL := help
.NOTPARALLEL:

# Only what was given on the command line or in the environment reaches the scripts; they have the defaults.
export O CPU GIC SMP MEM QEMU CONFIG KERNEL_TREE KERNEL_TARBALL APPEND T DURATION GDB FORCE JOBS BUSYBOX COMPARE V RFC FROM BASE ALL PART PARTS DEBIAN TARGET DEVICES

.PHONY: help deps tree patches build shell run check check-all unit coverage fuzz corpus mutants prove selftests soak compare
.PHONY: bench bench-publish bisect static submit range-diff rebase doctor lint fresh clean distclean vars

help:
	@echo 'pkvm-its: the GICv3 ITS confined under pKVM, and the workbench around it'
	@echo
	@echo '  make run        from nothing to the demonstration: attacks on a direct and on a confined GIC'
	@echo '  make check      from nothing to all tests; results in build/results'
	@echo '  make check-all  the tests that take too long for make check, after it'
	@echo '  make fresh      TARGET=check (or another) on a clone in a new minimal root of Debian, DEBIAN=12 or 13'
	@echo '  make deps       install what is needed (Debian 12 and 13), or say what is missing'
	@echo '  make tree       build/linux: the base kernel in git, patches/ and lab/patches/ on top (FORCE=1 starts again)'
	@echo '  make patches    write patches/, lab/patches/ and the mirrored files from build/linux'
	@echo '  make build      kernel, selftests and guest userland'
	@echo '  make shell      a shell in the booted pKVM host (GDB=1 waits for gdb)'
	@echo '  make unit       the unit tests of EL2 in user space (T=name: only those with it in their name)'
	@echo '  make coverage   how much of EL2 they reach'
	@echo '  make fuzz       a host that does anything, against EL2 in user space, for DURATION seconds'
	@echo '  make corpus     what make fuzz has found, into lab/fuzz/corpus'
	@echo '  make mutants    seeded faults in EL2, each of which the tests or the fuzzer must notice (T=name)'
	@echo '  make prove      properties of EL2 for every input (CBMC), of the protocol in every state (Spin) (ALL=1: all; T=name)'
	@echo '  make selftests  only the tests in QEMU (T=name: only this one)'
	@echo '  make compare    the stock KVM and VFIO selftests without the series, with it switched off, and with it'
	@echo '  make soak       everything at once on a confined ITS, for DURATION seconds on each type of CPU'
	@echo '  make bench      what confinement costs, in instructions and entries to EL2: table, JSON and plots'
	@echo '  make bench-publish  the table and plots of the last make bench, into README.md and bench/'
	@echo '  make lint       shellcheck, SPDX, checkpatch'
	@echo '  make static     sparse, coccicheck, kernel-doc, htmldocs; gcc and clang with scripts/series/static.list (T=name)'
	@echo '  make bisect     each patch that has changed (ALL=1: all; FROM=n: from patch n on): build, boot, test'
	@echo '  make range-diff what has changed since FROM=, for the cover letter'
	@echo '  make rebase     the series on another version of Linux, BASE=7.3.9'
	@echo '  make submit     the series without the lab, as mails in build/outgoing, with recipients; never sends (V=2 RFC=1)'
	@echo '  make doctor     what this machine lacks, for which target; changes nothing'
	@echo '  make clean      remove results, logs and objects; the kernel tree stays'
	@echo '  make distclean  remove build/ and the download cache; commits in build/linux are lost'
	@echo
	@echo '  CPU=max             max and neoverse-n1 run pKVM in hVHE, cortex-a57 in nVHE'
	@echo '  GIC=3               3 or 4 (make run: 4)'
	@echo '  QEMU=10.0           10.0 or 11.1 (fetched from Debian, not installed), or the path of a qemu-system-aarch64'
	@echo '  SMP=4  MEM=1024     CPUs and MiB of the machine'
	@echo '  CONFIG=base         base; debug: with lockdep, KASAN, UBSAN and PREEMPT_RT; 16k, 64k: page sizes; bench: without checks'
	@echo '  DEVICES=edu,nvme    devices of make shell'
	@echo '  KERNEL_TREE=dir     own git checkout of Linux 7.3.y: a worktree of its HEAD is used'
	@echo '  KERNEL_TARBALL=file own source of Linux 7.3.y, for working without network'
	@echo '  APPEND="..."        more kernel arguments'
	@echo '  O=dir               in place of build/'
	@echo '  T=name              make selftests: one test of its list; make unit, mutants, prove, static: a part of names'
	@echo '  COMPARE=all         all of scripts/tests/compare.list; ci is what is done in minutes'
	@echo '  DURATION=60         seconds of make soak and make fuzz'
	@echo '  V=1  RFC=1          version and prefix of make submit'
	@echo '  PART=core           make submit takes one part of letters/parts.list'
	@echo '  PARTS="gic3 fuzz"   some parts of make check-all'
	@echo '  GDB=1               start stopped and print the command that attaches gdb'

# All variables are looked at before anything is done.
vars:
	@bash -euc 'S=$(S); . $$S/lib.sh; ME=make; check_vars'

deps: vars
	@$(S)/machine/deps

tree: deps
	@$(S)/series/tree

patches: vars
	@$(S)/series/patches

build: tree
	@$(S)/machine/build
	@$(S)/machine/initramfs

shell: build
	@$(S)/machine/shell

run: build
	@$(S)/tests/run

unit coverage fuzz mutants: tree
	@$(S)/lab/$@

prove: tree
	@$(S)/machine/deps prove
	@$(S)/lab/prove $(if $(filter 1,$(ALL)),all,check)
	@$(S)/lab/protocol $(if $(filter 1,$(ALL)),all,check)
	@$(if $(filter 1,$(ALL)),$(S)/lab/prove faults)

corpus: tree
	@$(S)/lab/fuzz corpus

selftests: build
	@$(S)/tests/selftests

compare: build
	@$(S)/tests/compare

soak: build
	@$(S)/tests/soak

bench: build
	@$(S)/bench/bench

bench-publish: vars
	@$(S)/bench/bench publish

check: vars
	@$(S)/check

check-all: tree
	@$(S)/check-all

fresh: vars
	@$(S)/machine/fresh

lint: tree
	@$(S)/series/lint

static: tree
	@$(S)/machine/deps static
	@$(S)/series/static

bisect: tree
	@$(S)/series/bisect

submit: tree
	@$(S)/machine/deps submit
	@$(S)/series/submit

range-diff: tree
	@$(S)/series/range-diff

# KERNEL_TARBALL is the new base here.
rebase: vars
	@$(S)/series/rebase

doctor:
	@$(S)/machine/doctor

clean: vars
	@$(S)/machine/clean

distclean: vars
	@$(S)/machine/clean all
