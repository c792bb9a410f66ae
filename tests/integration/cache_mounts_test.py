"""What is in cache mounts, beside the steps' results in caches outside the store."""
import json
import os

from caching import CacheCase
from harness import AMD64, ARM64, BOTH, main, run

# What the mount had goes to /had-ARCH; the input decides whether the step runs.
STEPS = """FROM %s AS build
ARG TARGETARCH
COPY input /input
RUN --mount=type=cache,target=/c%s cp -r /c /had; echo "$TARGETARCH" > /c/arch
FROM scratch
COPY --from=build /had /had
"""


class CacheMounts(CacheCase):
    def steps(self, text, options=""):
        return self.context(STEPS % (self.base, options), {"input": text}, name="context-" + text)

    def had(self, cache, text, platforms=AMD64, options="", root=None, **more):
        """What the step found in its mount, by platform, and what was said."""
        out = self.path("out-" + text)
        result = self.run_build(self.steps(text, options), "--cache-from", cache, "-o", out, platforms=platforms,
                                root=root or self.machine(), **more)
        found = {}
        for platform in platforms.split(","):
            tree = os.path.join(out, platform.replace("/", "_")) if "," in platforms else out
            file = os.path.join(tree, "had", "arch")
            found[platform] = self.read(file).strip() if os.path.exists(file) else None
        return found, result

    def blobs_of_mounts(self, cache):
        entry = self.read_json(cache, "index.json")["manifests"][0]
        return [layer["digest"] for layer in self.blob(cache, entry["digest"])["layers"]
                if "slipway.cache-mount" in layer.get("annotations", {})]

    def save(self, cache, text="first", **options):
        return self.run_build(self.steps(text), "--cache-to", "type=local,mode=max,dest=%s,mounts=true" % cache, **options)

    def test_directory_from_machine_to_machine(self):
        cache = self.path("cache")
        self.save(cache, root=self.machine())
        self.assertEqual({AMD64: None}, self.had("type=local,src=" + cache, "unasked")[0])
        other = self.machine()
        found, result = self.had("type=local,src=%s,mounts=true" % cache, "second", root=other)
        self.assertEqual({AMD64: "amd64"}, found)
        self.assertEqual(1, result.err.count("starts with what the layer cache has of it"), result)
        self.check_store(root=other)
        # What is there already is not replaced.
        self.assertEqual({AMD64: "amd64"}, self.had("type=local,src=%s,mounts=true" % cache, "third", root=other)[0])

    def test_unchanged_content_is_not_written_again(self):
        cache, root = self.path("cache"), self.machine()
        text = "FROM %s\nCOPY input /\nRUN --mount=type=cache,target=/c test -e /c/kept || echo kept > /c/kept\n" % self.base
        blobs = []
        for number in range(2):
            self.run_build(self.context(text, {"input": str(number)}), "--cache-to", "type=local,dest=%s,mounts=/c" % cache,
                           root=root)
            blobs.append([(digest, os.stat(self.blob_path(cache, digest)).st_ino) for digest in self.blobs_of_mounts(cache)])
        self.assertEqual(1, len(blobs[0]))
        self.assertEqual(blobs[0], blobs[1])

    def test_registry_gives_only_what_a_step_needs(self):
        ref = "type=registry,ref=%s/cache:mounts" % self.backend.host
        self.run_build(self.steps("first"), "--cache-to", ref + ",mode=max,mounts=true", root=self.machine())
        manifest = json.loads(run(["skopeo", "inspect", "--raw", "--tls-verify=false",
                                   "docker://%s/cache:mounts" % self.backend.host]))
        blob, = [layer["digest"] for layer in manifest["layers"] if "slipway.cache-mount" in layer.get("annotations", {})]
        proxy = self.proxy()
        through = "type=registry,mounts=true,ref=%s/cache:mounts" % proxy.host

        def fetched():
            return [path for method, path in proxy.requests if method == "GET" and blob in path.replace("%3A", ":")]

        self.assertEqual({AMD64: None}, self.had(through, "first")[0])
        self.assertEqual([], fetched(), "no step ran that has the mount")
        self.assertEqual({AMD64: "amd64"}, self.had(through, "second")[0])
        self.assertEqual(1, len(fetched()))

    def test_each_platform_has_its_own(self):
        cache = self.path("cache")
        self.save(cache, platforms=BOTH, root=self.machine())
        self.assertEqual(2, len(self.blobs_of_mounts(cache)))
        found, _ = self.had("type=local,src=%s,mounts=true" % cache, "second", platforms=BOTH)
        self.assertEqual({AMD64: "amd64", ARM64: "arm64"}, found)

    def test_what_is_not_saved_is_told(self):
        cache = "type=local,dest=" + self.path("cache")
        large = self.run_build(self.steps("large"), "--cache-to", cache + ",mounts=true,mounts-max-size=1kB", root=self.machine())
        self.assertRegex(large.err, r'the cache mount "/c@linux/amd64" holds .*, more than mounts-max-size=1.0kB; it is not saved')
        other = self.run_build(self.steps("other", ",id=mine"), "--cache-to", cache + ",mounts=mines", root=self.machine())
        self.assertIn("mounts=mines: no step has such a cache mount; did you mean mine?", other.err)
        self.assertEqual([], self.blobs_of_mounts(self.path("cache")))

    def test_mount_that_another_build_uses_is_passed_over(self):
        root, said = self.machine(), []

        def other_build():
            said.append(self.run_build(self.steps("other", ",id=m"), "--cache-to",
                                       "type=local,mounts=true,dest=" + self.path("cache"), root=root).err)

        gate = self.gate(other_build)
        text = "FROM %s\nRUN --mount=type=cache,id=m,target=/c --network=host wget -q -O - http://%s/\n" % (self.base, gate.host)
        self.run_build(self.context(text), "--allow", "network.host", root=root)
        self.assertIn('the cache mount "m" is in use by another build; it is not saved', said[0])

    def test_damaged_content(self):
        cache = self.path("cache")
        self.save(cache, root=self.machine())
        blob, = self.blobs_of_mounts(cache)
        with open(self.blob_path(cache, blob), "r+b") as file:
            file.write(b"damaged!")
        found, result = self.had("type=local,src=%s,mounts=true" % cache, "second")
        self.assertEqual({AMD64: None}, found)
        self.assertEqual(1, result.err.count("cache mounts start without it"), result)
        required = self.run_build(self.steps("third"), "--cache-from", "type=local,src=%s,mounts=true,required=true" % cache,
                                  root=self.machine(), expect=3)
        self.assertIn("it is required", required.err)


if __name__ == "__main__":
    main()
