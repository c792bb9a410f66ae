"""The main job: one command builds a real Dockerfile for two architectures and pushes one index."""
import json
import os
import shutil
import struct
import unittest

from harness import AMD64, ARM64, BOTH, REPOSITORY, SlipwayCase, main, need, need_program, run

HELLO = os.path.join(REPOSITORY, "examples", "hello-c")


class FirstLight(SlipwayCase):
    @classmethod
    def setUpClass(cls):
        need_program("mmdebstrap")
        need_program("qemu-aarch64-static")

    def bootstrap(self):
        self.slipway("bootstrap", "debian", "--platform", BOTH, "--extract-only", "--include", "gcc,libc6-dev",
                     "-t", "debian-gcc:bookworm")
        self.slipway("bootstrap", "debian", "--platform", BOTH, "--extract-only", "-t", "debian-small:bookworm")

    def elf_machine(self, path):
        with open(path, "rb") as file:
            header = file.read(20)
        self.assertEqual(b"\x7fELF", header[:4])
        return struct.unpack("<H", header[18:20])[0]

    def test_two_architectures_one_index(self):
        self.bootstrap()
        registry = self.registry()
        image = registry.host + "/demo/hello:1"
        first = self.build(HELLO, "-t", image, "--push", "--metadata-file", self.path("first.json"))
        self.assertIn("emulated by qemu-aarch64", first.err)

        with self.subTest("the registry holds one index with two manifests"):
            index = json.loads(run(["skopeo", "inspect", "--raw", "--tls-verify=false", "docker://" + image]))
            self.assertEqual("application/vnd.oci.image.index.v1+json", index["mediaType"])
            self.assertEqual([("amd64", "linux"), ("arm64", "linux")],
                             [(m["platform"]["architecture"], m["platform"]["os"]) for m in index["manifests"]])

        with self.subTest("a second run does no work and gives the same digests"):
            second = self.build(HELLO, "-t", image, "--push", "--metadata-file", self.path("second.json"))
            steps = [line for line in second.err.splitlines() if line.endswith(" CACHED")]
            self.assertEqual(13, len(steps), second.err)
            digests = [self.read_json(self.path(name))["containerimage.digest"] for name in ("first.json", "second.json")]
            self.assertEqual(digests[0], digests[1])

        with self.subTest("skopeo copies all of it"):
            run(["skopeo", "copy", "--all", "--src-tls-verify=false", "docker://" + image, "oci:%s:1" % self.path("copy")])

        for platform, machine in ((AMD64, 62), (ARM64, 183)):
            with self.subTest("the program is of its platform and runs", platform=platform):
                root = self.unpack(self.path("copy"), platform)
                hello = os.path.join(root, "usr/local/bin/hello")
                self.assertEqual(machine, self.elf_machine(hello))
                command = ["chroot", root, "/usr/local/bin/hello"] if platform == AMD64 else \
                    ["qemu-aarch64-static", "-L", root, hello]
                self.assertEqual("Hello from %s!\n" % platform.split("/")[1], run(command))

        with self.subTest("podman pulls the foreign platform"):
            need_program("podman")
            storage = ["--root", self.path("podman"), "--runroot", self.path("podman-run"), "--storage-driver", "vfs"]
            run(["podman", *storage, "pull", "--quiet", "--arch", "arm64", "--tls-verify=false", image])
            shown = json.loads(run(["podman", *storage, "inspect", image]))
            self.assertEqual("arm64", shown[0]["Architecture"])
        self.check_store()

    def test_outputs(self):
        self.import_busybox()
        context = self.context("FROM busybox\nRUN uname -m > /arch\nCOPY a /a\n", {"a": "text\n"})

        with self.subTest("without an output the image is in the store, under its name"):
            self.build(context, "-t", "local/app:2", "--iidfile", self.path("iid"))
            listed = self.slipway("images").out
            self.assertRegex(listed, r"local/app:2 +sha256:[0-9a-f]{12} +linux/amd64,linux/arm64 ")
            with open(self.path("iid")) as file:
                index = run(["skopeo", "inspect", "--raw", "oci:%s:docker.io/local/app:2" % self.root])
                self.assertEqual(file.read(), self.digest_of(index))

        with self.subTest("a directory and a tar hold the same image"):
            self.build(context, "-t", "app:1", "-o", "type=oci,tar=false,dest=" + self.path("layout"))
            self.build(context, "-t", "app:1", "-o", "type=oci,dest=" + self.path("image.tar"))
            os.mkdir(self.path("from-tar"))
            run(["tar", "-xf", self.path("image.tar"), "-C", self.path("from-tar")])
            run(["diff", "-r", self.path("layout"), self.path("from-tar")])
            self.assertEqual("x86_64\n", self.read(self.unpack(self.path("layout"), AMD64), "arch"))
            self.assertEqual("aarch64\n", self.read(self.unpack(self.path("layout"), ARM64), "arch"))

        with self.subTest("type=local gives the files"):
            self.build(context, "-o", self.path("files"))
            self.assertEqual("text\n", self.read(self.path("files"), "linux_arm64", "a"))

        with self.subTest("--quiet prints the image ID alone"):
            quiet = self.build(context, "-q", platforms=AMD64)
            self.assertRegex(quiet.out, r"^sha256:[0-9a-f]{64}\n$")
            self.assertEqual("", quiet.err)
        self.check_store()

    @staticmethod
    def digest_of(text):
        import hashlib
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


class Emulation(SlipwayCase):
    def test_six_platforms(self):
        platforms = "linux/amd64,linux/arm64,linux/arm/v7,linux/386,linux/ppc64le,linux/s390x"
        self.import_busybox(platforms=platforms)
        context = self.context("FROM busybox\nRUN uname -m > /arch && ls / | grep -q arch\n")
        self.build(context, "-o", self.path("out"), platforms=platforms)
        arches = {name: self.read(self.path("out", name, "arch")).strip() for name in os.listdir(self.path("out"))}
        # A 32-bit program on a 64-bit kernel of the same family is told the kernel's name.
        self.assertEqual({"linux_amd64": "x86_64", "linux_arm64": "aarch64", "linux_arm_v7": "armv7l",
                          "linux_386": arches["linux_386"], "linux_ppc64le": "ppc64le", "linux_s390x": "s390x"}, arches)

    def test_host_table_is_untouched(self):
        before = sorted(os.listdir("/proc/sys/fs/binfmt_misc"))
        self.import_busybox()
        self.build(self.context("FROM busybox\nRUN true\n"))
        self.assertEqual(before, sorted(os.listdir("/proc/sys/fs/binfmt_misc")))

    def test_never_refuses_before_anything_runs(self):
        self.import_busybox()
        result = self.build(self.context("FROM busybox\nRUN true\n"), "--emulation=never", expect=3)
        self.assertIn("linux/arm64", result.err)
        self.assertNotIn("RUN true\n#", result.err)


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


class Bootstrap(SlipwayCase):
    def test_configured_system_of_a_foreign_architecture(self):
        """Maintainer scripts run under our own QEMU: dpkg's database is filled, and the system works."""
        need_program("mmdebstrap")
        self.slipway("bootstrap", "debian", "--platform", ARM64, "-t", "debian:bookworm")
        context = self.context("FROM debian:bookworm\nRUN dpkg --print-architecture > /a && dpkg -s dash | grep Status >> /a\n")
        self.build(context, "-o", self.path("out"), platforms=ARM64)
        with open(self.path("out", "a")) as file:
            self.assertEqual("arm64\nStatus: install ok installed\n", file.read())


if __name__ == "__main__":
    main()
