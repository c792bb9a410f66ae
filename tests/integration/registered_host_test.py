"""Docker's defaults on a host that has registered an emulator, as most build machines have: the container cannot see the
table, and its foreign steps run by chroot all the same. For the time of the test it is this machine's own table."""
import os
import subprocess

import isolation_test
from harness import AMD64, ARM64, BOTH, SLIPWAY, main, need

# The table is the machine's, the mount that holds it (it is emptied with the last one) this process's: nothing stays.
HOST = """set -e
mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
"$1" --root "$2" qemu install linux/arm64
read finished || true
"""


class InContainerOfHostWithEmulators(isolation_test.InContainer):
    def setUp(self):
        super().setUp()
        need(os.environ.get("CI"), "it registers an emulator with this machine for some seconds: run it with CI=true")
        host = self.dir + "-host"
        self.addCleanup(subprocess.run, ["rm", "-rf", host], check=False)
        holder = subprocess.Popen(["unshare", "-m", "sh", "-c", HOST, "sh", SLIPWAY, host], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True)
        self.addCleanup(holder.communicate)
        said = holder.stdout.readline()
        need(" registered " in said, "this machine has a registration of its own: " + said)

    def environment(self, extra=None):
        return {**super().environment(extra), "SLIPWAY_PRIVATE_BINFMT": "0"}

    def test_same_image_as_outside(self):
        super().test_same_image_as_outside()
        self.build(self.context("FROM busybox\nRUN uname -m | tee /machine\n"), "--metadata-file", self.path("inside.json"),
                   platforms=BOTH)
        platforms = self.read_json(self.dir, "inside.json")["slipway"]["platforms"]
        self.assertEqual({AMD64: "chroot", ARM64: "chroot"}, {each["platform"]: each["isolation"] for each in platforms})
        self.assertEqual("emulated by the host's emulator", platforms[1]["mode"])

    def test_version_tells(self):
        self.assertIn("linux/arm64  emulated by the host's emulator\n", self.slipway("version").out)

    def test_list_tells(self):
        self.assertRegex(self.slipway("qemu", "ls").out, r"linux/arm64 +emulated +an unseen emulator +registered with this machine")

    def test_asked_for_oci_it_is_not_taken_for_one(self):
        self.import_busybox()
        result = self.build(self.context("FROM busybox\nRUN true\n"), "--isolation=oci", platforms=ARM64, expect=3)
        self.assertIn("refuses user namespaces", result.err)


if __name__ == "__main__":
    main()
