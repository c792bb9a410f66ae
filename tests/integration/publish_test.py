"""What a failed push leaves: each tag as it was, and a message that says how far it came."""
import json
import os
import subprocess

from harness import AMD64, BOTH, SlipwayCase, main
from registry_proxy import Proxy

DENIED = 403, {}, json.dumps({"errors": [{"code": "DENIED", "message": "not this one"}]}).encode()
ONLY_AMD64_WORKS = "FROM busybox\nARG TARGETARCH\nRUN echo %s > /v && test $TARGETARCH = amd64\n"


class Publish(SlipwayCase):
    def setUp(self):
        super().setUp()
        self.backend = self.registry()
        self.import_busybox()

    def raw(self, name):
        """The bytes that a tag names in the registry, or None."""
        result = subprocess.run(["skopeo", "inspect", "--raw", "--tls-verify=false", "docker://%s/%s" % (self.backend.host, name)],
                                capture_output=True)
        if result.returncode != 0:
            self.assertIn(b"manifest unknown", result.stderr + result.stdout)
        return result.stdout or None

    def proxy(self, fault):
        proxy = Proxy(self.backend.host, fault)
        self.addCleanup(proxy.close)
        return proxy

    def test_failed_platform_makes_no_tag(self):
        name = self.backend.host + "/app:1"
        result = self.build(self.context(ONLY_AMD64_WORKS % 1), "-t", name, "--push", expect=1)
        self.assertIn("linux/arm64", result.err.split("ERROR: ", 1)[1])
        self.assertIsNone(self.raw_of_unknown("app:1"))
        self.assertNotIn("app:1", self.slipway("images").out)

    def raw_of_unknown(self, name):
        """As raw(), also where not even the repository is known."""
        listing = subprocess.run(["skopeo", "list-tags", "--tls-verify=false", "docker://%s/%s" % (self.backend.host, name.split(":")[0])],
                                 capture_output=True, text=True)
        if listing.returncode != 0 or name.split(":")[1] not in (json.loads(listing.stdout)["Tags"] or []):
            return None
        return self.raw(name)

    def test_failed_platform_does_not_move_the_tag(self):
        name = self.backend.host + "/app:1"
        self.build(self.context("FROM busybox\nRUN echo good > /v\n"), "-t", name, "--push")
        before = self.raw("app:1")
        self.assertIsNotNone(before)
        self.build(self.context(ONLY_AMD64_WORKS % 2), "-t", name, "--push", "--keep-going", expect=1)
        self.assertEqual(before, self.raw("app:1"))

    def test_second_tag_fails(self):
        proxy = self.proxy(lambda method, path: DENIED if method == "PUT" and path.endswith("/manifests/2") else None)
        first, second = proxy.host + "/app:1", proxy.host + "/app:2"
        result = self.build(self.context("FROM busybox\nRUN true\n"), "-t", first, "-t", second, "--push", expect=4)
        self.assertIn("tagging " + second, result.err)
        self.assertIn("already tagged: " + first, result.err)
        self.assertIn("not this one", result.err)
        self.assertIsNotNone(self.raw("app:1"))
        self.assertIsNone(self.raw("app:2"))

    def test_unreachable_registry(self):
        address = self.unused_address()
        result = self.build(self.context("FROM busybox\nRUN true\n"), "-t", address + "/app:1", "--push", expect=3)
        self.assertIn(address, result.err.split("ERROR: ", 1)[1])
        self.check_store()

    def test_push_with_an_image_in_the_store_as_well(self):
        name = self.backend.host + "/app:1"
        self.build(self.context("FROM busybox\nRUN true\n"), "-t", name, "-o", "type=image", "--push")
        self.assertIsNotNone(self.raw("app:1"))
        self.assertIn(name, self.slipway("images").out)

    def test_output_of_a_failed_push_is_not_half_written(self):
        """All outputs wait for all platforms: a layout beside the push is whole or not there."""
        layout = self.path("layout")
        self.build(self.context(ONLY_AMD64_WORKS % 3), "-t", self.backend.host + "/app:1", "--push",
                   "-o", "type=oci,tar=false,dest=" + layout, platforms=BOTH, expect=1)
        self.assertFalse(os.path.exists(layout))
        self.build(self.context("FROM busybox\n"), "-o", "type=oci,tar=false,dest=" + layout, platforms=AMD64)
        self.assertTrue(os.path.exists(layout))

if __name__ == "__main__":
    main()
