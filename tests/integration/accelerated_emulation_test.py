"""Accelerated emulation of whole builds: a right twin, a wrong one that verify finds, and what people are told when there is none."""
import hashlib
import io
import os
import platform
import tarfile

from harness import AMD64, ARM64, BOTH, CACHE, SlipwayCase, main, need, private_binfmt

VERSION = "1-made-up"
LIBRARIES = "/lib/x86_64-linux-gnu/"
TWO_LINES = "FROM pair\nRUN printf 'one\\ntwo\\n' > /lines && /usr/bin/cat /lines > /out\n"


class AcceleratedEmulation(SlipwayCase):
    """Base images with a dpkg database that says: /usr/bin/cat is of one version in both. arm64's is a busybox."""

    def setUp(self):
        super().setUp()
        need(private_binfmt(), "no private binfmt table")
        need(platform.machine() == "x86_64" and os.path.exists(LIBRARIES + "libc.so.6"), "twins here are of Debian's amd64")

    def tar(self, name, port, packages, links=()):
        """busybox with these {package: {path: bytes}} installed."""
        status, path = "", self.path(name + ".tar")
        with tarfile.open(os.path.join(CACHE, "busybox-%s.tar" % port)) as base, tarfile.open(path, "w") as out:
            for member in base:
                out.addfile(member, base.extractfile(member) if member.isreg() else None)

            def add(where, content, mode=0o644):
                member = tarfile.TarInfo(where.lstrip("/"))
                member.size, member.mode = len(content), mode
                out.addfile(member, io.BytesIO(content))

            for package, files in packages.items():
                status += ("Package: %s\nStatus: install ok installed\nArchitecture: %s\nVersion: %s\n"
                           "Description: made up\n\n" % (package, port, VERSION))
                for where, content in files.items():
                    add(where, content, 0o755)
                stem = "/var/lib/dpkg/info/%s." % package
                add(stem + "list", "".join("%s\n" % where for where in files).encode())
                add(stem + "md5sums", "".join("%s  %s\n" % (hashlib.md5(content).hexdigest(), where.lstrip("/"))
                                              for where, content in files.items()).encode())
            add("/var/lib/dpkg/status", status.encode())
            for where, to in links:
                member = tarfile.TarInfo(where.lstrip("/"))
                member.type, member.linkname = tarfile.SYMTYPE, to
                out.addfile(member)
        return path

    def import_pair(self, twin="/usr/bin/cat", libraries=("libc.so.6", "ld-linux-x86-64.so.2"), host=AMD64):
        """`twin`: this machine's program that is called /usr/bin/cat in the amd64 image."""
        for port in ("amd64", "arm64"):
            need(os.path.exists(os.path.join(CACHE, "busybox-%s.tar" % port)), "no busybox for " + port)
        # A static one has its loader's directories in it, and what names its machine has no twin.
        foreign = self.read_bytes(CACHE, "arm64/busybox").replace(b"aarch64", b"machine")
        arm64 = self.tar("arm64", "arm64", {"coreutils": {"/usr/bin/cat": foreign}, "libc6": {}})
        amd64 = self.tar("amd64", "amd64",
                         {"coreutils": {"/usr/bin/cat": self.read_bytes(twin)},
                          "libc6": {LIBRARIES + name: self.read_bytes(LIBRARIES + name) for name in libraries}},
                         [("/lib64/ld-linux-x86-64.so.2", LIBRARIES + "ld-linux-x86-64.so.2")])
        if host:
            self.slipway("import", amd64, arm64, "--platform", BOTH, "-t", "pair")
        else:
            self.slipway("import", arm64, "--platform", ARM64, "-t", "pair")

    @staticmethod
    def read_bytes(*parts):
        with open(os.path.join(*parts), "rb") as file:
            return file.read()

    def build_by(self, policy, *args, dockerfile=TWO_LINES, **options):
        return self.build(self.context(dockerfile), "--no-cache", "--progress", "plain", "--emulation", policy, *args,
                          "--metadata-file", self.path("meta.json"), platforms=ARM64, **options)

    def twins(self):
        platforms = self.read_json(self.path("meta.json"))["slipway"]["platforms"]
        return [(twin["program"], twin["version"], twin["count"]) for twin in platforms[0].get("twins", [])]

    def test_right_twin_runs_and_is_verified(self):
        self.import_pair()
        self.build_by("accelerated")
        self.assertEqual([("/usr/bin/cat", VERSION, 1)], self.twins())
        self.build_by("verify")
        self.assertEqual([("/usr/bin/cat", VERSION, 1)], self.twins())
        self.build_by("qemu")
        self.assertEqual([], self.twins())

    def test_verify_finds_a_twin_that_writes_something_else(self):
        self.import_pair(twin="/usr/bin/tac")
        result = self.build_by("verify", expect=3)
        self.assertIn("the step gave other results with native twins than without: /out (content)", result.err)
        self.assertIn("--emulation=qemu", result.err)

    def test_verify_finds_a_twin_that_ends_otherwise(self):
        self.import_pair(twin="/usr/bin/false")
        result = self.build_by("verify", expect=3, dockerfile="FROM pair\nRUN /usr/bin/cat /dev/null\n")
        self.assertIn("exit codes 1 and 0", result.err)

    def test_verified_step_that_fails_both_ways_fails_as_ever(self):
        self.import_pair()
        result = self.build_by("verify", expect=1, dockerfile="FROM pair\nRUN /usr/bin/cat /dev/null; exit 7\n")
        self.assertIn("did not complete successfully: exit code: 7", result.err)

    def test_program_that_the_step_replaced_is_the_emulators(self):
        self.import_pair(twin="/usr/bin/tac")
        self.build_by("verify", dockerfile="FROM pair\nRUN cp /usr/bin/cat /cat && mv /cat /usr/bin/cat && "
                                           "printf '1\\n2\\n' > /lines && /usr/bin/cat /lines > /out\n")

    def test_twin_without_its_library_is_none(self):
        self.import_pair(libraries=("ld-linux-x86-64.so.2",))
        result = self.build_by("accelerated", expect=3)
        self.assertIn("nothing of linux/arm64 can be accelerated in this step: ", result.err)
        self.assertIn("/usr/bin/cat: twin: its library libc.so.6 is missing", result.err)
        self.build_by("auto")
        self.assertEqual([], self.twins())

    def test_image_of_one_platform_has_no_twins(self):
        self.import_pair(host=None)
        result = self.build_by("accelerated", expect=3)
        self.assertIn("its base image has no linux/amd64 counterpart", result.err)
        self.assertIn("--emulation=auto", result.err)
        self.build_by("auto")
        self.build_by("verify")

    def test_pack_that_cannot_be_had_or_is_none_is_an_error(self):
        self.import_pair()
        result = self.build_by("auto", "--accel-pack", "pair", expect=1)
        self.assertIn("toolchain pack pair:latest: there is no /usr/share/slipway/accel.json in it", result.err)


if __name__ == "__main__":
    main()
