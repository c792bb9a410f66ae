#!/usr/bin/env python3
"""What a RUN costs beyond what it runs: prepare, start, commit of a step that does nothing.

    run_overhead.py [SLIPWAY] [--runs N] [--steps N] [--docker COMMAND]
    run_overhead.py [SLIPWAY] --smoke      once and short: whether it works; 77 where its bases or QEMU are missing

For each platform, the wall time of a build of N chained `RUN true` less that of one, over N - 1, every step run anew. The median of
the runs counts: the two builds take turns, so that a noisy machine hits both. `--docker "docker buildx"` builds the same with a
daemon that is there, in the same run (the base image must be one that it can pull: --base).

The base is busybox, whose foreign steps are QEMU's alone. `--debian` adds a Debian base that slipway makes first, where the shell
of a foreign step has a native twin, as it has in most images.
"""
import argparse
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
CACHE = os.environ.get("SLIPWAY_TEST_CACHE", "/var/cache/slipway-test")
PLATFORMS = {"linux/amd64": "amd64", "linux/arm64": "arm64"}
DEBIAN = "run-overhead-debian"


def timed(command, **options):
    start = time.monotonic()
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, **options)
    if result.returncode != 0:
        sys.exit("%s: exit %d\n%s" % (shlex.join(command), result.returncode, result.stderr))
    return time.monotonic() - start


def chains(directory, base, counts):
    """A context with one Dockerfile for each length of the chain."""
    for count in counts:
        with open(os.path.join(directory, "Dockerfile.%d" % count), "w") as file:
            file.write("FROM %s\n" % base + "".join("RUN true %d\n" % step for step in range(count)))


def overhead(build, steps, runs):
    """Median milliseconds a step; `build(count)` builds the chain of `count`."""
    one, many = [], []
    build(steps)  # the base is unpacked, programs and pages are in memory
    for _ in range(runs):
        one.append(timed(build.command(1), env=build.env))
        many.append(timed(build.command(steps), env=build.env))
    return (statistics.median(many) - statistics.median(one)) / (steps - 1) * 1000


class Build:
    def __init__(self, program, context, platform, env=None):
        self.program, self.context, self.platform, self.env = program, context, platform, env

    def command(self, count):
        return [*self.program, "--no-cache", "--platform", self.platform, "-f",
                os.path.join(self.context, "Dockerfile.%d" % count), self.context]

    def __call__(self, count):
        timed(self.command(count), env=self.env)


def measure(options, directory, env, docker=None, base=""):
    for platform in PLATFORMS:
        ours = overhead(Build([options.slipway, "build"], directory, platform, env), options.steps, options.runs)
        line = "%-22s %6.1f ms a step" % (platform + base, ours)
        if docker:
            theirs = overhead(Build([*docker, "build", "--output", "type=cacheonly"], directory, platform),
                              options.steps, options.runs)
            line += "   docker %6.1f ms, %.1fx" % (theirs, theirs / ours)
        print(line, flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("slipway", nargs="?", default=os.path.join(HERE, "../../build/release/tools/slipway/slipway"))
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--docker", type=shlex.split)
    parser.add_argument("--debian", action="store_true", help="also on a Debian base, whose programs have twins")
    parser.add_argument("--base", default="busybox", help="for --docker: an image that the daemon has or can pull")
    parser.add_argument("--smoke", action="store_true", help="once and short; what comes out says nothing")
    options = parser.parse_args()
    tars = [os.path.join(CACHE, "busybox-%s.tar" % name) for name in PLATFORMS.values()]
    if options.smoke:
        options.runs, options.steps = 1, 3
        for need in (*tars, "/usr/bin/qemu-aarch64-static"):
            if not os.path.exists(need):
                print(need + " is missing", file=sys.stderr)
                sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as directory:
        env = dict(os.environ, SLIPWAY_ROOT=os.path.join(directory, "store"), SLIPWAY_PRIVATE_BINFMT="1")
        timed([options.slipway, "import", *tars, "--platform", ",".join(PLATFORMS), "-t", options.base], env=env)
        chains(directory, options.base, [1, options.steps])
        measure(options, directory, env, docker=options.docker)
        if options.debian:
            timed([options.slipway, "bootstrap", "debian", "--extract-only", "--platform", ",".join(PLATFORMS), "-t", DEBIAN], env=env)
            chains(directory, DEBIAN, [1, options.steps])
            measure(options, directory, env, base=" (Debian)")


main()
