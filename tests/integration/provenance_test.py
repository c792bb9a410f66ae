"""Provenance of whole builds: where it is put, what it says, and that others read what carries it."""
import http.server
import json
import os
import subprocess

from harness import AMD64, ARM64, main, need_program, run
from loopback import LoopbackServer
from paired_images import PairedImages

DOCKERFILE = """FROM pair
ARG WORD
RUN --mount=type=secret,id=key printf 'one\\n' > /lines && /usr/bin/cat /lines /lines > /out && /usr/bin/cat /out > /more
"""
SLSA = "https://slsa.dev/provenance/v1"


class Provenance(PairedImages):
    def predicates(self, layout):
        """{platform: (statement, descriptor of the image)} of the index in an OCI layout, and the number of its entries."""
        index = self.blob(layout, self.read_json(layout, "index.json")["manifests"][0]["digest"])
        images = {entry["digest"]: entry for entry in index["manifests"] if entry["platform"]["os"] != "unknown"}
        found = {}
        for entry in index["manifests"]:
            if entry["digest"] in images:
                continue
            self.assertEqual({"architecture": "unknown", "os": "unknown"}, entry["platform"])
            self.assertEqual("attestation-manifest", entry["annotations"]["vnd.docker.reference.type"])
            image = images[entry["annotations"]["vnd.docker.reference.digest"]]
            layer, = self.blob(layout, entry["digest"])["layers"]
            self.assertEqual(("application/vnd.in-toto+json", SLSA), (layer["mediaType"], layer["annotations"]["in-toto.io/predicate-type"]))
            found["linux/" + image["platform"]["architecture"]] = self.blob(layout, layer["digest"]), image
        return found, len(index["manifests"])

    def raw(self, name):
        return run(["skopeo", "inspect", "--raw", "--tls-verify=false", "docker://" + name])

    def extension(self, predicate):
        return predicate["runDetails"]["metadata"]["slipway_platform"]

    def test_pushed_image_lists_the_twins_that_ran(self):
        self.import_pair()
        registry = self.registry()
        name, copy = registry.host + "/app:1", self.path("copy")
        self.write("key", "s3cr3t-word")
        context = self.context(DOCKERFILE)
        self.build(context, "--no-cache", "--emulation", "accelerated", "--secret", "id=key,src=" + self.path("key"), "--provenance",
                   "--build-arg", "WORD=shown", "-t", name, "--push", "--cache-to", "type=inline", "--metadata-file", self.path("meta.json"))
        run(["skopeo", "copy", "--quiet", "--all", "--src-tls-verify=false", "docker://" + name, "oci:%s:1" % copy])
        meta, (statements, entries) = self.read_json(self.path("meta.json")), self.predicates(copy)
        self.assertEqual((4, {AMD64, ARM64}), (entries, set(statements)))
        for summary in meta["slipway"]["platforms"]:
            statement, image = statements[summary["platform"]]
            self.assertEqual([{"name": "pkg:docker/%s/app@1?platform=%s" % (registry.host.replace(":", "%3A"), summary["platform"].replace("/", "%2F")),
                               "digest": {"sha256": summary["digest"].split(":")[1]}}], statement["subject"])
            self.assertEqual(summary["digest"], image["digest"])
            said = self.extension(statement["predicate"])
            self.assertEqual((summary["mode"], summary["isolation"], summary.get("twins", [])), (said["mode"], said["isolation"], said["twins"]))
            self.assertEqual(said, self.extension(meta["buildx.build.provenance/" + summary["platform"]]))
        twins = self.extension(statements[ARM64][0]["predicate"])["twins"]
        self.assertEqual([("/usr/bin/cat", "coreutils", 2)], [(twin["program"], twin["package"], twin["count"]) for twin in twins])
        self.assertEqual([], self.extension(statements[AMD64][0]["predicate"])["twins"])

        with self.subTest("the images that twins are of are among what was read"):
            read = {platform: [entry["uri"] for entry in statement["predicate"]["buildDefinition"]["resolvedDependencies"]]
                    for platform, (statement, _) in statements.items()}
            pair = ["pkg:docker/pair@latest?platform=linux%2F" + architecture for architecture in ("amd64", "arm64")]
            self.assertEqual({AMD64: pair[:1], ARM64: pair}, read)

        with self.subTest("arguments are in it, secrets' values are not"):
            request = statements[ARM64][0]["predicate"]["buildDefinition"]["externalParameters"]["request"]
            self.assertEqual(("shown", [{"id": "key", "optional": True}]), (request["args"]["build-arg:WORD"], request["secrets"]))
            self.assertNotIn("s3cr3t-word", json.dumps(list(statements.values())) + json.dumps(meta))
            self.assertNotIn("shown", json.dumps(meta))

        with self.subTest("without the flag there is none, and the platforms are the same"):
            self.build(context, "--build-arg", "WORD=shown", "-t", registry.host + "/app:2", "--push", "--cache-to", "type=inline")
            plain = json.loads(self.raw(registry.host + "/app:2"))["manifests"]
            self.assertEqual(json.loads(self.raw(name))["manifests"][:2], plain)

        with self.subTest("another store builds on it and takes its steps from it"):
            self.root = self.path("second")
            self.build(self.context("FROM %s\nRUN /usr/bin/cat /out\n" % name, name="on-top"))
            self.root = self.path("third")
            self.import_pair()
            again = self.build(context, "--build-arg", "WORD=shown", "--cache-from", name, "--progress", "plain", "--metadata-file", self.path("again.json"))
            self.assertIn("CACHED", again.err)
            self.assertEqual({"cached"}, {platform["mode"] for platform in self.read_json(self.path("again.json"))["slipway"]["platforms"]})

    def test_files_metadata_and_the_store(self):
        self.import_pair()
        context = self.context("FROM scratch\nCOPY a /\n", {"a": "text"})
        metadata = ["--metadata-file", self.path("meta.json")]

        with self.subTest("type=local"):
            self.build(context, "--attest", "type=provenance,version=v0.2,mode=min", "-o", self.path("files"), *metadata)
            for platform in ("linux_amd64", "linux_arm64"):
                statement = self.read_json(self.path("files", platform), "provenance.json")
                self.assertEqual(["a"], [subject["name"] for subject in statement["subject"]])
                self.assertEqual("https://slsa.dev/provenance/v0.2", statement["predicateType"])
            self.build(context, "-o", self.path("plain"), platforms=AMD64)
            self.assertEqual(["a"], os.listdir(self.path("plain")))

        with self.subTest("the metadata has it unless it is refused"):
            keys = lambda: [key for key in self.read_json(self.path("meta.json")) if key.startswith("buildx.build.provenance")]
            self.build(context, *metadata, platforms=AMD64)
            self.assertEqual(["buildx.build.provenance"], keys())
            self.build(context, "--provenance=false", *metadata)
            self.assertEqual([], keys())
            self.build(context, *metadata, env={"BUILDX_METADATA_PROVENANCE": "disabled"})
            self.assertEqual([], keys())
            self.build(context, *metadata, env={"BUILDX_METADATA_PROVENANCE": "max"}, platforms=AMD64)
            self.assertIn("llbDefinition", self.read(self.path("meta.json")))

        with self.subTest("the store lists and keeps an image that carries it"):
            self.build(context, "--provenance=mode=max", "-t", "local/app:1")
            self.assertRegex(self.slipway("images").out, r"local/app:1 +sha256:[0-9a-f]{12} +linux/amd64,linux/arm64 ")
            self.slipway("prune", "--force", "--all")
            self.check_store()
            self.build(self.context("FROM local/app:1\nCOPY b /\n", {"b": "b"}, name="on-top"))

        with self.subTest("an SBOM is refused"):
            refused = self.build(context, "--attest=type=sbom", expect=2)
            self.assertIn("slipway makes no SBOMs", refused.err)
            self.assertIn("syft", refused.err)

    def test_what_was_read_is_named_with_its_digest(self):
        need_program("git")

        class Files(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", "4")
                self.end_headers()
                self.wfile.write(b"text")

        server = LoopbackServer(Files)
        self.addCleanup(server.close)
        self.import_busybox()
        repository = self.context("FROM busybox\nADD %s/file?sign=door /\nCOPY Dockerfile /\n" % server.url, name="repo")
        git = lambda *args: run(["git", "-C", repository, "-c", "user.name=x", "-c", "user.email=x@x.test", *args])
        git("-c", "init.defaultBranch=main", "init", "-q")
        git("add", "-A")
        git("commit", "-q", "-m", "x")
        commit = git("rev-parse", "HEAD").strip()
        self.build("file://" + repository, "--metadata-file", self.path("meta.json"), platforms=ARM64)
        predicate = self.read_json(self.path("meta.json"))["buildx.build.provenance"]
        definition = predicate["buildDefinition"]
        image, *others = definition["resolvedDependencies"]
        self.assertEqual("pkg:docker/busybox@latest?platform=linux%2Farm64", image["uri"])
        source = {"uri": "file://" + repository, "digest": {"sha1": commit}}
        self.assertIn(source, others)
        self.assertEqual({**source, "path": "Dockerfile"}, definition["externalParameters"]["configSource"])
        self.assertIn({"uri": server.url + "/file", "digest": {"sha256": subprocess.run(
            ["sha256sum"], input=b"text", capture_output=True, check=True).stdout.decode().split()[0]}}, others)
        self.assertNotIn("door", json.dumps(predicate))
        self.assertTrue(predicate["runDetails"]["metadata"]["buildkit_completeness"]["resolvedDependencies"])
        self.assertTrue(predicate["runDetails"]["metadata"]["buildkit_hermetic"])


if __name__ == "__main__":
    main()
