# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# What all scripts share: places, messages, progress, and small helpers. Sourced, never run.
# shellcheck disable=SC2034

# The variables of our make must not leak into the makes we start.
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL MAKEFILES GREP_OPTIONS
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE CDPATH
export LC_ALL=C

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
SCRIPTS=$TOP/scripts
O=${O:-}
case $O in "") O=$TOP/build ;; /*) ;; *) O=$TOP/$O ;; esac
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/pkvm-its
JOBS=${JOBS:-$(nproc)}
# What is sent, and what stays here
PATCHES=$TOP/patches LAB=$TOP/lab
RESULTS=${RESULTS:-$O/results}

# What the user gave, as the first script of a run sees it.
export CPU_GIVEN=${CPU_GIVEN-${CPU:-}} GIC_GIVEN=${GIC_GIVEN-${GIC:-}} SMP_GIVEN=${SMP_GIVEN-${SMP:-}}
export MEM_GIVEN=${MEM_GIVEN-${MEM:-}}
CPU=${CPU:-max} GIC=${GIC:-3} SMP=${SMP:-4} CONFIG=${CONFIG:-base}
# The sanitizers of the debug kernel need memory of their own. With pages of 64K and 1024 MiB or less, EL2 panics in nVHE as
# KVM is initialised, without the series as well.
case $CONFIG in debug|64k) MEM=${MEM_GIVEN:-2048} ;; *) MEM=${MEM_GIVEN:-1024} ;; esac
APPEND=${APPEND:-} KERNEL_TREE=${KERNEL_TREE:-} KERNEL_TARBALL=${KERNEL_TARBALL:-} T=${T:-} GDB=${GDB:-} QEMU=${QEMU:-}
DURATION=${DURATION:-60}
CHECK_ALL_PARTS="16k 64k qemu-10.0 qemu-11.1 soak debug-nvhe debug-gic4 max neoverse-n1 gic3 gic4 fuzz mutants prove"

export CCACHE_DIR=$CACHE/ccache
CROSS=aarch64-linux-gnu-

# Exit codes, documented in README.md. The guest's own status is passed on as it is.
EX_USAGE=2 EX_TEST=110 EX_PANIC=111 EX_EL2=112 EX_DEADLINE=113 EX_QEMU=114 EX_GONE=115 EX_SPLAT=116

ME=$(basename "$0")

say()  { progress_end; printf '%s\n' "$*" >&2; }
step() { progress_end; printf '==> %s\n' "$*" >&2; }

# die "what went wrong" "what to do next" [exit code]
die() {
	progress_end
	printf '%s: error: %s\n' "$ME" "$1" >&2
	[ -z "${2:-}" ] || printf '%s: next:  %s\n' "$ME" "$2" >&2
	exit "${3:-1}"
}

# A line that is rewritten on a terminal; elsewhere a plain line now and then.
_progress_open=0 _progress_last=-100
progress() {
	if [ -t 2 ]; then
		printf '\r\033[K    %s' "$*" >&2
		_progress_open=1
	elif [ $((SECONDS - _progress_last)) -ge 20 ]; then
		printf '    %s\n' "$*" >&2
		_progress_last=$SECONDS
	fi
}
progress_end() {
	[ "$_progress_open" = 0 ] || printf '\r\033[K' >&2
	_progress_open=0 _progress_last=-100
}

# quietly LOG WHAT COMMAND...: run with the output in LOG and a progress line that counts its lines.
quietly() {
	local log=$1 what=$2 pid rc=0 start=$SECONDS n total=''
	shift 2
	mkdir -p "$(dirname "$log")"
	[ ! -s "$log.lines" ] || total=" of about $(cat "$log.lines")"
	: >"$log"
	"$@" >>"$log" 2>&1 </dev/null &
	pid=$!
	# Background processes of a script do not hear Ctrl-C.
	# shellcheck disable=SC2064
	trap "kill $pid 2>/dev/null; exit 130" INT TERM
	while kill -0 "$pid" 2>/dev/null; do
		n=$(wc -l <"$log" 2>/dev/null || echo 0)
		if [ "$n" -gt 5 ]; then progress "$what: $n$total steps, $((SECONDS - start)) s"
		else progress "$what: $((SECONDS - start)) s"; fi
		sleep 1
	done
	wait "$pid" || rc=$?
	trap - INT TERM
	progress_end
	if [ $rc != 0 ]; then
		say "--- last lines of $log"
		tail -n 25 "$log" >&2
		say "---"
	else
		n=$(wc -l <"$log")
		# Remember the length of the longest run as the estimate for the next.
		if [ "$n" -gt "$(cat "$log.lines" 2>/dev/null || echo 0)" ]; then echo "$n" >"$log.lines"; fi
		say "    $what: done in $((SECONDS - start)) s"
	fi
	return $rc
}

sha256_of() { sha256sum "$1" | cut -d' ' -f1; }

# digest: of all given files' names and contents, plus standard input
digest_files() {
	local f
	for f; do
		printf '%s\n' "${f##*/}"
		cat "$f"
	done | sha256sum | cut -c1-16
}

