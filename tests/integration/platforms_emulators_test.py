"""Which emulator runs: the order of the search, emulators that are none, policies, an image of emulators, slipway qemu."""
import json
import os
import shutil
import subprocess
import tarfile

from harness import AMD64, ARM64, BOTH, CACHE, SLIPWAY, SlipwayCase, main, need, need_program, private_binfmt, run

QEMU = "/usr/bin/qemu-aarch64-static"
RUN = "FROM busybox\nRUN uname -m > /machine\n"


class Emulators(SlipwayCase):
    def setUp(self):
        super().setUp()
        need(os.path.exists(QEMU), QEMU + " is missing")
        need(private_binfmt(), "no private binfmt table")

    def own(self, bytes=None, name="qemu-aarch64-static", mode=0o755):
        """A directory with one file, which is this or the machine's emulator."""
        directory = self.path("own")
        os.makedirs(directory, exist_ok=True)
        path = os.path.join(directory, name)
        if bytes is None:
            shutil.copy(QEMU, path)
        else:
            with open(path, "wb") as file:
                file.write(bytes)
        os.chmod(path, mode)
        return directory

    def build_arm64(self, *args, **options):
        self.import_busybox()
        return self.build(self.context(RUN), *args, platforms=ARM64, **options)


class Search(Emulators):
    def test_fall_back_is_told_once_with_its_price(self):
        self.import_busybox()
        result = self.build(self.context(RUN + "RUN true\nRUN ls\n"), "--progress=plain")
        self.assertEqual(1, result.err.count("WARNING: linux/arm64 is emulated by qemu-aarch64 "), result.err)
        self.assertRegex(result.err, r"(steps that compute|programs without a native twin) to take about \d+ times as long")
        self.assertNotIn("linux/amd64 is emulated", result.err)

    def test_metadata_names_the_emulator(self):
        self.build_arm64("--metadata-file", self.path("meta.json"))
        mode = self.read_json(self.path("meta.json"))["slipway"]["platforms"][0]["mode"]
        self.assertRegex(mode, r"^emulated by qemu-aarch64 \d+\.\d+")

    def test_broken_emulators_are_passed_over_with_the_reason(self):
        with open(QEMU, "rb") as file:
            start = file.read(1 << 20)
        foreign = self.read_bytes(os.path.join(os.environ.get("SLIPWAY_TEST_CACHE", "/var/cache/slipway-test"),
                                               "arm64/busybox"))
        self.import_busybox()
        context = self.context(RUN)
        for bytes, mode, why in ((b"", 0o755, "is an empty file"),
                                 (b"#!/bin/sh\necho qemu version 9\n", 0o755, "is no program but a script or data"),
                                 (foreign, 0o755, "is a program for another machine than this linux/amd64"),
                                 (start, 0o755, "does not run"),
                                 (b"x", 0o644, "is not executable")):
            with self.subTest(why=why):
                result = self.build(context, "--no-cache", "--progress=plain", "--qemu-dir", self.own(bytes, mode=mode),
                                    platforms=ARM64)
                self.assertIn("linux/arm64: passed over %s/qemu-aarch64-static %s" % (self.path("own"), why), result.err)

    def read_bytes(self, path):
        need(os.path.exists(path), path + " is missing: run tests/support/test_bases.sh")
        with open(path, "rb") as file:
            return file.read()

    def test_emulator_of_another_target_fails_its_test(self):
        directory = self.own()
        os.rename(os.path.join(directory, "qemu-aarch64-static"), os.path.join(directory, "qemu-s390x-static"))
        result = self.slipway("qemu", "test", "--qemu-dir", directory, "linux/s390x")
        self.assertRegex(result.out, r"linux/s390x  passed over: .*/own/qemu-s390x-static [0-9.]+ does not run a small program")

    def test_first_use_is_tested_and_remembered(self):
        self.build_arm64()
        known = self.read_json(self.root, "emulators", "known.json")["selfTests"]
        self.assertEqual([""], list(known.values()))
        before = os.stat(os.path.join(self.root, "emulators", "known.json")).st_mtime_ns
        self.build_arm64("--no-cache")
        self.assertEqual(before, os.stat(os.path.join(self.root, "emulators", "known.json")).st_mtime_ns)

    def test_flag_goes_before_the_variable(self):
        for name in ("flag", "first", "second"):
            os.mkdir(self.path(name))
            shutil.copy(QEMU, self.path(name))
        env = {"SLIPWAY_QEMU_DIR": "%s:%s" % (self.path("first"), self.path("second"))}
        for flags, taken in ((["--qemu-dir", self.path("flag")], "flag"), ([], "first")):
            shown = json.loads(self.slipway("qemu", "ls", "--json", *flags, "linux/arm64", env=env).out)
            self.assertEqual(self.path(taken, "qemu-aarch64-static"), shown["emulator"])

    def test_damaged_records_are_made_anew(self):
        self.build_arm64()
        self.write("store/emulators/known.json", '{"selfTests": 3, "slowdowns": [')
        self.build_arm64("--no-cache")
        self.assertEqual(1, len(self.read_json(self.root, "emulators", "known.json")["selfTests"]))

    def build_without_private_table(self, isolation, before=""):
        """As on a kernel that allows no user namespaces."""
        script = ('%s "$0" import %s --platform linux/arm64 -t busybox && echo 0 > /proc/sys/user/max_user_namespaces; '
                  '"$0" build --progress=plain --isolation=%s --platform linux/arm64 "$1"; echo "exit $?" >&2'
                  % (before, os.path.join(CACHE, "busybox-arm64.tar"), isolation))
        return subprocess.run(["unshare", "-Urm", "sh", "-c", script, SLIPWAY, self.context(RUN)],
                              env={**self.environment(), "SLIPWAY_ROOT": self.root}, capture_output=True, text=True, timeout=60).stderr

    def test_kernel_that_gives_no_private_table(self):
        """What has to be said of it is one sentence, and what to do."""
        said = self.build_without_private_table("oci")
        self.assertIn("ERROR: cannot set up emulation: the kernel refuses a user namespace", said)
        self.assertIn("hint: register QEMU on the host with flag F", said)
        self.assertIn("exit 3", said)

    def test_proot_is_named_where_there_is_no_private_table_and_does(self):
        need_program("proot")
        self.assertIn("(--isolation=proot)", self.build_without_private_table("oci"))
        hidden = self.build_without_private_table("oci", "mount --bind /dev/null %s;" % shutil.which("proot"))
        self.assertIn("(--isolation=proot, after apt-get install proot)", hidden)
        done = self.build_without_private_table("proot")
        self.assertRegex(done, r"RUN uname -m > /machine\n(#.*\n)*#\d+ DONE")
        self.assertIn("exit 0", done)

    def test_directory_that_is_none_is_a_usage_error(self):
        result = self.build_arm64("--qemu-dir", self.path("none"), expect=2)
        self.assertIn("--qemu-dir: %s is not a directory" % self.path("none"), result.err)


