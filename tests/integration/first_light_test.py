"""The main job: one command builds a real Dockerfile for two architectures and pushes one index."""
import json
import os
import struct

from harness import AMD64, ARM64, BOTH, REPOSITORY, SlipwayCase, main, need_program, run

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


if __name__ == "__main__":
    main()
