#!/usr/bin/env python3
"""Builds the cases under cases/ and compares what comes out with what is expected there.

conformance_test.py [--only PART]... [--accept] [--docker COMMAND] [--jobs N] [--keep] [--verbose]

--accept writes down what came out as what is expected (look at the diff); with --docker it is what docker buildx makes of it,
for example --docker 'docker buildx'. For a failing build, only slipway's message can be accepted.
"""
import argparse
import concurrent.futures
import difflib
import os
import re
import shlex
import shutil
import signal
import sys
import tempfile
import time

from cases import Prepared, known_differences, load_all
from engines import Buildx, Slipway
from servers import Bases, FileServer

from harness import CACHE, Registry

SKIP = 77  # of CTest, see CMakeLists.txt


class Bench:
    """A registry, a file server and a directory to work in, for as long as the block lasts."""

    def __init__(self, keep=False):
        self.keep = keep

    def __enter__(self):
        self.directory = tempfile.mkdtemp(prefix="slipway-conformance-")
        os.chmod(self.directory, 0o755)
        self.registry = Registry(self.directory)
        self.files = FileServer(os.path.join(self.directory, "work"))
        self.bases = Bases(self.registry.host, CACHE)
        self.bases.push("base")
        return self

    def __exit__(self, *_):
        self.registry.close()
        self.files.close()
        if self.keep:
            print("kept: " + self.directory)
        else:
            shutil.rmtree(self.directory, ignore_errors=True)

    def prepare(self, case, folder="work"):
        prepared = Prepared(case, os.path.join(self.directory, folder), self.registry.host, self.files.host)
        prepared.push_bases(self.bases)
        return prepared

    def build(self, engine, prepared):
        return engine.build(prepared, self.bases.diff_ids())


def differences(one, other, name, of_one="expected", of_other="built"):
    return "".join(difflib.unified_diff(one.splitlines(True), other.splitlines(True), name + " " + of_one, name + " " + of_other, n=1))


def compare(case, outcome):
    """What is wrong with an outcome, as text; nothing if it is as expected."""
    error = case.expectation("error")
    if error is not None:
        if outcome.code == 0:
            return "built, though it should fail with\n" + error
        lines = error.splitlines()
        missing = [line for line in lines[1:] if line and line not in outcome.said]
        wrong_code = lines[0] != "exit %d" % outcome.code
        return "" if not missing and not wrong_code else "exit %d; expected %s and\n%sbut it said\n%s" % (
            outcome.code, lines[0], "".join("  %s\n" % line for line in missing), tail(outcome.said))
    if outcome.code != 0:
        return "exit %d\n%s" % (outcome.code, tail(outcome.said))
    found = ""
    for name, text in outcome.files.items():
        expected = case.expectation(name)
        found += differences(expected, text, name) if expected is not None else "nothing says what %s should be\n" % name
    missing = [line for line in case.get("says", []) if line not in outcome.said]
    if missing:
        found += "did not say %s but\n%s" % (missing, tail(outcome.said))
    return found


def tail(text, lines=25):
    return "".join("    %s\n" % line for line in text.splitlines()[-lines:])


def message_of(outcome):
    """The error message, for the file `error`."""
    found = re.findall(r"^(?:slipway: )?(?:error|ERROR): (.*)", outcome.said, re.M)
    hints = re.findall(r"^ +(hint: .*)", outcome.said, re.M)
    return "\n".join(["exit %d" % outcome.code, found[-1] if found else outcome.said.strip().splitlines()[-1], *hints]) + "\n"


class Run:
    def __init__(self, bench, engine, accept):
        self.bench, self.engine, self.accept = bench, engine, accept

    def one(self, case):
        """(case, what is wrong, seconds)"""
        began = time.time()
        try:
            outcome = self.bench.build(self.engine, self.bench.prepare(case))
            if self.accept:
                return case, self.write(case, outcome), time.time() - began
            return case, compare(case, outcome), time.time() - began
        except Exception as error:  # a case that cannot be prepared or read is a failure of this case only
            return case, "%s: %s" % (type(error).__name__, error), time.time() - began

    def write(self, case, outcome):
        """What docker makes of a case is the truth, except for messages; slipway's word counts where there is no other."""
        slipway, failed = self.engine.name == "slipway", outcome.code != 0
        ours = any(known.ours for known in known_differences(case))
        if not slipway and (ours or not case.get("oracle", True)):
            return ""
        must_fail, expected = case.expectation("error") is not None, case.expectation("tree") is not None
        if must_fail and not failed and not (slipway and ours):
            return "built, though it should fail; nothing accepted\n"
        if expected and (failed or slipway) and not (slipway and ours):
            return compare(case, outcome)
        if slipway or not must_fail:
            case.accept({"error": message_of(outcome)} if failed else outcome.files)
        return ""


def report(results, verbose):
    failures = 0
    for case, wrong, seconds in results:
        pending = case.get("pending")
        if wrong and not pending:
            failures += 1
            print("FAIL %s (%.1f s)\n%s" % (case.name, seconds, wrong), flush=True)
        elif pending:
            print("skipped %s: pending: %s%s" % (case.name, pending, "" if wrong else " (but it is as expected)"))
        elif verbose:
            print("ok   %s (%.1f s)" % (case.name, seconds))
    return failures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[], metavar="PART", help="cases whose name has this in it")
    parser.add_argument("--accept", action="store_true", help="what comes out is what is expected from now on")
    parser.add_argument("--docker", metavar="COMMAND", help="build with this docker buildx instead of slipway")
    parser.add_argument("--jobs", type=int, default=max(2, os.cpu_count() or 2))
    parser.add_argument("--keep", action="store_true", help="leave the working directory")
    parser.add_argument("--verbose", action="store_true", help="name what passed, too")
    options = parser.parse_args()
    signal.alarm(1500)
    cases = load_all(options.only)
    if not os.path.exists(os.path.join(CACHE, "busybox-arm64.tar")):
        print("SKIPPED: %s has no base images: run tests/support/test_bases.sh" % CACHE)
        return SKIP
    began = time.time()
    with Bench(options.keep) as bench, concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        engine = Buildx(shlex.split(options.docker)) if options.docker else Slipway(os.path.join(bench.directory, "store"))
        failures = report(pool.map(Run(bench, engine, options.accept).one, cases), options.verbose)
    print("%d cases, %d failed, %.0f s" % (len(cases), failures, time.time() - began))
    return 1 if failures or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
