#!/usr/bin/env python3
"""Does accelerated emulation give the bytes that QEMU gives?

Each file in cases/ is a script. Every one runs in a foreign step of its own, twice: under --emulation=qemu, which
is what is right, and under the policy in question. The layers have to be equal: contents, modes, owners, links, extended
attributes and what the script said; times of files do not count. A script with the line "# alone" changes the system and
has a root of its own; the others follow each other in one.

    accel_conformance_test.py [CASE...]

The cases that compile are compared once more with the toolchain pack of examples/accel, which is built for that in Debian 13: there
it has compilers.

SLIPWAY_ACCEL_POLICY: the policy (default: accelerated if this slipway has it, else qemu, which tries the cases
themselves: what differs then is a case that does not give the same twice). SLIPWAY_ACCEL_PACK: a toolchain pack for it, in the
store. SLIPWAY_ACCEL_SUITE: the Debian that the cases run in (default: bookworm). SLIPWAY_ACCEL_PLATFORM: of which the steps are
(default: linux/arm64).
"""
import hashlib
import json
import os
import sys
import tarfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../integration"))
from harness import AMD64, ARM64, CACHE, SLIPWAY, SlipwayCase, main, need, need_platform, need_program, run  # noqa: E402

HERE = os.path.dirname(os.path.realpath(__file__))
SUITE = os.environ.get("SLIPWAY_ACCEL_SUITE", "bookworm")
PLATFORM = os.environ.get("SLIPWAY_ACCEL_PLATFORM", ARM64)
PACKAGES = ("gcc,libc6-dev,make,gawk,bc,procps,xz-utils,bzip2,zstd,file,attr,m4,patch,busybox-static,apt,bsdutils,debianutils,"
            "diffutils,dpkg,findutils,hostname,login,mawk,ncurses-base,ncurses-bin,passwd,perl,util-linux")
# Unpacked only: QEMU would need minutes for the maintainer scripts. What the cases want of these is done here.
PREPARE = """RUN ldconfig; ln -s mawk /usr/bin/awk; cp /usr/share/libc-bin/nsswitch.conf /etc/nsswitch.conf; \\
    touch /etc/shadow /etc/gshadow; mkdir -p /root /work /out; chmod 700 /root"""
# The base images are kept from run to run.
STORE = os.path.join(CACHE, "accel-conformance")


def base_of(suite):
    return "accel-conformance:" + hashlib.sha256((suite + PACKAGES + "extracted" + PLATFORM.removeprefix(ARM64)).encode()).hexdigest()[:12]


# A pack belongs to a suite; its one Dockerfile makes all of them. Made anew when that changes.
PACK_SUITE = "trixie"
PACK_SOURCES = os.path.join(HERE, "../../examples/accel/debian-bookworm-arm64")
COMPILING = ("compile_only", "toolchain", "toolchain_arguments")
# Some of what the cases start: without twins QEMU would have been compared with itself.
TWINS_TO_RUN = {"cat", "cp", "dash", "find", "grep", "ls", "make", "mawk", "sed", "sort", "tar", "xargs", "xz"}

RUNNER = """#!/bin/bash
# Runs one case: in a directory of its own, with $OUT for what is to be kept.
export OUT=/out/$1 HOME=/root LC_ALL=C.UTF-8
mkdir -p "$OUT" "/work/$1" && cd "/work/$1" || exit 1
"/cases/$1" > "$OUT/output" 2>&1 < /dev/null
echo "exit $?" >> "$OUT/output"
cd / && rm -rf "/work/$1"
cat "$OUT/output"
"""


class Case:
    def __init__(self, name):
        self.name = name
        with open(os.path.join(HERE, "cases", name)) as file:
            self.is_alone = "# alone\n" in file.readlines()[:2]


def default_policy():
    return "accelerated" if "accelerated" in run([SLIPWAY, "build", "--help"]) else "qemu"


POLICY = os.environ.get("SLIPWAY_ACCEL_POLICY") or default_policy()
# What runs when none is named; the test program's own arguments are unittest's.
NAMES = sorted(os.listdir(os.path.join(HERE, "cases")))


def is_directory(entry):
    return entry[0] == tarfile.DIRTYPE


