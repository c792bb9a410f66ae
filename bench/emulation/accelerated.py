#!/usr/bin/env python3
"""What a step costs natively, with native twins, and under QEMU alone: native : accelerated : QEMU in one run.

    accelerated.py --base IMAGE [SLIPWAY] [--pack REF]... [--only NAME,...] [--runs N] [--qemu-runs N] [--quick]

IMAGE is a Debian with gcc, make and bash for linux/amd64 and --platform, in the store that SLIPWAY_ROOT names. Each figure is of one
RUN of `slipway build --no-cache`, taken inside by bash's `time`: the CPU of all its processes, and the clock. Runs take turns, so that a
noisy machine hits all alike; medians count. What the steps leave in /out is compared, file by file. --qemu-runs 0 spares the minutes of QEMU.

  compile    gcc -O2 -c of SQLite in one file (libdbd-sqlite3-perl's), 257,000 lines
  shell      300 x `echo abc | sed s/a/b/ | grep -q b`
  lua        make -j2 of lua5.4
  autotools  ./configure && make && make install of gzip
  steps      a chain of 10 x `RUN true`, the whole of slipway: milliseconds a step, nothing to do with bash's time

Sources are Debian's, by apt-get source from the mirror of /etc/apt, kept in --sources. --quick needs none: it compiles a generated file, 20
rounds of the shell loop, and steps, once each; without --base in the image that tests/accel_conformance made, and if that is not there it exits
with 77.
"""
import argparse
import glob
import hashlib
import os
import random
import re
import resource
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
SKIPPED = 77
MODES = ("native", "accelerated", "qemu")

MEASURE = """#!/bin/bash
# measure SCRIPT: runs it with /out to leave results in, and says what it took.
mkdir -p /out && cd /bench
TIMEFORMAT='BENCH %R %U %S'
time sh "$1" > /bench/log 2>&1 || { tail -n 20 /bench/log; exit 1; }
"""
SHELL = "i=0; while [ $i -lt %d ]; do echo abc | sed s/a/b/ | grep -q b; i=$((i+1)); done\n"
SCRIPTS = {
    "compile": "set -e; gcc -O2 -c $(ls */sqlite3.c generated.c 2>/dev/null) -o /out/it.o\n",
    "shell": SHELL % 300,
    "lua": "set -e; cd lua-*/src; make -j2 CC=gcc MYCFLAGS=-O2 generic; cp *.o *.a lua luac /out/\n",
    "autotools": "set -e; cd gzip-*; ./configure --prefix=/out; make; make install\n",
}
SOURCES = {"compile": "libdbd-sqlite3-perl", "lua": "lua5.4", "autotools": "gzip"}
NAMES = (*SCRIPTS, "steps")


def run(command, **options):
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, **options)
    if result.returncode != 0:
        sys.exit("%s: exit %d\n%s%s" % (shlex.join(command), result.returncode, result.stdout[-2000:], result.stderr[-4000:]))
    return result.stdout + result.stderr


def children_cpu():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def fetch(package, directory):
    """The upstream archive of a Debian source package, by apt-get with lists of its own."""
    found = glob.glob(os.path.join(directory, package + "_*.orig.tar.?z"))
    if found:
        return found[0]
    apt = os.path.join(directory, "apt")
    for name in ("lists/partial", "cache/archives/partial"):
        os.makedirs(os.path.join(apt, name), exist_ok=True)
    with open(os.path.join(apt, "sources.list"), "w") as file:
        file.write("deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian trixie main\n")
    options = ["Dir::Etc::SourceList=%s/sources.list" % apt, "Dir::Etc::SourceParts=/dev/null", "Dir::State::Lists=%s/lists" % apt,
               "Dir::Cache=%s/cache" % apt, "Dir::State::status=/dev/null", "APT::Sandbox::User=root", "Acquire::Languages=none"]
    options = [word for option in options for word in ("-o", option)]
    run(["apt-get", *options, "update"])
    run(["apt-get", *options, "source", "--only-source", "--tar-only", "--download-only", package], cwd=directory)
    return glob.glob(os.path.join(directory, package + "_*.orig.tar.?z"))[0]


