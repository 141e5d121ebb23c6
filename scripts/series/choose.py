#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Choose the patches that bisect tries. Print number, commit, tree and subject of each, with tabs between.

They are commits of --source behind --base: from the Nth on; or those whose changes are in no file of patches/ and
lab/patches/ of the main branch of --top. If --top is at main itself, the commit before the last change of these counts.
"""
import argparse
import subprocess


def git(directory, *arguments):
    return subprocess.check_output(["git", "-C", directory, *arguments])


def revision(directory, name):
    """The commit, or nothing"""
    found = subprocess.run(["git", "-C", directory, "rev-parse", "-q", "--verify", name], stdout=subprocess.PIPE)
    return found.stdout.decode().strip()


def changes(patches):
    """What git makes of each patch: a digest of what it changes, and its commit."""
    found = subprocess.check_output(["git", "patch-id", "--verbatim"], input=patches)
    return [line.split() for line in found.decode().splitlines()]


def of_main(top):
    """The patches that the main branch has got"""
    ref = revision(top, "origin/main") or revision(top, "main")
    if ref in ("", revision(top, "HEAD")):
        last = git(top, "log", "-1", "--format=%H", "--", "patches", "lab/patches").decode().strip()
        ref = revision(top, last + "~")
    # Without a main branch all are new.
    names = git(top, "ls-tree", "--name-only", ref, "patches/", "lab/patches/").decode().splitlines() if ref else []
    return b"".join(git(top, "show", "%s:%s" % (ref, n)) for n in names if n.endswith(".patch"))


def new_commits(source, series, top):
    known = {change for change, _ in changes(of_main(top))}
    patches = git(source, "-c", "core.abbrev=12", "format-patch", "--stdout", series)
    return {commit for change, commit in changes(patches) if change not in known}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--source", "--base", "--top"):
        parser.add_argument(name, required=True)
    parser.add_argument("--from", dest="first", type=int, metavar="N")
    args = parser.parse_args()
    series = args.base + "..HEAD"
    new = new_commits(args.source, series, args.top) if not args.first else set()
    log = git(args.source, "log", "--reverse", "--format=%H%x09%T%x09%s", series).decode(errors="replace")
    for n, line in enumerate(log.splitlines(), 1):
        if n >= args.first if args.first else line.split("\t")[0] in new:
            print("%04d\t%s" % (n, line))


if __name__ == "__main__":
    main()
