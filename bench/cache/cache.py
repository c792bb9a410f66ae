#!/usr/bin/env python3
"""What a build costs of which everything, or nearly everything, is known already.

    cache.py [SLIPWAY] [--runs N] [--files N] [--docker COMMAND] [--smoke]

From the start of the process to its end, no daemon: a rebuild of two platforms that changed nothing, with and without an OCI layout
written, and a context of many files of which none or one has changed, alone and with an OCI layout. The median of the runs counts. `cold` is
the first build of it. `--docker "docker buildx"` builds the same with a daemon that is there. `--smoke` runs everything once and small, for tests.
"""
import argparse
import os
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
CACHE = os.environ.get("SLIPWAY_TEST_CACHE", "/var/cache/slipway-test")
PLATFORMS = {"linux/amd64": "amd64", "linux/arm64": "arm64"}
PER_DIRECTORY = 100
# Milliseconds: half, a quarter and a tenth of what BuildKit 0.32 takes with its daemon warm.
BOUNDS = {"no-op": 27, "no-op, OCI export": 37, "files unchanged": 250, "one file changed": 580}

TWO_PLATFORMS = """FROM busybox AS build
ARG TARGETARCH
COPY src /src
FROM build
COPY --from=build /src /app
ENV ARCH=$TARGETARCH
WORKDIR /work
COPY src/0 /work/zero
"""
MANY_FILES = "FROM busybox\nCOPY . /src\n"


class Timed:
    """Milliseconds of a command: of the clock, and of CPU."""

    def __init__(self, command, env):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.monotonic()
        result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env)
        self.clock = (time.monotonic() - start) * 1000
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.cpu = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000
        if result.returncode != 0:
            sys.exit("%s: exit %d\n%s" % (shlex.join(command), result.returncode, result.stderr))


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)


def many_files(directory, count):
    for i in range(count):
        write(os.path.join(directory, "d%d" % (i // PER_DIRECTORY), "f%d" % i), "file %d\n" % i * 8)


def age(directory):
    """As if all of it had been there for a while: what was changed just now is read again in any case."""
    for where, _, names in os.walk(directory):
        for name in names:
            os.utime(os.path.join(where, name), (1, 1))


class Bench:
    def __init__(self, options, directory):
        self.options, self.directory = options, directory
        self.env = dict(os.environ, SLIPWAY_ROOT=os.path.join(directory, "store"))

    def builds(self, context, platforms, output="type=cacheonly"):
        """{who: command}"""
        output = ["-o", output]
        ours = {"slipway": [self.options.slipway, "build", "--progress=none", "--platform", platforms, *output, context]}
        if self.options.docker:
            ours["docker"] = [*self.options.docker, "build", "--provenance=false", "--platform", platforms, *output, context]
        return ours

    def row(self, name, commands, before=lambda run: None):
        for who, command in commands.items():
            cold = Timed(command, self.env)
            Timed(command, self.env)
            runs = []
            for run in range(self.options.runs):
                before(run)
                runs.append(Timed(command, self.env))
            clock = statistics.median(run.clock for run in runs)
            cpu = statistics.median(run.cpu for run in runs)
            bound = "bound %d" % BOUNDS[name] if name in BOUNDS else "no bound"
            print("%-20s %-8s %7.1f ms (%s), %6.1f ms of CPU, cold %7.1f ms" %
                  (name, who, clock, bound, cpu, cold.clock), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("slipway", nargs="?", default=os.path.join(HERE, "../../build/release/tools/slipway/slipway"))
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--files", type=int, default=50000)
    parser.add_argument("--docker", type=shlex.split)
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    if options.smoke:
        options.runs, options.files = 1, 300
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as directory:
        bench = Bench(options, directory)
        tars = [os.path.join(CACHE, "busybox-%s.tar" % name) for name in PLATFORMS.values()]
        Timed([options.slipway, "import", *tars, "--platform", ",".join(PLATFORMS), "-t", "busybox"], bench.env)

        small = os.path.join(directory, "small")
        write(os.path.join(small, "Dockerfile"), TWO_PLATFORMS)
        for i in range(3):
            write(os.path.join(small, "src", str(i)), "text\n")
        age(small)
        both = ",".join(PLATFORMS)
        bench.row("no-op", bench.builds(small, both))
        bench.row("no-op, OCI export", bench.builds(small, both, "type=oci,dest=" + os.path.join(directory, "out.tar")))

        large = os.path.join(directory, "large")
        write(os.path.join(large, "Dockerfile"), MANY_FILES)
        many_files(large, options.files)
        time.sleep(0 if options.smoke else 3)  # files that were made just now are read again in any case
        amd64 = bench.builds(large, "linux/amd64")
        bench.row("files unchanged", amd64)
        image = bench.builds(large, "linux/amd64", "type=oci,dest=" + os.path.join(directory, "large.tar"))
        changed = os.path.join(large, "d1", "f%d" % PER_DIRECTORY)
        for name, commands in (("one file changed", amd64), ("the same, OCI export", image)):
            bench.row(name, commands, lambda run: write(changed, "%s %d\n" % (name, run)))


main()