def generated_c(functions=20):
    """C that keeps an optimiser busy; the same each time."""
    pick = random.Random(1)
    out = ["int g[64];"]
    for f in range(functions):
        out.append("int f%d(int a, int b) { int s = %d, i;" % (f, pick.randrange(1000)))
        for _ in range(6):
            out.append("  for (i = 0; i < a; i++) { g[(i * %d + s) & 63] += b ^ (s %s %d); if (s & %d) s -= g[i & 63]; else s += i * b; }"
                       % (pick.randrange(99), pick.choice("+-*"), pick.randrange(1, 99), 1 << pick.randrange(9)))
        out.append("  return s%s; }" % (" + f%d(b, s & 7)" % pick.randrange(f) if f else ""))
    return "\n".join(out) + "\n"


def conformance_base(slipway):
    """The Debian that tests/accel_conformance keeps for linux/amd64 and linux/arm64; its store becomes this program's."""
    store = os.path.join(os.environ.get("SLIPWAY_TEST_CACHE", "/var/cache/slipway-test"), "accel-conformance")
    if os.path.isdir(store):
        os.environ["SLIPWAY_ROOT"] = store
        found = re.search(r"^accel-conformance:\w+", run([slipway, "images"]), re.MULTILINE)
        if found:
            return found.group()
    print("tests/accel_conformance has made no base image here: skipped")
    sys.exit(SKIPPED)


