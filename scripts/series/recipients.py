#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""recipients.py TREE DIR: put To: and Cc: into the mails DIR/*.patch.

Maintainers get a patch To:, reviewers and lists Cc:, as TREE's get_maintainer.pl has them. The cover letter, the first
of the mails, goes to all who get a patch. DIR/recipients.txt tells who gets what.
"""
import concurrent.futures
import email.utils
import glob
import os
import re
import subprocess
import sys

# "Name <address> (supporter:SUBSYSTEM)", or "address (moderated list:SUBSYSTEM)"
LINE = re.compile(r"^(.*?)\s+\(([^()]*(?:\([^()]*\)[^()]*)*)\)$")


def recipients(tree, mail):
    lines = subprocess.run(
        ["perl", "scripts/get_maintainer.pl", "--nogit", "--nogit-fallback", "--rolestats", mail],
        cwd=tree, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    to, cc = [], []
    for line in filter(None, lines):
        m = LINE.match(line)
        if not m:
            sys.exit("recipients.py: a line of get_maintainer.pl without a role: " + line)
        address, role = m.groups()
        (to if re.match(r"maintainer|supporter|odd fixer", role) else cc).append(address)
    return to, cc


def header(name, addresses):
    pairs = [email.utils.parseaddr(a) for a in addresses]
    return name + ": " + ",\n    ".join(email.utils.formataddr(p) for p in pairs) + "\n" if pairs else ""


def insert(mail, text):
    with open(mail) as f:
        content = f.read()
    end = content.index("\n\n") + 1
    with open(mail, "w") as f:
        f.write(content[:end] + text + content[end:])


def main():
    tree, directory = sys.argv[1], os.path.abspath(sys.argv[2])
    mails = sorted(glob.glob(directory + "/*.patch"))
    all_to, all_cc, report = {}, {}, []
    chosen = {}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(lambda mail: recipients(tree, mail), mails[1:]))
    for mail, (to, cc) in zip(mails[1:], found):
        chosen[mail] = to, cc
        all_to.update(dict.fromkeys(to))
        all_cc.update(dict.fromkeys(cc))
    chosen[mails[0]] = list(all_to), [a for a in all_cc if a not in all_to]
    for mail in mails:
        to, cc = chosen[mail]
        # A mail has to be for somebody.
        if not to:
            to, cc = cc, []
        if not to:
            sys.exit("recipients.py: no recipient for " + os.path.basename(mail))
        insert(mail, header("To", to) + header("Cc", cc))
        report += [os.path.basename(mail)] + ["  To " + a for a in to] + ["  Cc " + a for a in cc]
    with open(directory + "/recipients.txt", "w") as f:
        f.write("\n".join(report) + "\n")


if __name__ == "__main__":
    main()
