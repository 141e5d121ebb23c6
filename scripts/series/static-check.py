#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What static.py makes of the output of tools, and which of three patches choose.py chooses, in small repositories."""
import os
import pathlib
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import static  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
ITS, KVM, HEADER = "drivers/irqchip/its.c", "arch/arm64/kvm/its.c", "include/linux/its.h"
CONFIG = "CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_AB=y\nCONFIG_N=16"
# What it is, how it is read, the names that are given, what is read, and what is left of it
TEXTS = [
    ("a warning", "compiler", [ITS], "../" + ITS + ":12:3: warning: x", [ITS + ": warning: x"]),
    ("an error", "compiler", [ITS], ITS + ":12: error: x", [ITS + ": error: x"]),
    ("a warning as it is", "warnings", [ITS], "../" + ITS + ":12:3: warning: x", ["../" + ITS + ":12:3: warning: x"]),
    ("four in three files", "compiler", [HEADER, ITS, KVM],
     "\n".join(f + ":1:2: warning: x" for f in (ITS, HEADER, ITS, KVM)),
     [KVM + ": warning: x", ITS + ": warning: x", HEADER + ": warning: x"]),
    ("a note", "compiler", [ITS], ITS + ":12:3: note: x", []),
    ("another file", "compiler", [ITS], HEADER + ":12:3: warning: x", []),
    ("a longer name", "warnings", [ITS], ITS + "c:12:3: warning: x", []),
    ("a place", "coccicheck", [], "a/b.c:12:3-7: WARNING x", ["a/b.c: WARNING x"]),
    ("a place and a number", "coccicheck", [], "a.c:12: x:3: y", ["a.c: x:3: y"]),
    ("no place", "coccicheck", [], "a.c has 12: x\na.h:12:3-7: x\n a.c:12: x", []),
    ("a line", "kernel-doc", [], "Warning: a.c:12 x:3 y", ["Warning: a.c: x:3 y"]),
    ("no line", "kernel-doc", [], "3 warnings", ["3 warnings"]),
    ("as asked", "asked", ["A=y,B=n,C=n,N=16"], CONFIG, []),
    ("not on", "asked", ["A=y,B=y"], CONFIG, ["CONFIG_B=y is not there"]),
    ("not off", "asked", ["A=n"], CONFIG, ["CONFIG_A=n is not there"]),
    ("another value", "asked", ["N=1"], CONFIG, ["CONFIG_N=1 is not there"]),
]
# What it is, the patches in commits up to that of the main branch and behind it, its name, options, and what is chosen.
# A adds something else than a, B a space more than b; C has another message than c.
CHOICES = [
    ("nothing is new", "abc", "abc", "heads/main", [], ""),
    ("a change", "Abc", "abc", "heads/main", [], "1"),
    ("a space", "aBc", "abc", "heads/main", [], "2"),
    ("a message", "abC", "abc", "heads/main", [], ""),
    ("new patches", "b", "ab abc", "heads/main", [], "1 3"),
    ("origin's main branch", "a", "ab abc", "remotes/origin/main", [], "2 3"),
    ("the main branch", "a ab abc abc", "", "heads/main", [], "3"),
    ("the first of the main branch", "abc", "", "heads/main", [], "1 2 3"),
    ("no main branch", "ab abc", "", "heads/other", [], "3"),
    ("from the second on", "abc", "abc", "heads/main", ["--from", "2"], "2 3"),
    ("from behind the last on", "abc", "abc", "heads/main", ["--from", "4"], ""),
]
bad = []


def expect(what, got, expected):
    if got != expected:
        bad.append("%s: %s, not %s" % (what, got, expected))


def git(directory, *arguments):
    return subprocess.check_output(["git", "-C", directory, *arguments], text=True).strip()


def repository(directory):
    git(directory.parent, "init", "-q", "-b", "work", directory)
    return directory


def commit(directory, message, files):
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    git(directory, "add", "-A")
    git(directory, "commit", "-q", "--allow-empty", "-m", message)


def series(kernel):
    """A base and three patches. Returns those, and what they may have been before, by their letters."""
    commit(kernel, "base", {"base": ""})
    for letter in "abc":
        commit(kernel, letter + " # it", {letter: letter + "\n"})
    patches = {}
    for n, letter in enumerate("cba"):
        patches[letter] = git(kernel, "format-patch", "--stdout", "-1", "HEAD~%d" % n) + "\n"
    patches["A"] = patches["a"].replace("\n+a\n", "\n+x\n")
    patches["B"] = patches["b"].replace("\n+b\n", "\n+ b\n")
    patches["C"] = patches["c"].replace("] c # it\n", "] c\n")
    return patches


def check_choice(top, kernel, patches, what, main, behind, name, options, expected):
    repository(top)
    for n, letters in enumerate((main + " " + behind).split()):
        where = {"a": "patches/1.patch", "b": "patches/2.patch", "c": "lab/patches/3.patch"}
        commit(top, "x", {where[l.lower()]: patches[l] for l in letters})
        if n < len(main.split()):
            git(top, "update-ref", "refs/" + name, "HEAD")
    command = [HERE + "/choose.py", "--source", kernel, "--base", "HEAD~3", "--top", top, *options]
    rows = [line.split("\t") for line in subprocess.check_output(command, text=True).splitlines()]
    expect(what, [r[0] for r in rows], ["000" + n for n in expected.split()])
    for n, *columns in rows:
        shown = git(kernel, "log", "-1", "--format=%H/%T/%s", "HEAD~%d" % (3 - int(n)))
        expect(what + ", patch " + n, columns, shown.split("/"))


for text in TEXTS:
    expect(text[0], static.read(text[1], text[3].split("\n"), text[2]), text[4])
# Nothing waits for the disk.
os.environ.update(GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_COUNT="1", GIT_CONFIG_KEY_0="core.fsync",
                  GIT_CONFIG_VALUE_0="none", GIT_AUTHOR_NAME="A", GIT_AUTHOR_EMAIL="a@b.c", GIT_COMMITTER_NAME="A",
                  GIT_COMMITTER_EMAIL="a@b.c")
with tempfile.TemporaryDirectory() as directory:
    tree = repository(pathlib.Path(directory, "kernel"))
    known = series(tree)
    for number, choice in enumerate(CHOICES):
        check_choice(pathlib.Path(directory, str(number)), tree, known, *choice)
print("\n".join(bad))
sys.exit(len(bad) > 0)
