"""Registries that lie, refuse or break off: a small HTTP proxy before the real one puts the faults in."""
import hashlib
import http.client
import http.server
import json
import threading

from harness import AMD64, BOTH, SlipwayCase, main, run


class Proxy:
    """Hands requests to a real registry; `fault(method, path)` may answer instead: (status, headers, body) or None, or
    a function of the real body."""

    def __init__(self, backend, fault):
        proxy = self
        self.requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                proxy.requests.append((self.command, self.path))
                answer = fault(self.command, self.path)
                if isinstance(answer, tuple):
                    self.answer(*answer)
                    return
                connection = http.client.HTTPConnection(backend, timeout=60)
                headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "transfer-encoding")}
                connection.request(self.command, self.path, body=body, headers={**headers, "Host": self.headers["Host"]})
                response = connection.getresponse()
                data = response.read()
                connection.close()
                if callable(answer):
                    data = answer(data)
                self.answer(response.status, dict(response.getheaders()), data)

            def answer(self, status, headers, body):
                self.send_response(status)
                length = headers.pop("Content-Length", None)
                for key, value in headers.items():
                    if key.lower() not in ("connection", "transfer-encoding", "date"):
                        self.send_header(key, value)
                self.send_header("Content-Length", length if self.command == "HEAD" and length else str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = handle_one

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = "127.0.0.1:%d" % self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


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
        self.assertIn("sha256:", result.err)
        self.check_store(root=fresh)

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
