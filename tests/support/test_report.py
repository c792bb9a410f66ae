#!/usr/bin/env python3
"""test_report.py REPORT-DIR ALLOWED-SKIPS: what a run of ./dev test was like: its slowest phases and tests, what was
skipped and why, ctest's own last words, and last of all what failed, for whoever sees only the end of a log. Ends with 1
if CI is set and something was skipped that is not allowed."""
import fnmatch
import glob
import os
import re
import sys
import xml.etree.ElementTree

SLOWEST = 10
FAILURES, FAILURE_LINES = 10, 40


def phases(directory):
    try:
        with open(os.path.join(directory, "phases")) as file:
            return sorted(file.read().splitlines(), reverse=True)
    except FileNotFoundError:
        return []


def results(directory):
    """(preset, test case) of every ctest run."""
    for path in sorted(glob.glob(os.path.join(directory, "*.xml"))):
        preset = os.path.splitext(os.path.basename(path))[0]
        for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
            yield preset, case


def skips_of(case):
    """(name, reason) of what a ctest test skipped: itself, or cases of the Python file that it is."""
    name, output = case.get("name"), case.findtext("system-out") or ""
    for test, reason in re.findall(r"^(\w+) \(.*\) \.\.\. skipped '(.*)'", output, re.M):
        yield name + "." + test, reason
    for where, reason in re.findall(r"^skipped\s+(\S.*?): (.*)$", output, re.M):
        yield name + "." + where, reason
    if case.get("status") == "notrun" or case.find("skipped") is not None:
        reason = re.search(r"Skipped\n(.*?)\n?\n?\[  SKIPPED \]", output, re.S)
        yield name, " ".join(reason.group(1).split()) if reason else output.strip()[-200:] or "not run"


def failures(cases):
    """The failed tests, each with the end of what it printed."""
    for preset, case in cases:
        if case.get("status") == "fail" or case.find("failure") is not None:
            printed = (case.findtext("system-out") or "").rstrip().splitlines()[-FAILURE_LINES:]
            yield "%s (%s)\n%s\n" % (case.get("name"), preset, "\n".join("    " + line for line in printed))


def read_allowed(path):
    with open(path) as file:
        return [line.split()[0] for line in file if line.strip() and not line.startswith("#")]


def say(title, lines):
    if lines:
        print("\n== " + title)
        print("\n".join(lines))


def last_words(directory):
    """ctest's own summaries, those of the whole suite last."""
    for path in sorted(glob.glob(os.path.join(directory, "*.log"))):
        with open(path, errors="replace") as file:
            found = re.findall(r"^\d+% tests passed.*$", file.read(), re.M)
        yield os.path.splitext(os.path.basename(path))[0], found[-1] if found else "ctest did not come to its end"


def main(directory, allowed_path):
    cases = list(results(directory))
    say("phases, slowest first", phases(directory))
    slowest = sorted(cases, key=lambda c: -float(c[1].get("time") or 0))[:SLOWEST]
    say("slowest tests", ["%7.1f s  %s (%s)" % (float(case.get("time") or 0), case.get("name"), preset) for preset, case in slowest])

    allowed, known, unexpected = read_allowed(allowed_path), [], []
    for preset, case in cases:
        for name, reason in skips_of(case):
            known_one = any(fnmatch.fnmatchcase(name, pattern) for pattern in allowed)
            (known if known_one else unexpected).append("%s (%s): %s" % (name, preset, reason))
    say("skipped, as allowed", known)
    say("skipped", unexpected)
    for preset, words in sorted(last_words(directory), key=lambda w: w[0] == "dev"):
        print("\nctest of %s:\n%s" % (preset, words))
    failed = list(failures(cases))
    say("failed", failed[:FAILURES])
    if failed:
        print("failed: " + ", ".join(failure.partition("\n")[0] for failure in failed))
    sys.stdout.flush()
    if unexpected and os.environ.get("CI"):
        print("%d tests were skipped that %s does not name" % (len(unexpected), allowed_path), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
