"""Many platforms in one build: emulation, what they share, and builds side by side."""
import os
import threading

from harness import ARM64, SlipwayCase, main, step_lines


class Emulation(SlipwayCase):
    def test_six_platforms(self):
        platforms = "linux/amd64,linux/arm64,linux/arm/v7,linux/386,linux/ppc64le,linux/s390x"
        self.import_busybox(platforms=platforms)
        context = self.context("FROM busybox\nRUN uname -m > /arch && ls / | grep -q arch\n")
        self.build(context, "-o", self.path("out"), platforms=platforms)
        arches = {name: self.read(self.path("out", name, "arch")).strip() for name in os.listdir(self.path("out"))}
        # A 32-bit program on a 64-bit kernel of the same family is told the kernel's name.
        self.assertEqual({"linux_amd64": "x86_64", "linux_arm64": "aarch64", "linux_arm_v7": "armv7l",
                          "linux_386": "x86_64", "linux_ppc64le": "ppc64le", "linux_s390x": "s390x"}, arches)

    def test_host_table_is_untouched(self):
        before = sorted(os.listdir("/proc/sys/fs/binfmt_misc"))
        self.import_busybox()
        self.build(self.context("FROM busybox\nRUN true\n"))
        self.assertEqual(before, sorted(os.listdir("/proc/sys/fs/binfmt_misc")))

    def test_never_refuses_before_anything_runs(self):
        self.import_busybox()
        result = self.build(self.context("FROM busybox\nRUN true\n"), "--emulation=never", expect=3)
        self.assertIn("linux/arm64", result.err)
        self.assertEqual({}, step_lines(result.err))


class Sharing(SlipwayCase):
    def test_build_platform_stage_runs_once(self):
        self.import_busybox()
        context = self.context("FROM --platform=$BUILDPLATFORM busybox AS tools\nRUN echo once >> /made; date +%N > /when\n"
                               "FROM busybox\nCOPY --from=tools /made /when /\n")
        result = self.build(context, "-o", self.path("out"))
        self.assertEqual(1, result.err.count("RUN echo once"), result.err)
        whens = [self.read(self.path("out", d, "when")) for d in ("linux_amd64", "linux_arm64")]
        self.assertEqual(whens[0], whens[1])

    def test_unused_stages_do_not_run(self):
        self.import_busybox()
        context = self.context("FROM busybox AS unused\nRUN exit 1\nFROM busybox AS used\nRUN true\n")
        self.build(context)
        self.build(context, "--target", "unused", expect=1)

    def test_two_builds_at_once_share_one_store(self):
        self.import_busybox()
        both = threading.Barrier(2)
        gate = self.gate(lambda: both.wait(60))
        builds = []
        for name in ("left", "right"):
            # The two share a step; then each waits until the other one has come as far.
            context = self.context("FROM busybox\nRUN echo shared > /shared\nRUN wget -q -O - http://%s/\nRUN echo %s > /name\n"
                                   % (gate.host, name), name=name)
            builds.append(self.start("build", "--platform", ARM64, "--no-cache", "-t", name, "-o", "type=image",
                                     "-o", self.path("out-" + name), context))
        for build in builds:
            _, err = build.communicate(timeout=120)
            self.assertEqual(0, build.returncode, err)
        listed = self.slipway("images").out
        for name in ("left", "right"):
            self.assertEqual(name + "\n", self.read(self.path("out-" + name), "name"))
            self.assertIn(name + ":latest", listed)
        self.check_store()


if __name__ == "__main__":
    main()