# stamp FILE TEXT / stamped FILE TEXT: stamps are written last, and by rename.
stamp()   { mkdir -p "$(dirname "$1")"; printf '%s\n' "$2" >"$1.tmp"; mv "$1.tmp" "$1"; }
stamped() { [ -f "$1" ] && [ "$(cat "$1")" = "$2" ]; }

# with_lock NAME: held until the script ends; two runs do not work on the same thing.
with_lock() {
	mkdir -p "$O"
	exec 9>"$O/.lock-$1"
	flock -n 9 || {
		say "waiting for another run that holds $O/.lock-$1"
		flock 9
	}
}

check_vars() {
	local v
	# Things are removed below O, so it has to be ours.
	if [ -e "$O" ] && [ ! -e "$O/.pkvm-its" ] && [ -n "$(ls -A "$O" 2>&1)" ]; then
		die "O=$O exists and was not made by this workbench" "name a new or empty directory" $EX_USAGE
	fi
	mkdir -p "$O"
	: >"$O/.pkvm-its"
	case $CPU in max|cortex-a57|neoverse-n1) ;; *)
		die "CPU=$CPU is not known" "use CPU=max (hVHE), CPU=neoverse-n1 (hVHE) or CPU=cortex-a57 (nVHE)" $EX_USAGE ;; esac
	case $GIC in 3|4) ;; *) die "GIC=$GIC is not known" "use GIC=3 or GIC=4" $EX_USAGE ;; esac
	case $SMP in ''|*[!0-9]*|0) v=bad ;; *) v=; [ "$SMP" -le 16 ] || v=bad ;; esac
	[ -z "$v" ] || die "SMP=$SMP is not a number from 1 to 16" "for example SMP=4" $EX_USAGE
	case $MEM in ''|*[!0-9]*) v=bad ;; *) v=; [ "$MEM" -ge 256 ] || v=bad ;; esac
	[ -z "$v" ] || die "MEM=$MEM is not a number of MiB, at least 256" "for example MEM=1024" $EX_USAGE
	case $CONFIG in base|debug|bench|16k|64k) ;; *)
		die "CONFIG=$CONFIG is not known" \
			"use CONFIG=base, debug (sanitizers, lockdep, PREEMPT_RT), 16k or 64k (pages) or bench (no checks)" $EX_USAGE ;; esac
	case $DURATION in ''|*[!0-9]*|0*) die "DURATION=$DURATION is not a number of seconds" "for example DURATION=600" \
		$EX_USAGE ;; esac
	case $GDB in ''|0|1) ;; *) die "GDB=$GDB is not known" "use GDB=1 or leave it out" $EX_USAGE ;; esac
	for v in ${PARTS:-}; do
		case " $CHECK_ALL_PARTS " in *" $v "*) ;; *)
			die "check-all has no part $v" "PARTS takes some of: $CHECK_ALL_PARTS" $EX_USAGE ;; esac
	done
	case ${ALL:-} in ''|0|1) ;; *) die "ALL=$ALL is not known" "use ALL=1 or leave it out" $EX_USAGE ;; esac
	case ${COMPARE:-} in ''|ci|all) ;; *)
		die "COMPARE=$COMPARE is not known" "use COMPARE=ci or COMPARE=all" $EX_USAGE ;; esac
	[ -z "$KERNEL_TREE" ] || [ -z "$KERNEL_TARBALL" ] ||
		die "KERNEL_TREE and KERNEL_TARBALL are both given" "give one of them" $EX_USAGE
	if [ -n "$KERNEL_TREE" ]; then
		if [ ! -f "$KERNEL_TREE/Kbuild" ] || [ ! -e "$KERNEL_TREE/.git" ]; then
			die "KERNEL_TREE=$KERNEL_TREE is not a git checkout of Linux" "name the top directory of one" $EX_USAGE
		fi
	fi
	if [ -n "$KERNEL_TARBALL" ]; then
		[ -f "$KERNEL_TARBALL" ] || die "KERNEL_TARBALL=$KERNEL_TARBALL does not exist" \
			"name a linux-7.3.y tar file (.tar, .tar.gz, .tar.xz)" $EX_USAGE
	fi
}

# Where the tree and its objects are. An own checkout or tar file gets its own places.
tree_vars() {
	local id
	SRC=$O/linux SUFFIX=
	if [ -n "$KERNEL_TREE" ]; then
		KERNEL_TREE=$(cd "$KERNEL_TREE" && pwd -P)
		id=$(printf %s "$KERNEL_TREE" | sha256sum | cut -c1-8)
		SUFFIX=-$id SRC=$O/linux-$id
	elif [ -n "$KERNEL_TARBALL" ]; then
		KERNEL_TARBALL=$(readlink -f "$KERNEL_TARBALL")
		id=$(printf %s "$KERNEL_TARBALL" | sha256sum | cut -c1-8)
		SUFFIX=-$id SRC=$O/linux-$id
	fi
	TREE_STAMP=$SRC.stamp
	# The kernel's parser of KTAP
	export PYTHONPATH=$SRC/tools/testing/kunit
}

