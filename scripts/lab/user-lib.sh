# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# EL2's code in user space (lab/pkvm-its compiles that of build/linux): where it is built. Sourced after lib.sh.
# shellcheck disable=SC2034
USER_DIR=$LAB/pkvm-its
USER_OUT=$O/pkvm-its$SUFFIX
SHIFTS=(12 14 16)

# name_of SHIFT: of a page size
name_of() { echo "$((1 << ($1 - 10)))k"; }

# user_make LOG TARGET...: build in user space; the compiler is the one that can do all of it
user_make() {
	local log=$1
	shift
	mkdir -p "$USER_OUT"
	quietly "$log" "EL2's code in user space" make -C "$USER_DIR" KERNEL="$SRC" OUTPUT="$USER_OUT" CC=clang -j"$JOBS" "$@" ||
		die "EL2's code does not build in user space" "see $log"
}

# gicv5_make LOG TARGET...: the same for the ISTs of GICv5 guests (lab/gicv5)
GICV5_OUT=$O/gicv5$SUFFIX
gicv5_make() {
	local log=$1
	shift
	quietly "$log" "GICv5 ISTs in user space" make -C "$LAB/gicv5" KERNEL="$SRC" OUTPUT="$GICV5_OUT" -j"$JOBS" "$@" ||
		die "the ISTs of GICv5 guests do not build in user space" "see $log"
}

# seeds DIR: the fuzzer's corpus, lab/fuzz/corpus, one program a line in hex, as the files that libFuzzer wants
seeds() {
	rm -rf "$1"
	mkdir -p "$1"
	python3 -c '
import hashlib, sys
for line in open(sys.argv[1]):
    if not line.startswith("#"):
        program = bytes.fromhex(line)
        open("%s/%s" % (sys.argv[2], hashlib.sha1(program).hexdigest()), "wb").write(program)
' "$LAB/fuzz/corpus" "$1"
}
