"""Base images without a registry: bootstrap and import, and their way into one."""
import json
import os

from harness import AMD64, ARM64, BOTH, CACHE, SlipwayCase, main, need_platform, need_program, run


class Bootstrap(SlipwayCase):
    def test_configured_system_of_a_foreign_architecture(self):
        """Maintainer scripts run under our own QEMU: dpkg's database is filled, and the system works."""
        need_program("mmdebstrap")
        need_platform(ARM64)
        self.slipway("bootstrap", "debian", "--platform", ARM64, "-t", "debian:bookworm")
        context = self.context("FROM debian:bookworm\nRUN dpkg --print-architecture > /a && dpkg -s dash | grep Status >> /a\n")
        self.build(context, "-o", self.path("out"), platforms=ARM64)
        with open(self.path("out", "a")) as file:
            self.assertEqual("arm64\nStatus: install ok installed\n", file.read())

    def test_extracted_tree_goes_to_a_registry(self):
        need_program("mmdebstrap")
        registry = self.registry()
        name = registry.host + "/debian:bookworm"
        self.slipway("bootstrap", "debian", "--platform", AMD64, "--extract-only", "-t", name, "--push")
        context = self.context("FROM %s\nRUN . /etc/os-release && echo $VERSION_CODENAME > /suite\n" % name)
        other = self.path("other-store")
        self.build(context, "-o", self.path("out"), platforms=AMD64, root=other)  # it has to pull
        self.assertEqual("bookworm\n", self.read(self.path("out"), "suite"))
        self.check_store(root=other)


class Import(SlipwayCase):
    @staticmethod
    def tar(arch):
        return os.path.join(CACHE, "busybox-%s.tar" % arch)

    def platforms_of(self, image):
        index = json.loads(run(["skopeo", "inspect", "--raw", "--tls-verify=false", "docker://" + image]))
        return sorted(m["platform"]["architecture"] for m in index["manifests"])

    def test_append_keeps_the_other_platforms(self):
        self.import_busybox(platforms=AMD64)
        self.slipway("import", "--append", self.tar("arm64"), "--platform", ARM64, "-t", "busybox")
        self.assertRegex(self.slipway("images").out, r"busybox:latest +sha256:\S+ +linux/(amd64,linux/arm64|arm64,linux/amd64) ")
        context = self.context("FROM busybox\nRUN uname -m > /arch\n")
        self.build(context, "-o", self.path("out"))
        self.assertEqual("x86_64\n", self.read(self.path("out", "linux_amd64"), "arch"))
        self.assertEqual("aarch64\n", self.read(self.path("out", "linux_arm64"), "arch"))

    def test_append_replaces_the_same_platform(self):
        self.import_busybox()
        self.slipway("import", "--append", self.tar("i386"), "--platform", AMD64, "-t", "busybox")
        self.build(self.context("FROM busybox\nCOPY --from=busybox /bin/busybox /copy\n"), "-o", self.path("out"), platforms=AMD64)
        with open(self.path("out", "copy"), "rb") as copy, open(os.path.join(CACHE, "i386", "busybox"), "rb") as original:
            self.assertEqual(original.read(), copy.read())

    def test_without_append_the_name_is_made_anew(self):
        self.import_busybox()
        self.import_busybox(platforms=ARM64)
        self.assertRegex(self.slipway("images").out, r"busybox:latest +sha256:\S+ +linux/arm64 ")

    def test_push(self):
        registry = self.registry()
        name = registry.host + "/base/busybox:1"
        self.slipway("import", self.tar("amd64"), self.tar("arm64"), "--platform", BOTH, "-t", name, "--push")
        self.assertEqual(["amd64", "arm64"], self.platforms_of(name))

    def test_append_and_push_send_what_the_name_has_already(self):
        registry = self.registry()
        name = registry.host + "/base/busybox:1"
        self.slipway("import", self.tar("amd64"), "--platform", AMD64, "-t", name)
        self.slipway("import", "--append", self.tar("arm64"), "--platform", ARM64, "-t", name, "--push")
        self.assertEqual(["amd64", "arm64"], self.platforms_of(name))
        other = self.path("other-store")
        self.build(self.context("FROM %s\nRUN true\n" % name), root=other)

    def test_failed_push_names_nothing(self):
        name = "%s/busybox:1" % self.unused_address()
        result = self.slipway("import", self.tar("amd64"), "--platform", AMD64, "-t", name, "--push", expect=3)
        self.assertIn(name.split("/")[0], result.err)
        self.assertNotIn(name, self.slipway("images").out)
        self.check_store()


if __name__ == "__main__":
    main()