# fragments CONFIG: the files that a configuration consists of
fragments() {
	printf '%s\n' "$SCRIPTS/config/base.config"
	[ "$1" = base ] || printf '%s\n' "$SCRIPTS/config/$1.config"
}

# kernel_out CONFIG: the object directory of a configuration
kernel_out() { printf '%s/kernel-%s%s' "$O" "$1" "$SUFFIX"; }

# tests_dir: where the KVM selftests of arm64 are built, the same programs for every configuration
tests_dir() { printf '%s/kselftest/kvm/arm64' "$(kernel_out base)"; }

# patch_files PATH...: these patches, and those in these directories, in order
patch_files() {
	local path
	for path; do [ ! -e "$path" ] || find "$path" -maxdepth 1 -name '*.patch' | sort; done
}
series_files() { patch_files "$PATCHES"; }
lab_files()    { patch_files "$LAB/patches"; }

# A part of the series is sent by itself; letters/parts.list says where it begins and what it needs.
parts() { "$SCRIPTS/rows" "$TOP/letters/parts.list"; }
part_names() { parts | cut -f1 | xargs; }

# parts_below PART: what it needs, the first part first
parts_below() {
	local below
	below=$(parts | awk -F'\t' -v part="$1" '$1 == part && $2 != "-" { print $2 }')
	[ -z "$below" ] || echo "$(parts_below "$below") $below"
}

# part_files PART...: their patches
part_files() {
	local f
	series_files | while IFS= read -r f; do
		printf '%s\t%s\n' "$f" "$(sed -n '/^Subject: /{:a;N;/\n /{s/\n//;ba};s/\n.*//;s/^[^]]*] //p;q}' "$f")"
	done | awk -F'\t' -v parts=" $* " \
		'NR == FNR { begins[$3] = $1; next } $2 in begins { part = begins[$2] } index(parts, " " part " ") { print $1 }' \
		<(parts) -
}

# sent_head BASE [HEAD]: the last commit of the series in $SRC. Behind it are those of the lab, whose subjects begin with
# "lab: "; so where the series ends survives every rebase.
sent_head() {
	local first
	first=$(git -C "$SRC" log --reverse --format='%H %s' "$1..${2:-HEAD}" | awk '$2 == "lab:" && !n++ { print $1 }')
	git -C "$SRC" rev-parse "${first:-${2:-HEAD}}${first:+~}"
}

# tree_state: one word that changes whenever what would be built changes. With uncommitted work it is always new,
# because that may include files git does not look at.
tree_state() {
	if [ -n "$(git -C "$SRC" status --porcelain --untracked-files=no)" ]; then date +changed-%s.%N
	else git -C "$SRC" rev-parse HEAD; fi
}

# KTAP of the workbench's own suites: ktap_open FILE; ktap_ok NAME, ktap_fail NAME [LOG], ktap_skip NAME REASON; ktap_close
ktap_open() { KTAP_FILE=$1 KTAP_N=0 KTAP_BAD=0; mkdir -p "$(dirname "$1")"; echo "KTAP version 1" >"$1.part"; }
ktap_ok()   { KTAP_N=$((KTAP_N + 1)); echo "ok $KTAP_N $1" >>"$KTAP_FILE.part"; say "    ok    $1"; }
ktap_skip() { KTAP_N=$((KTAP_N + 1)); echo "ok $KTAP_N $1 # SKIP $2" >>"$KTAP_FILE.part"; say "    skip  $1 ($2)"; }
ktap_fail() {
	KTAP_N=$((KTAP_N + 1)) KTAP_BAD=$((KTAP_BAD + 1))
	if [ -n "${2:-}" ] && [ -f "$2" ]; then tail -n 40 "$2" | sed 's/^/# /' >>"$KTAP_FILE.part"; fi
	echo "not ok $KTAP_N $1" >>"$KTAP_FILE.part"
	say "    FAIL  $1"
	if [ -n "${2:-}" ] && [ -f "$2" ]; then tail -n 15 "$2" | sed 's/^/          /' >&2; fi
}
# ktap_run NAME LOG COMMAND...: its output goes to LOG; good if it succeeds.  ktap_empty NAME LOG: good if LOG is empty
ktap_run() { if "${@:3}" >"$2" 2>&1; then ktap_ok "$1"; else ktap_fail "$1" "$2"; fi; }
ktap_empty() { if [ -s "$2" ]; then ktap_fail "$1" "$2"; else ktap_ok "$1"; fi; }
ktap_close() { { sed -n 1p "$KTAP_FILE.part"; echo "1..$KTAP_N"; sed 1d "$KTAP_FILE.part"; } >"$KTAP_FILE"; rm -f "$KTAP_FILE.part"; }