class Image(Emulators):
    """The machine's own emulators are hidden: a PATH without them and a /usr/bin that has none, in a mount namespace."""

    def start(self, *args, env=None, root=None, **options):
        hide = "for f in /usr/bin/qemu-*-static; do mount --bind /dev/null $f; done; exec \"$@\""
        return subprocess.Popen(["unshare", "-m", "sh", "-c", hide, "sh", SLIPWAY, *args], cwd=self.dir, env=self.environment(env),
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                errors="replace")

    def make_image(self, place, name="tools/qemu"):
        tar = self.path("qemu.tar")
        with tarfile.open(tar, "w") as archive:
            archive.add(QEMU, place)
        self.slipway("import", tar, "--platform", AMD64, "-t", name)

    def test_emulators_come_from_an_image(self):
        need(os.geteuid() == 0, "only root can hide the machine's emulators")
        for place in ("usr/bin/qemu-aarch64", "qemu-aarch64-static"):  # tonistiigi/binfmt, multiarch/qemu-user-static
            with self.subTest(place=place):
                self.make_image(place)
                self.build_arm64("--no-cache", "--qemu-image", "tools/qemu", "-o", self.path("out"))
                self.assertEqual("aarch64", self.read(self.path("out", "machine")).strip())
        kept = [name for name in os.listdir(os.path.join(self.root, "emulators")) if "." not in name and name != "accelerated"]
        self.assertEqual(2, len(kept), kept)
        shown = json.loads(self.slipway("qemu", "ls", "--json", "linux/arm64", env={"SLIPWAY_QEMU_IMAGE": "tools/qemu"}).out)
        self.assertEqual("image tools/qemu", shown["from"])

    def test_image_without_emulators(self):
        need(os.geteuid() == 0, "only root can hide the machine's emulators")
        self.make_image("usr/bin/other")
        result = self.build_arm64("--qemu-image", "tools/qemu", expect=3)
        self.assertIn("the image of emulators tools/qemu: there is no qemu-ARCHITECTURE", result.err)

    def test_none_anywhere(self):
        need(os.geteuid() == 0, "only root can hide the machine's emulators")
        result = self.build_arm64(expect=3)
        self.assertIn("no emulator for linux/arm64 on this machine", result.err)
        self.assertIn("apt-get install qemu-user-static", result.err)