class Bench:
    def __init__(self, options, directory):
        self.options, self.directory = options, directory
        self.env = dict(os.environ, SLIPWAY_PRIVATE_BINFMT="1", SOURCE_DATE_EPOCH="0")

    def command(self, mode, *arguments):
        platform = "linux/amd64" if mode == "native" else self.options.platform
        policy = "qemu" if mode == "qemu" else "auto"
        packs = [word for pack in self.options.pack for word in ("--accel-pack", pack)]
        return [self.options.slipway, "build", "--no-cache", "--progress", "plain", "--platform", platform, "--emulation", policy,
                *packs, *arguments]

    def context(self, name):
        """A directory with the Dockerfile of one workload."""
        context = os.path.join(self.directory, name)
        os.makedirs(context)
        lines = ["FROM %s AS work" % self.options.base, "COPY measure script /bench/"]
        if self.options.quick and name == "compile":
            self.write(context, "generated.c", generated_c())
            lines.append("COPY generated.c /bench/")
        elif name in SOURCES:
            shutil.copy(fetch(SOURCES[name], self.options.sources), context)
            lines.append("ADD %s_* /bench/" % SOURCES[name])
        self.write(context, "measure", MEASURE)
        self.write(context, "script", SHELL % 20 if self.options.quick and name == "shell" else SCRIPTS[name])
        lines += ['RUN ["bash", "/bench/measure", "/bench/script"]', "FROM scratch", "COPY --from=work /out /"]
        self.write(context, "Dockerfile", "\n".join(lines) + "\n")
        return context

    @staticmethod
    def write(context, name, text):
        with open(os.path.join(context, name), "w") as file:
            file.write(text)

    def once(self, context, mode):
        """(CPU seconds, seconds, {path: digest}) of the RUN."""
        out = os.path.join(self.directory, "out")
        text = run(self.command(mode, "-o", "type=local,dest=" + out, context), env=self.env)
        wall, user, system = map(float, re.search(r"BENCH (\S+) (\S+) (\S+)", text).groups())
        tree = {}
        for directory, _, files in os.walk(out):
            for file in files:
                path = os.path.join(directory, file)
                content = os.readlink(path).encode() if os.path.islink(path) else open(path, "rb").read()
                tree[os.path.relpath(path, out)] = (os.lstat(path).st_mode, hashlib.sha256(content).hexdigest())
        shutil.rmtree(out)
        return user + system, wall, tree

    def workload(self, name):
        context = self.context(name)
        took, trees = {mode: [] for mode in MODES}, {}
        for turn in range(self.options.runs):
            for mode in MODES:
                if mode == "qemu" and turn >= self.options.qemu_runs:
                    continue
                cpu, wall, tree = self.once(context, mode)
                took[mode].append((cpu, wall))
                if trees.setdefault(mode, tree) != tree:
                    sys.exit("%s (%s) left different files from run to run" % (name, mode))
        if "qemu" not in trees:
            return self.show(name, took, "not compared")
        if trees["accelerated"] != trees["qemu"]:
            different = [path for path in trees["qemu"] if trees["accelerated"].get(path) != trees["qemu"][path]]
            sys.exit("%s: accelerated and QEMU left different files: %s" % (name, ", ".join(different[:10])))
        return self.show(name, took, "%d equal" % len(trees["qemu"]) if trees["qemu"] else "-")

    @staticmethod
    def show(name, took, files):
        cpu, wall = ([statistics.median(t[i] for t in took[mode]) for mode in MODES if took[mode]] for i in (0, 1))
        print("| %s | %s | %s | 1 : %s | %s | %s |" % (
            name, " / ".join("%.2f" % v for v in cpu), " / ".join("%.2f" % v for v in wall),
            " : ".join("%.2f" % (v / cpu[0]) for v in cpu[1:]), "%.1fx" % (cpu[2] / cpu[1]) if len(cpu) > 2 else "-", files), flush=True)

    def steps(self, count=10):
        """A step that does nothing: (chain of count - chain of 1) / (count - 1)."""
        for length in (1, count):
            self.write(self.directory, "Dockerfile.%d" % length,
                       "FROM %s\n" % self.options.base + "".join("RUN true %d\n" % i for i in range(length)))
        took = {}
        for _ in range(self.options.runs):
            for mode in MODES:
                for length in (1, count):
                    began, before = time.monotonic(), children_cpu()
                    run(self.command(mode, "-f", os.path.join(self.directory, "Dockerfile.%d" % length), self.directory), env=self.env)
                    took.setdefault((mode, length), []).append((children_cpu() - before, time.monotonic() - began))
        cpu, wall = ([(statistics.median(t[i] for t in took[mode, count]) - statistics.median(t[i] for t in took[mode, 1])) /
                      (count - 1) * 1000 for mode in MODES] for i in (0, 1))
        print("| steps, ms each | %s | %s | 1 : %.2f : %.1f | %.1fx | - |" % (
            " / ".join("%.1f" % v for v in cpu), " / ".join("%.1f" % v for v in wall), cpu[1] / cpu[0], cpu[2] / cpu[0], cpu[2] / cpu[1]),
            flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("slipway", nargs="?", default=os.path.join(HERE, "../../build/release/tools/slipway/slipway"))
    parser.add_argument("--base")
    parser.add_argument("--pack", action="append", default=[])
    parser.add_argument("--platform", default="linux/arm64")
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(NAMES))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--qemu-runs", type=int, default=1)
    parser.add_argument("--sources", default=os.path.join(os.path.expanduser("~"), ".cache/slipway-bench"))
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.quick:
        options.runs = options.qemu_runs = 1
        options.only = [name for name in options.only if name not in ("lua", "autotools")]
        if not options.base:
            options.base = conformance_base(options.slipway)
    elif not options.base:
        parser.error("--base is missing")
    os.makedirs(options.sources, exist_ok=True)
    print("%s, %s, load %s" % (options.base, time.strftime("%Y-%m-%d %H:%M"), " ".join("%.1f" % v for v in os.getloadavg())))
    print("| step | CPU s: native / accelerated / QEMU | seconds | CPU, times native | QEMU : accelerated | files |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as directory:
        bench = Bench(options, directory)
        for name in options.only:
            bench.steps() if name == "steps" else bench.workload(name)
    print("load %s" % " ".join("%.1f" % v for v in os.getloadavg()))


main()
