"""Registries that lie, refuse or break off."""
import hashlib
import re
import urllib.request

from harness import BOTH, SlipwayCase, main, run
from registry_proxy import Proxy


class RegistryFaults(SlipwayCase):
    def proxy(self, backend, fault):
        proxy = Proxy(backend, fault)
        self.addCleanup(proxy.close)
        return proxy

    def pushed_base(self):
        registry = self.registry()
        self.import_busybox(registry.host + "/base:1")
        self.slipway("build", "--platform", BOTH, "-t", registry.host + "/base:1", "--push",
                     self.context("FROM %s/base:1\n" % registry.host, name="base"))
        return registry

    def test_wrong_bytes_for_a_digest(self):
        registry = self.pushed_base()

        def lie(method, path):
            return (lambda data: data[:-1] + bytes([data[-1] ^ 1])) if method == "GET" and "/blobs/" in path else None

        proxy = self.proxy(registry.host, lie)
        fresh = self.path("fresh")
        result = self.slipway("build", self.context("FROM %s/base:1\nRUN true\n" % proxy.host), root=fresh, expect=3)
        error = result.err.split("ERROR: ", 1)[1]
        self.assertIn("with digest sha256:", error)
        self.assertIn("Dockerfile:1", result.err)
        # Both digests are told, the one asked for and the one that the bytes have.
        told = set(re.findall(r"sha256:[0-9a-f]{64}", error))
        asked = [path.split("/")[-1] for method, path in proxy.requests if method == "GET" and "/blobs/" in path]
        wrong = [digest for digest in told if digest in asked]
        self.assertEqual(1, len(wrong), result.err)
        self.assertIn(self.lie_digest(registry, wrong[0]), told)
        self.assertEqual(1, asked.count(wrong[0]), "wrong bytes must not be asked for again")
        self.check_store(root=fresh)

    @staticmethod
    def lie_digest(registry, digest):
        with urllib.request.urlopen("http://%s/v2/base/blobs/%s" % (registry.host, digest)) as answer:
            data = answer.read()
        return "sha256:" + hashlib.sha256(data[:-1] + bytes([data[-1] ^ 1])).hexdigest()

    def test_busy_registry_is_asked_again(self):
        registry = self.pushed_base()
        refused = []

        def busy(method, path):
            if len(refused) < 2 and "/manifests/" in path:
                refused.append(path)
                return 429, {"Retry-After": "0"}, b""
            return None

        proxy = self.proxy(registry.host, busy)
        self.slipway("build", self.context("FROM %s/base:1\nRUN true\n" % proxy.host), root=self.path("fresh"))
        self.assertEqual(2, len(refused))

    def test_tag_does_not_move_when_an_upload_fails(self):
        registry = self.registry()
        self.import_busybox()
        proxy = self.proxy(registry.host, lambda method, path: (403, {}, b'{"errors":[{"code":"DENIED","message":"no room for you"}]}')
                           if method in ("POST", "PUT") and "/second/" not in path and self.closed else None)
        self.closed = False
        name = proxy.host + "/app:1"
        self.build(self.context("FROM busybox\nRUN echo 1 > /v\n"), "-t", name, "--push")
        before = run(["skopeo", "inspect", "--raw", "--tls-verify=false", "docker://" + registry.host + "/app:1"])
        self.closed = True
        result = self.build(self.context("FROM busybox\nRUN echo 2 > /v\n"), "-t", name, "--push", expect=4)
        self.assertIn("no room for you", result.err)
        after = run(["skopeo", "inspect", "--raw", "--tls-verify=false", "docker://" + registry.host + "/app:1"])
        self.assertEqual(before, after)

    def test_manifests_come_before_the_index_and_the_index_before_the_tag(self):
        registry = self.registry()
        self.import_busybox()
        proxy = self.proxy(registry.host, lambda method, path: None)
        self.build(self.context("FROM busybox\nRUN true\n"), "-t", proxy.host + "/app:1", "-t", proxy.host + "/app:2", "--push")
        puts = [path for method, path in proxy.requests if method == "PUT" and "/manifests/" in path]
        self.assertEqual(["sha256", "sha256", "sha256", "1", "2"], [p.split("/")[-1].split(":")[0] for p in puts])
        last_blob = max(i for i, (m, p) in enumerate(proxy.requests) if "/blobs/" in p)
        index = [i for i, (m, p) in enumerate(proxy.requests) if m == "PUT" and p == puts[2]][0]
        self.assertLess(last_blob, index)

    def test_second_push_uploads_nothing(self):
        registry = self.registry()
        self.import_busybox()
        proxy = self.proxy(registry.host, lambda method, path: None)
        context = self.context("FROM busybox\nRUN true\n")
        self.build(context, "-t", proxy.host + "/app:1", "--push")
        proxy.requests.clear()
        self.build(context, "-t", proxy.host + "/app:1", "--push")
        self.assertEqual([], [r for r in proxy.requests if r[0] in ("POST", "PATCH")])


if __name__ == "__main__":
    main()