class Policies(Emulators):
    def test_platforms_have_their_own(self):
        self.import_busybox(platforms=BOTH + ",linux/s390x")
        context = self.context(RUN)
        result = self.build(context, "--emulation=linux/arm64=never", platforms=ARM64 + ",linux/s390x", expect=3)
        self.assertIn("programs of linux/arm64 need an emulator here", result.err)
        self.build(context, "--emulation=linux/arm64=never", platforms="linux/s390x")
        result = self.build(context, "--no-cache", "--emulation", "never,linux/s390x=qemu", "--progress=plain", platforms="linux/s390x")
        self.assertNotIn("WARNING: linux/s390x is emulated", result.err)  # it was asked for

    def test_platform_that_cannot_be_run_keeps_no_other_from_going_on(self):
        self.import_busybox()
        context = self.context("FROM busybox\nRUN echo on-$(uname -m)\nRUN true\n")
        result = self.build(context, "--keep-going", "--emulation=linux/arm64=never", "--progress=plain", expect=3)
        self.assertRegex(result.err, r"#\d+ [0-9.]+ on-x86_64\n")
        self.assertRegex(result.err, r"\[linux/amd64\] assembling the image\n")
        self.assertEqual(1, result.err.split("ERROR: ")[-1].count("programs of linux/arm64 need an emulator here"), result.err)

    def test_386_can_be_emulated(self):
        need(os.path.exists("/usr/bin/qemu-i386-static"), "qemu-i386-static is missing")
        self.import_busybox(platforms="linux/386")
        result = self.build(self.context(RUN), "--emulation=linux/386=qemu", "--progress=plain", "-o", self.path("out"),
                            platforms="linux/386")
        self.assertIn("emulated by qemu-i386", result.err)
        self.assertRegex(self.read(self.path("out", "machine")), "^i[3-6]86$")

    def test_bad_policy(self):
        result = self.build_arm64("--emulation=linux/arm64=nver", expect=2)
        self.assertIn("expected auto, accelerated, qemu, verify or never, or PLATFORM=POLICY", result.err)


class Commands(Emulators):
    def test_ls_names_what_runs(self):
        table = self.slipway("qemu", "ls").out
        self.assertRegex(table, r"(?m)^linux/amd64 +natively +this machine's own$")
        self.assertRegex(table, r"(?m)^linux/arm64 +emulated +/usr/bin/qemu-aarch64-static +[0-9.]+ +this machine's packages +not yet +[0-9.]+x \(usual\)$")
        self.assertRegex(table, r"(?m)^linux/386 +natively +this CPU and kernel run it$")
        self.slipway("qemu", "test", "linux/arm64")
        self.slipway("qemu", "bench", "linux/arm64")
        shown = json.loads(self.slipway("qemu", "ls", "--json", "linux/arm64").out)
        self.assertEqual(("ok", True), (shown["selfTest"], shown["measured"]))
        self.assertGreater(shown["slowdown"], 1)

    def test_install_and_uninstall(self):
        """In a user namespace with a table of its own: the machine's is never touched."""
        script = """mount -t binfmt_misc none /proc/sys/fs/binfmt_misc || exit 77
                    "$0" qemu install linux/arm64 linux/amd64 && "$0" qemu install linux/arm64
                    cat /proc/sys/fs/binfmt_misc/slipway-aarch64
                    "$0" qemu uninstall all; "$0" qemu uninstall all; ls /proc/sys/fs/binfmt_misc"""
        out = run(["unshare", "-Urm", "sh", "-c", script, SLIPWAY], env=self.environment())
        self.assertRegex(out, r"linux/arm64  registered /usr/bin/qemu-aarch64-static [0-9.]+\n"
                              r"linux/amd64  runs natively: nothing to register\n"
                              r"linux/arm64  is registered already: .*\nenabled\n")
        self.assertIn("flags: PF\n", out)
        self.assertTrue(out.endswith("linux/arm64  removed\nnothing of slipway's was registered\nregister\nstatus\n"), out)

    def test_a_table_of_the_steps_own_goes_before_what_is_registered(self):
        """For what is registered knows of no native twins."""
        self.import_busybox()
        script = """mount -t binfmt_misc none /proc/sys/fs/binfmt_misc || exit 77
                    "$0" qemu install linux/arm64 && "$0" qemu ls linux/arm64"""
        out = run(["unshare", "-Urm", "sh", "-c", script, SLIPWAY],
                  env={**self.environment(), "SLIPWAY_PRIVATE_BINFMT": "0", "SLIPWAY_ROOT": self.path("other")})
        self.assertRegex(out, "(?m)^linux/arm64 +emulated .* this machine's packages ")

    def test_install_says_what_is_missing(self):
        hidden = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /proc/sys/fs/binfmt_misc && "$0" qemu install all', SLIPWAY]
        need(os.geteuid() == 0, "only root can hide the table")
        result = subprocess.run(hidden, env=self.environment(), capture_output=True, text=True)
        self.assertEqual(3, result.returncode, result.stderr)
        self.assertIn("binfmt_misc is not mounted at /proc/sys/fs/binfmt_misc", result.stderr)
        self.assertIn("name the platforms", self.slipway("qemu", "install", expect=2).err)


if __name__ == "__main__":
    main()
