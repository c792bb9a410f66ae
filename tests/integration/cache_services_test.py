"""Caches in S3 and in the cache service of GitHub Actions."""
import http.server
import os
import re
import sys

from caching import TwoStages
from harness import AMD64, ARM64, BOTH, main
from loopback import LoopbackServer

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import gha_server  # noqa: E402
import s3_server  # noqa: E402


class CacheServices(TwoStages):
    def s3(self):
        """What an S3 server holds, how it is named, and the environment that opens it."""
        objects = s3_server.S3Objects()
        server = LoopbackServer(objects.handler())
        self.addCleanup(server.close)
        spec = "type=s3,bucket=%s,region=%s,endpoint_url=%s,prefix=a b/,name=app" % (s3_server.BUCKET, s3_server.REGION, server.url)
        return objects, spec, {"AWS_ACCESS_KEY_ID": s3_server.ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": s3_server.SECRET_KEY}

    def test_s3(self):
        objects, spec, keys = self.s3()
        self.run_build(self.steps(), "--cache-to", spec + ",mode=max", env=keys, root=self.machine())
        self.assertEqual([], objects.refusals)
        self.assertIn("/bucket/a b/manifests/app", objects.objects)
        objects.requests.clear()
        result = self.run_build(self.steps(), "--cache-from", spec, "-t", self.backend.host + "/app-s3:1", env=keys,
                                root=self.machine())
        self.assertEqual([], self.ran(result), result)
        out = self.path("out")
        self.run_build(self.steps(), "--cache-from", spec, "-o", out, env=keys, root=self.machine())
        self.assertEqual("built\nhello\n", self.read(out, "built"))
        refused = self.run_build(self.steps(), "--cache-from", spec, env={**keys, "AWS_SECRET_ACCESS_KEY": "wrong"},
                                 root=self.machine())
        self.assertEqual(1, refused.err.count("going on without it"), refused)
        self.assertNotIn("wrong", refused.err)

    def test_a_large_layer_goes_into_s3_in_parts(self):
        """As S3 takes no more than 5 GiB in one piece, and a cut connection is to cost a part and not the layer."""
        objects, spec, keys = self.s3()
        busy = [lambda path: "partNumber=2" in path]
        objects.fault = lambda command, path: 503 if busy and busy[0](path) and busy.pop() else None
        context = self.context("FROM %s\nCOPY large /\n" % self.base, {})
        large = os.urandom(70 << 20)
        with open(os.path.join(context, "large"), "wb") as file:
            file.write(large)
        self.run_build(context, "--cache-to", spec, env=keys, root=self.machine())
        self.assertEqual(([], {}), (objects.refusals, objects.uploads))
        parts = [path for command, path in objects.requests if command == "PUT" and "partNumber=" in path]
        self.assertEqual(["1", "2", "2"], [re.search(r"partNumber=(\d+)", part)[1] for part in parts], "one was busy")
        out = self.path("out")
        result = self.run_build(context, "--cache-from", spec, "-o", out, env=keys, root=self.machine())
        self.assertEqual([], self.ran(result), result)
        with open(os.path.join(out, "large"), "rb") as file:
            self.assertEqual(large, file.read())

    def test_parts_of_a_failed_upload_are_not_left_in_s3(self):
        objects, spec, keys = self.s3()
        objects.fault = lambda command, path: 400 if "partNumber=2" in path else None
        context = self.context("FROM %s\nCOPY large /\n" % self.base, {})
        with open(os.path.join(context, "large"), "wb") as file:
            file.write(os.urandom(70 << 20))
        result = self.run_build(context, "--cache-to", spec, env=keys, root=self.machine(), expect=3)
        self.assertIn("the S3 server answered 400 Fault", result.err)
        self.assertEqual({}, objects.uploads)
        self.assertIn("DELETE", {command for command, _ in objects.requests})

    def test_two_writers_of_one_s3_cache(self):
        _, spec, keys = self.s3()
        context = self.context("FROM %s\nCOPY input /\n" % self.base, {"input": "x"})
        writers = [self.start("build", "--platform", platform, "--cache-to", spec, context, env=keys, root=self.machine())
                   for platform in (AMD64, ARM64)]
        for writer in writers:
            _, err = writer.communicate(timeout=300)
            self.assertEqual(0, writer.returncode, err)
        result = self.run_build(context, "--cache-from", spec, platforms=BOTH, env=keys, root=self.machine())
        self.assertEqual([], self.ran(result), result)

    def gha(self):
        """GitHub's cache service, and the environment of a run for a branch."""
        service = gha_server.CacheService()
        server = LoopbackServer(service.handler())
        self.addCleanup(server.close)
        return service, self.run_of(server.url, ("refs/heads/work", 3), ("refs/heads/main", 1))

    @staticmethod
    def run_of(url, *scopes):
        return {"ACTIONS_RUNTIME_TOKEN": gha_server.token(*scopes), "ACTIONS_RESULTS_URL": url + "/",
                "ACTIONS_CACHE_SERVICE_V2": "True"}

    def test_gha(self):
        service, run_ = self.gha()
        service.busy = 3
        self.run_build(self.steps(), "--cache-to", "type=gha,mode=max", env=run_, root=self.machine())
        self.assertEqual([], service.problems)
        keys = service.keys()
        self.assertRegex(keys[-1], r"^index-buildkit-1-[0-9a-f]{8}#1$")
        self.assertTrue(all(key.startswith("buildkit-blob-1-sha256:") for key in keys[:-1]), keys)
        service.requests.clear()
        result = self.run_build(self.steps(), "--cache-from", "type=gha", "--cache-to", "type=gha,mode=max", env=run_,
                                root=self.machine())
        self.assertEqual([], self.ran(result), result)
        self.assertEqual(keys, service.keys())
        self.assertFalse(any("Create" in path for _, path in service.requests), service.requests)
        out = self.path("out")
        self.run_build(self.steps(), "--cache-from", "type=gha", "-o", out, env=run_, root=self.machine())
        self.assertEqual("built\nhello\n", self.read(out, "built"))
        other = self.run_build(self.steps(), "--cache-from", "type=gha,scope=other", env=run_, root=self.machine())
        self.assertIn("the cache other of GitHub Actions is not there (yet); going on without it", other.err)

    def test_gha_of_the_default_branch_serves_others(self):
        _, run_ = self.gha()
        url = run_["ACTIONS_RESULTS_URL"].rstrip("/")
        self.run_build(self.steps(), "--cache-to", "type=gha", env=self.run_of(url, ("refs/heads/main", 3)), root=self.machine())
        fork = self.run_of(url, ("refs/pull/1/merge", 1), ("refs/heads/main", 1))
        result = self.run_build(self.steps(), "--cache-from", "type=gha", "--cache-to", "type=gha,ignore-error=true", env=fork,
                                root=self.machine())
        self.assertEqual([], self.ran(result), result)
        self.assertIn("the token of this run may only read", result.err)

    def test_gha_version_1(self):
        service, run_ = self.gha()
        old = {"ACTIONS_RUNTIME_TOKEN": run_["ACTIONS_RUNTIME_TOKEN"], "ACTIONS_CACHE_URL": run_["ACTIONS_RESULTS_URL"]}
        self.run_build(self.steps(), "--cache-to", "type=gha,mode=max", env=old, root=self.machine())
        self.assertFalse(any(path.startswith(gha_server.SERVICE) for _, path in service.requests), service.requests)
        result = self.run_build(self.steps(), "--cache-from", "type=gha", env=old, root=self.machine())
        self.assertEqual([], self.ran(result), result)
        self.assertEqual([], service.problems)

    def test_two_writers_of_one_gha_cache(self):
        service, run_ = self.gha()
        context = self.context("FROM %s\nCOPY input /\n" % self.base, {"input": "x"})
        writers = [self.start("build", "--platform", platform, "--cache-to", "type=gha", context, env=run_, root=self.machine())
                   for platform in (AMD64, ARM64)]
        for writer in writers:
            _, err = writer.communicate(timeout=300)
            self.assertEqual(0, writer.returncode, err)
        result = self.run_build(context, "--cache-from", "type=gha", platforms=BOTH, env=run_, root=self.machine())
        self.assertEqual([], self.ran(result), result)
        self.assertEqual([], service.problems)

    def test_gha_that_cannot_be_used(self):
        def answers(status, body):
            class Handler(http.server.BaseHTTPRequestHandler):
                def do_POST(self):
                    self.rfile.read(int(self.headers["Content-Length"]))
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
            server = LoopbackServer(Handler)
            self.addCleanup(server.close)
            return self.run_of(server.url, ("refs/heads/work", 3))

        self.unusable("type=gha,timeout=0s", "the cache service answered 503", env=answers(503, b"<html>"))
        self.unusable("type=gha", "the cache service's answer", env=answers(200, b"<html>"))
        lacking = self.run_build(self.steps(), "--cache-from", "type=gha", root=self.machine(), expect=2)
        self.assertIn("ACTIONS_RUNTIME_TOKEN", lacking.err)
        self.assertIn("core.exportVariable", lacking.err)


if __name__ == "__main__":
    main()