def without_times(entries, directories):
    """The entries of a layer less the directories that have only another time than in `directories`, which are those of the layers
    below; this one's are added to them. A file that is made and goes leaves such a one, unless all was in one second."""
    changed = {path: entry for path, entry in entries.items() if not is_directory(entry) or directories.get(path) != entry}
    directories.update((path, entry) for path, entry in entries.items() if is_directory(entry))
    return changed


def layer_entries(path):
    """{path: everything of it but its times} of a layer; what a case said is there as it is."""
    entries = {}
    with tarfile.open(path) as tar:
        for member in tar:
            content = tar.extractfile(member).read() if member.isreg() else b""
            is_output = member.name.startswith("out/") and member.name.endswith("/output")
            content = content.decode(errors="backslashreplace") if is_output else hashlib.sha256(content).hexdigest()
            attributes = {key: value for key, value in member.pax_headers.items() if key.startswith("SCHILY.xattr.")}
            entries[member.name] = (member.type, oct(member.mode), member.uid, member.gid, member.size, member.linkname,
                                    (member.devmajor, member.devminor), attributes, content)
    return entries


class AcceleratedConformance(SlipwayCase):
    def setUp(self):
        super().setUp()
        need_platform(PLATFORM)
        self.root = STORE
        self.base_layers = {}
        self.twins_that_ran = set()

    def has_image(self, ref):
        return ref.split(":")[1] in self.slipway("images", expect=None).out

    def prepare_base(self, suite=SUITE):
        base = base_of(suite)
        if not self.has_image(base):
            need_program("mmdebstrap")
            os.makedirs(STORE, exist_ok=True)
            self.slipway("bootstrap", "debian", "--suite", suite, "--platform", AMD64 + "," + PLATFORM, "--extract-only", "--include", PACKAGES, "-t", base)
        return base

    def prepare_pack(self):
        """The reference of the pack, which slipway builds as the comments of its Dockerfile say."""
        sources = "".join(self.read(PACK_SOURCES, name) for name in sorted(os.listdir(PACK_SOURCES)))
        pack = "accel/debian-%s-arm64:%s" % (PACK_SUITE, hashlib.sha256(sources.encode()).hexdigest()[:12])
        if not self.has_image(pack):
            self.slipway("bootstrap", "debian", "--suite", PACK_SUITE, "--platform", AMD64, "-t", "debian:" + PACK_SUITE)
            self.build(PACK_SOURCES, "--build-arg", "BASE=debian:" + PACK_SUITE, "-t", pack, platforms=AMD64)
        return pack

    def write_context(self, cases, base):
        lines = ["FROM %s AS base" % base, PREPARE, "COPY --chmod=755 runner /runner", "COPY --chmod=755 cases /cases", "FROM base AS shared"]
        lines += ["RUN /runner " + case.name for case in cases if not case.is_alone]
        for case in cases:
            if case.is_alone:
                lines += ["FROM base AS alone-" + case.name.replace("_", "-"), "RUN /runner " + case.name]
        files = {"runner": RUNNER}
        for case in cases:
            files["cases/" + case.name] = self.read(HERE, "cases", case.name)
        return self.context("\n".join(lines) + "\n", files)

    def layers(self, context, policy, target, count, pack=os.environ.get("SLIPWAY_ACCEL_PACK")):
        """The last `count` layers of a target, one a case."""
        out = self.path("%s-%s" % (policy.replace("=", "-"), target))
        options = ["--emulation", policy]
        if policy != "qemu" and pack:
            options += ["--accel-pack", pack]
        self.build(context, "--no-cache", *options, "--target", target, "--progress", "plain",
                   "--metadata-file", self.path("metadata.json"), "-o", "type=oci,tar=false,dest=" + out, platforms=PLATFORM)
        self.twins_that_ran.update(os.path.basename(use["program"]) for use in self.twins())
        manifest, _ = self.layout_image(out, PLATFORM)
        layers = [layer["digest"] for layer in manifest["layers"]]
        directories = {}
        for digest in layers[:-count]:
            if digest not in self.base_layers:
                self.base_layers[digest] = layer_entries(self.blob_path(out, digest))
            without_times(self.base_layers[digest], directories)
        return [without_times(layer_entries(self.blob_path(out, digest)), directories) for digest in layers[-count:]]

    def test_layers_are_those_of_qemu(self):
        names = os.environ.get("SLIPWAY_ACCEL_CASES", "").split() or NAMES
        cases = [Case(name) for name in names]
        context = self.write_context(cases, self.prepare_base())
        targets = {"shared": [case for case in cases if not case.is_alone]}
        targets.update({"alone-" + case.name.replace("_", "-"): [case] for case in cases if case.is_alone})
        # Two directories even if the policies are the same.
        seconds = {}
        found = {}
        for turn, policy in (("right", "qemu"), ("tried", POLICY)):
            began = time.monotonic()
            for target, members in targets.items():
                if members:
                    for case, entries in zip(members, self.layers(context, policy, target, len(members))):
                        found[turn, case.name] = entries
                    run(["rm", "-rf", self.path("%s-%s" % (policy.replace("=", "-"), target))])
            seconds[turn] = time.monotonic() - began
            if turn == "right":
                self.assertFalse(self.twins_that_ran)
        for case in cases:
            with self.subTest(case=case.name):
                self.compare(found["right", case.name], found["tried", case.name])
        if POLICY == "accelerated" and names == NAMES:
            self.assertEqual(set(), TWINS_TO_RUN - self.twins_that_ran)
        print("%d cases ran for %s under %s and compared with qemu: %.0f s and %.0f s" % (
            len(cases), PLATFORM, POLICY, seconds["tried"], seconds["right"]), file=sys.stderr)

    def twins(self):
        return self.read_json(self.path("metadata.json"))["slipway"]["platforms"][0].get("twins", [])

    def verified_twins(self, base, *options):
        """The programs that twins stood in for, with how often, while examples/hello-c was built both ways."""
        example = os.path.join(HERE, "../../examples/hello-c")
        result = self.build(example, "--no-cache", "--emulation", "verify", "--build-arg", "BASE=" + base, "--build-arg", "SMALL=" + base,
                            "--progress", "plain", "--metadata-file", self.path("metadata.json"), *options, platforms=PLATFORM)
        self.assertIn("Hello from %s!" % PLATFORM.split("/")[1], result.err)
        return self.twins()

    def test_the_example_verifies(self):
        """What examples/hello-c builds is what QEMU alone would have built."""
        self.assertTrue(self.verified_twins(self.prepare_base()))

    def test_the_pack_of_the_examples_gives_the_bytes_of_qemu(self):
        need(PLATFORM == ARM64, "the pack is one for linux/arm64")
        base, pack = self.prepare_base(PACK_SUITE), self.prepare_pack()
        programs = {use["program"] for use in self.verified_twins(base, "--accel-pack", pack)}
        for name in ("/usr/bin/aarch64-linux-gnu-as", "/usr/libexec/gcc/aarch64-linux-gnu/14/cc1"):
            self.assertIn(name, programs)
        cases = [Case(name) for name in COMPILING]
        context = self.write_context(cases, base)
        right, tried = (self.layers(context, policy, "shared", len(cases), pack) for policy in ("qemu", "accelerated"))
        for case, *both in zip(cases, right, tried):
            with self.subTest(case=case.name):
                self.compare(*both)
        tools = {"aarch64-linux-gnu-" + name for name in ("gcc-14", "as", "ar", "nm", "ranlib", "ld.bfd")}
        self.assertEqual(set(), {"cc1", *tools} - self.twins_that_ran)

    def compare(self, right, tried):
        self.assertIn("output", "".join(right))  # or the case was not run
        different = sorted(path for path in {*right, *tried} if right.get(path) != tried.get(path))
        for path in different:  # in words first
            if path.endswith("/output") and path in right and path in tried:
                self.assertEqual(right[path][-1], tried[path][-1], path)
        self.assertFalse(different, json.dumps({path: [right.get(path), tried.get(path)] for path in different[:10]},
                                               indent=1, default=str))


if __name__ == "__main__":
    named = [word for word in sys.argv[1:] if word in NAMES]
    if named:
        os.environ["SLIPWAY_ACCEL_CASES"] = " ".join(named)
    sys.argv = [word for word in sys.argv if word not in NAMES]
    main()
