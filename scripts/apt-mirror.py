#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Print a one-line apt source for SUITE, using the Debian mirror that this machine is configured for.

Usage: apt-mirror.py SUITE
Reads both forms (.list and deb822 .sources) and changes nothing.
"""
import glob
import os
import sys

ROOT = os.environ.get("APT_ETC", "/etc/apt")
KEYRINGS = ["/usr/share/keyrings/debian-archive-keyring.gpg",
            "/usr/share/keyrings/debian-archive-keyring.pgp"]


def one_line(path):
    with open(path, errors="replace") as f:
        for line in f:
            line = line.split("#", 1)[0].strip()
            if not line.startswith("deb ") and not line.startswith("deb\t"):
                continue
            rest = line[3:].strip()
            options = {}
            if rest.startswith("["):
                inner, _, rest = rest[1:].partition("]")
                options = dict(o.split("=", 1) for o in inner.split() if "=" in o)
            words = rest.split()
            if len(words) >= 3:
                yield {"uris": [words[0]], "suites": [words[1]], "components": words[2:],
                       "key": options.get("signed-by", ""), "trusted": options.get("trusted", "")}


def deb822(path):
    stanza, last = {}, None
    with open(path, errors="replace") as f:
        lines = f.read().splitlines() + [""]
    for line in lines:
        if line.startswith("#"):
            continue
        if not line.strip():
            if "deb" in stanza.get("types", "").split() and \
                    stanza.get("enabled", "yes").strip().lower() not in ("no", "false", "0"):
                yield {"uris": stanza.get("uris", "").split(), "suites": stanza.get("suites", "").split(),
                       "components": stanza.get("components", "").split(),
                       "key": stanza.get("signed-by", "").strip(), "trusted": stanza.get("trusted", "").strip()}
            stanza, last = {}, None
        elif line[0] in " \t" and last:
            stanza[last] += "\n" + line.strip()
        elif ":" in line:
            name, _, value = line.partition(":")
            last = name.strip().lower()
            stanza[last] = value.strip()


def codename():
    try:
        with open("/etc/os-release") as f:
            for line in f:
                if line.startswith("VERSION_CODENAME="):
                    return line.split("=", 1)[1].strip().strip('"')
    except OSError:
        pass
    return "stable"


def score(entry, uri):
    """How sure we are that this is a mirror of the main Debian archive."""
    if "main" not in entry["components"] or "security" in uri:
        return 0
    points = 0
    own = codename()
    if any(s in (own, "stable") for s in entry["suites"]):
        points += 4
    elif any(s.startswith(own + "-") for s in entry["suites"]):
        points += 2
    if "debian-archive" in entry["key"]:
        points += 2
    path = uri.rstrip("/")
    if path.endswith("/debian") or "debian" in path:
        points += 1
    return points if points >= 2 else 0


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    entries = []
    for path in [os.path.join(ROOT, "sources.list")] + sorted(glob.glob(os.path.join(ROOT, "sources.list.d/*"))):
        if not os.path.isfile(path):
            continue
        if path.endswith(".list"):
            entries += list(one_line(path))
        elif path.endswith(".sources"):
            entries += list(deb822(path))
    best, choice = 0, None
    for entry in entries:
        for uri in entry["uris"]:
            points = score(entry, uri)
            if points > best:
                best, choice = points, (entry, uri)
    if not choice:
        sys.exit("no Debian mirror in the apt configuration (%s)" % ROOT)
    entry, uri = choice
    options = []
    key = entry["key"]
    if key.startswith("/") and "\n" not in key and " " not in key and os.path.exists(key):
        options.append("signed-by=" + key)
    else:
        for path in KEYRINGS:
            if os.path.exists(path):
                options.append("signed-by=" + path)
                break
    if entry["trusted"]:
        options.append("trusted=" + entry["trusted"])
    print("deb %s%s %s main" % ("[%s] " % " ".join(options) if options else "", uri, sys.argv[1]))


if __name__ == "__main__":
    main()
