"""Caches outside the store: what one machine built, another does not build again, and fetches only what it needs."""
import hashlib
import json
import os
import signal

from caching import TwoStages
from harness import AMD64, ARM64, BOTH, main, run
from registry_proxy import Proxy

# How often the two writers of one cache are run at once; the claim is about 50.
ROUNDS = int(os.environ.get("SLIPWAY_CACHE_ROUNDS", "50" if os.environ.get("CI") else "3"))


class CacheRemote(TwoStages):
    def image_digest(self, *args, **options):
        """The digest of the image and what was said of the build."""
        file = self.path("metadata.json")
        result = self.run_build(*args, "--metadata-file", file, **options)
        return self.read_json(file)["containerimage.digest"], result

    def test_directory_from_machine_to_machine(self):
        cache = self.path("cache")
        made, _ = self.image_digest(self.steps(), "--cache-to", "type=local,mode=max,dest=" + cache, root=self.machine())
        other = self.machine()
        taken, result = self.image_digest(self.steps(), "--cache-from", "type=local,src=" + cache, root=other)
        self.assertEqual([], self.ran(result), result)
        self.assertEqual(made, taken)
        self.check_store(root=other)
        # What is in the file decides, also behind another stage.
        changed = self.run_build(self.steps("other\n"), "--cache-from", "type=local,src=" + cache, root=self.machine())
        self.assertEqual(3, len([step for step in self.ran(changed) if "FROM" not in step and "first" not in step
                                 and "last" not in step]), self.ran(changed))
        self.assertNotIn("RUN echo first > /first", self.ran(changed))

    def test_equal_file_of_a_changed_base_hits_by_content_on_another_machine(self):
        """Where nothing was built; also out of an image that carries its cache."""
        made, host = self.machine(), self.backend.host
        tools = self.context("FROM %s\nRUN echo tool > /tool\nARG OTHER\nRUN echo $OTHER > /other\n" % self.base, name="tools")
        for other in ("1", "2"):
            self.run_build(tools, "--build-arg", "OTHER=" + other, "-t", "%s/tools:%s" % (host, other), "--push", root=made)
        text = "FROM %s/tools:%s AS tools\nFROM %s\nRUN echo first > /first\nCOPY --from=tools /tool /tool\nRUN cat /tool > /last\n"
        before = self.context(text % (host, "1", self.base), name="before")
        after = self.context(text % (host, "2", self.base), name="after")
        cache, image = "type=local,src=" + self.path("cache"), host + "/app-content:1"
        self.run_build(before, "--cache-to", cache.replace("src=", "dest="), "--cache-to", "type=inline", "-t", image, "--push",
                       root=made)
        for source in (cache, image):
            with self.subTest(source):
                machine = self.machine()
                self.assertEqual([], [step for step in self.ran(self.run_build(after, "--cache-from", source, root=machine))
                                      if not step.startswith("FROM")])
                told = json.loads(self.slipway("explain", "--format", "json", root=machine).out)
                hows = {step["step"].split("] ", 1)[1]: step.get("how") for step in told["steps"] if "] FROM" not in step["step"]}
                self.assertEqual({"RUN echo first > /first": None, "COPY --from=tools /tool /tool": "hit by content",
                                  "RUN cat /tool > /last": "hit by content"}, hows)
                self.check_store(root=machine)

    def test_plan_asks_caches(self):
        cache, context = self.path("cache"), self.steps()
        self.run_build(context, "--cache-to", "type=local,mode=max,dest=" + cache, root=self.machine())

        def planned(*sources):
            arguments = [argument for source in sources for argument in ("--cache-from", source)]
            result = self.slipway("explain", "--plan", "--format", "json", "--platform", AMD64, *arguments, context,
                                  root=self.path("none"))
            return result.err, {step["step"].split("] ", 1)[1].split("@")[0]: (step["status"], step.get("how"))
                                for step in json.loads(result.out)["steps"]}

        _, told = planned("type=local,src=" + cache)
        self.assertEqual(("hit", "the cache in " + cache), told["RUN echo last > /last"])
        self.assertEqual({"hit"}, {status for status, _ in told.values()})
        said, told = planned("type=local,src=" + self.path("nowhere"))
        self.assertIn("is not there", said)
        self.assertEqual(("miss", None), told["RUN echo last > /last"])
        self.assertFalse(os.path.exists(self.path("none")))

    def test_min_saves_the_images_own_steps(self):
        cache = self.path("cache")
        self.run_build(self.steps(), "--cache-to", "type=local,dest=" + cache, root=self.machine())
        self.assertEqual([], self.ran(self.run_build(self.steps(), "--cache-from", "type=local,src=" + cache, root=self.machine())))
        config = self.cache_config(cache)
        self.assertEqual({"RUN echo first > /first", "COPY --from=build /built /built", "RUN echo last > /last"},
                         {record["slipway"]["description"].split("] ", 1)[1] for record in config["records"]})

    def cache_config(self, directory, tag="latest"):
        for entry in self.read_json(directory, "index.json")["manifests"]:
            if entry["annotations"]["org.opencontainers.image.ref.name"] == tag:
                return self.blob(directory, self.blob(directory, entry["digest"])["config"]["digest"])
        raise AssertionError("no cache tagged " + tag)

    def cache_layers(self, directory):
        """Descriptors of the layers that are not the base's, by an index or a manifest, and the document's type."""
        entry, = self.read_json(directory, "index.json")["manifests"]
        document = self.blob(directory, entry["digest"])
        layers = [layer for layer in document.get("layers", document.get("manifests"))
                  if "vnd.buildkit" not in layer["mediaType"]]
        base = {layer["digest"] for layer in self.manifest(self.base_of_amd64())["layers"]}
        return entry["mediaType"], [layer for layer in layers if layer["digest"] not in base]

    def base_of_amd64(self):
        entry, = [entry for entry in self.manifest(self.base)["manifests"] if entry["platform"]["architecture"] == "amd64"]
        return self.base.rsplit(":", 1)[0] + "@" + entry["digest"]

    def first_bytes(self, directory, digest, count):
        with open(os.path.join(directory, "blobs", *digest.split(":")), "rb") as file:
            return file.read(count)

    def test_compression_and_types_are_those_asked_for(self):
        oci, docker = "application/vnd.oci.image.", "application/vnd.docker."
        gzip, zstd = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
        machine = self.machine()
        for name, options, document, layer, magic in (
                ("zstd", ",compression=zstd", oci + "manifest.v1+json", oci + "layer.v1.tar+zstd", zstd),
                ("plain", ",compression=uncompressed", oci + "manifest.v1+json", oci + "layer.v1.tar", b""),
                ("docker", ",oci-mediatypes=false", docker + "distribution.manifest.list.v2+json",
                 docker + "image.rootfs.diff.tar.gzip", gzip),
                ("index", ",image-manifest=false", oci + "index.v1+json", oci + "layer.v1.tar+gzip", gzip)):
            with self.subTest(name):
                cache = self.path(name)
                self.run_build(self.steps(), "--cache-to", "type=local,mode=max,dest=" + cache + options, root=machine)
                kind, layers = self.cache_layers(cache)
                self.assertEqual(document, kind)
                self.assertEqual({layer}, {found["mediaType"] for found in layers})
                self.assertEqual({magic}, {self.first_bytes(cache, found["digest"], len(magic)) for found in layers})
                self.assertGreaterEqual(len(layers), 3)
                result = self.run_build(self.steps(), "--cache-from", "type=local,src=" + cache, "-o", self.path(name + "-out"),
                                        root=self.machine())
                self.assertEqual([], self.ran(result), result)
                self.assertEqual("last\n", self.read(self.path(name + "-out"), "last"))

    def test_full_hit_pushed_to_the_same_registry_moves_no_layer(self):
        ref, name = "%s/cache:full", "%s/app-full:1"
        made, _ = self.image_digest(self.steps(), "--cache-to", "type=registry,mode=max,ref=" + ref % self.backend.host,
                                    root=self.machine())
        proxy = self.proxy()
        other = self.machine()
        taken, result = self.image_digest(self.steps(), "--cache-from", ref % proxy.host, "-t", name % proxy.host, "--push",
                                          root=other)
        self.assertEqual([], self.ran(result), result)
        self.assertEqual(made, taken)
        layers = {entry["digest"] for entry in self.manifest(name % self.backend.host)["layers"]}
        asked = [(method, path) for method, path in proxy.requests
                 if any(layer in path.replace("%3A", ":") for layer in layers)]
        self.assertEqual([], [request for request in asked if request[0] not in ("HEAD", "POST")], asked)
        self.assertTrue(all("mount=" in path for method, path in asked if method == "POST"), asked)
        self.check_store(root=other)

    def manifest(self, name):
        return json.loads(run(["skopeo", "inspect", "--raw", "--tls-verify=false", "docker://" + name]))

    def test_inline_in_the_image(self):
        name = self.backend.host + "/app-inline:1"
        self.run_build(self.steps(), "-t", name, "--push", "--cache-to", "type=inline", platforms=BOTH, root=self.machine())
        result = self.run_build(self.steps(), "--cache-from", name, platforms=BOTH, root=self.machine())
        self.assertEqual([], self.ran(result), result)
        with self.subTest("a definition says itself of which platform it is"):
            machine = self.machine()
            self.slipway("build", "--platform", ARM64, "--print-llb=" + self.path("llb"), self.steps(), root=machine)
            result = self.slipway("build", "--progress=plain", "--llb", self.path("llb"), "--cache-from", name, self.steps(),
                                  root=machine)
            self.assertEqual([], self.ran(result), result)

    def test_only_what_a_step_needs_is_fetched(self):
        cache, context = self.path("cache"), self.steps()
        self.run_build(context, "--cache-to", "type=local,mode=max,dest=" + cache, root=self.machine())
        with open(os.path.join(context, "Dockerfile"), "a") as file:
            file.write("RUN cat /first /built /last > /all && cat /all\n")
        out = self.path("out")
        result = self.run_build(context, "--cache-from", "type=local,src=" + cache, "-o", out, root=self.machine())
        self.assertEqual(["RUN cat /first /built /last > /all && cat /all"], self.ran(result))
        self.assertEqual("first\nbuilt\nhello\nlast\n", self.read(out, "all"))

    def test_two_writers_of_one_cache(self):
        """Each machine builds one platform; each in the end finds both."""
        stores = {platform: self.machine() for platform in (AMD64, ARM64)}
        for place in ("registry", "local"):
            for number in range(ROUNDS):
                context = self.context("FROM %s\nCOPY input /\n" % self.base, {"input": "%s %d" % (place, number)})
                ref = ("type=registry,ref=%s/cache:both-%d" % (self.backend.host, number) if place == "registry"
                       else "type=local,dest=" + self.path("both-%d" % number))
                writers = [self.start("build", "--platform", platform, "--cache-to", ref, context, root=root)
                           for platform, root in stores.items()]
                for writer in writers:
                    out, err = writer.communicate(timeout=300)
                    self.assertEqual(0, writer.returncode, err)
                result = self.run_build(context, "--cache-from", ref.replace("dest=", "src="), platforms=BOTH,
                                        root=self.machine())
                self.assertEqual([], self.ran(result), result)

    def test_values_of_secret_arguments_are_in_no_cache_and_no_list(self):
        cache, store = self.path("cache"), self.machine()
        context = self.context("FROM %s\nARG API_TOKEN\nENV DB_PASSWORD=envvalue77\nRUN echo $API_TOKEN | wc -c > /size\n"
                               "RUN echo ${API_TOKEN} envvalue77 | wc -c > /again\n"
                               "COPY . /of-${API_TOKEN}-${DB_PASSWORD}\n" % self.base, {"input": "x"})
        self.run_build(context, "--build-arg", "API_TOKEN=tokenvalue99", "--cache-to", "type=local,dest=" + cache, root=store)
        # In a store that the cache filled, too.
        other, out = self.machine(), self.path("out")
        self.run_build(context, "--build-arg", "API_TOKEN=tokenvalue99", "--cache-from", "type=local,src=" + cache, "-o", out,
                       root=other)
        kept = {"config": json.dumps(self.cache_config(cache))}
        for root in (store, other):
            kept["du " + root] = self.slipway("du", "--verbose", root=root).out
            for name in os.listdir(root):
                if name.startswith("slipway.db"):
                    with open(os.path.join(root, name), "rb") as file:
                        kept[os.path.join(root, name)] = file.read().decode(errors="replace")
        for place, text in kept.items():
            self.assertNotIn("tokenvalue99", text, place)
            self.assertNotIn("envvalue77", text, place)
        self.assertIn("COPY . /of-***-***", kept["config"])
        for place in (store, other):
            self.assertIn("COPY . /of-***-***", kept["du " + place])

    def test_failed_build_saves_what_it_finished(self):
        cache = self.path("cache")
        text = "FROM %s\nRUN echo long > /long\nRUN test -e /input\n" % self.base
        failed = self.run_build(self.context(text), "--cache-to", "type=local,dest=" + cache, root=self.machine(), expect=1)
        self.assertIn("test -e /input", failed.err)
        again = self.run_build(self.context(text.replace("RUN test", "COPY input /\nRUN test"), {"input": ""}),
                               "--cache-from", "type=local,src=" + cache, root=self.machine())
        self.assertNotIn("RUN echo long > /long", self.ran(again))
        self.assertIn("RUN test -e /input", self.ran(again))

    def test_failed_platform_does_not_keep_the_other_from_being_saved(self):
        cache = self.path("cache")
        text = "FROM %s\nARG TARGETARCH\nRUN echo $TARGETARCH > /arch\nRUN test $TARGETARCH = amd64\n" % self.base
        self.run_build(self.context(text), "--cache-to", "type=local,dest=" + cache, "--keep-going", platforms=BOTH,
                       root=self.machine(), expect=1)
        again = self.run_build(self.context(text), "--cache-from", "type=local,src=" + cache, root=self.machine())
        self.assertEqual([], self.ran(again))

    def test_cancelled_build_saves_what_it_finished(self):
        cache = self.path("cache")
        process = None
        gate = self.gate(lambda: process.send_signal(signal.SIGTERM))
        text = "FROM %s\nRUN echo long > /long\nRUN --network=host wget -q -O - http://%s/ && sleep 600\n" % (self.base, gate.host)
        process = self.start("build", "--allow", "network.host", "--cache-to", "type=local,dest=" + cache,
                             self.context(text), root=self.machine())
        _, err = process.communicate(timeout=120)
        self.assertEqual(130, process.returncode, err)
        again = self.run_build(self.context("FROM %s\nRUN echo long > /long\n" % self.base), "--cache-from",
                               "type=local,src=" + cache, root=self.machine())
        self.assertEqual([], self.ran(again))

    def test_killed_build_has_saved_what_it_finished(self):
        """One step is held up until the cache's document is there; then the process is killed."""
        text = "FROM %s\nRUN echo first > /first\nRUN echo second > /second\n"
        cache, process = self.path("cache"), None

        def kill():
            while process.poll() is None and not self.holds(cache, "RUN echo second > /second"):
                os.sched_yield()
            process.kill()

        gate = self.gate(kill)
        held = (text + "RUN --network=host wget -q -O - http://%s/\n") % (self.base, gate.host)
        process = self.start("build", "--allow", "network.host", "--platform", AMD64, "--cache-to",
                             "type=local,mode=max,dest=" + cache, self.context(held), root=self.machine())
        _, err = process.communicate(timeout=120)
        self.assertEqual(-signal.SIGKILL, process.returncode, err)
        out = self.path("out")
        again = self.run_build(self.context(text % self.base), "--cache-from", "type=local,src=" + cache, "-o", out,
                               root=self.machine())
        self.assertEqual([], self.ran(again))
        self.assertEqual("second\n", self.read(out, "second"))

    def holds(self, cache, step):
        """Whether the cache has the step by now; while it is written its parts may be replaced."""
        try:
            return any(record["slipway"]["description"].endswith(step) for record in self.cache_config(cache)["records"])
        except (OSError, AssertionError):
            return False

    def test_registry_is_not_written_for_every_step(self):
        """A build of seconds writes the document once."""
        proxy = self.proxy()
        ref = "type=registry,mode=max,ref=%s/cache:once" % proxy.host
        self.run_build(self.steps(), "--cache-to", ref, root=self.machine())
        written = [path for method, path in proxy.requests if method == "PUT" and "/manifests/" in path]
        self.assertEqual(1, len(written), proxy.requests)

    def test_cache_that_cannot_be_saved_to_is_told_once(self):
        """Though it was tried while the build ran."""
        self.write("file", "no directory")
        refused = self.run_build(self.steps(), "--cache-to", "type=local,mode=max,dest=" + self.path("file"),
                                 root=self.machine(), expect=3)
        self.assertEqual(1, refused.err.count("ERROR: saving to"), refused)
        self.assertIn("RUN echo last > /last", self.ran(refused))
        ignored = self.run_build(self.steps(), "--cache-to", "type=local,mode=max,ignore-error=true,dest=" + self.path("file"),
                                 root=self.machine())
        self.assertEqual(1, ignored.err.count("WARNING: saving to"), ignored)

    def test_what_is_no_cache(self):
        host = self.backend.host
        self.unusable("type=registry,ref=%s/none:1" % host, "is not there")
        self.unusable("type=registry,ref=" + self.base, "is an image without a cache")
        self.unusable("type=local,src=" + self.path("nowhere"), "is not there")
        closed = self.proxy(lambda method, path: (403, {}, b'{"errors":[{"code":"DENIED","message":"not for you"}]}'))
        self.unusable("type=registry,ref=%s/cache:1" % closed.host, "not for you")

    def write_manifest(self, directory, config_type, config):
        """A cache in a directory, as somebody else would write it."""
        blobs = os.path.join(directory, "blobs", "sha256")
        os.makedirs(blobs)

        def put(data):
            digest = hashlib.sha256(data).hexdigest()
            with open(os.path.join(blobs, digest), "wb") as file:
                file.write(data)
            return {"digest": "sha256:" + digest, "size": len(data)}

        manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                    "config": {"mediaType": config_type, **put(config)}, "layers": []}
        entry = {"mediaType": manifest["mediaType"], **put(json.dumps(manifest).encode()),
                 "annotations": {"org.opencontainers.image.ref.name": "latest"}}
        with open(os.path.join(directory, "index.json"), "w") as file:
            json.dump({"schemaVersion": 2, "manifests": [entry]}, file)
        return directory

    def test_caches_of_others(self):
        kind = "application/vnd.buildkit.cacheconfig.v"
        self.unusable("type=local,src=" + self.write_manifest(self.path("newer"), kind + "1", b"{}"), "newer version")
        self.unusable("type=local,src=" + self.write_manifest(self.path("corrupt"), kind + "0", b'{"layers":[{}]}'), "is damaged")
        # What cannot be understood is not overwritten.
        refused = self.run_build(self.steps(), "--cache-to", "type=local,dest=" + self.path("newer"), root=self.machine(),
                                 expect=3)
        self.assertIn("cannot be added to", refused.err)
        ignored = self.run_build(self.steps(), "--cache-to", "type=local,ignore-error=true,dest=" + self.path("newer"),
                                 root=self.machine())
        self.assertIn("cannot be added to", ignored.err)

    def test_missing_layer(self):
        cache = self.path("cache")
        self.run_build(self.steps(), "--cache-to", "type=local,mode=max,dest=" + cache, root=self.machine())
        manifest = self.blob(cache, self.read_json(cache, "index.json")["manifests"][0]["digest"])
        for layer in manifest["layers"]:
            os.remove(self.blob_path(cache, layer["digest"]))
        out, lost = self.path("out"), self.machine()
        result = self.run_build(self.steps(), "--cache-from", "type=local,src=" + cache, "-o", out, root=lost)
        self.assertEqual(1, result.err.count("going on without it"), result)
        self.assertEqual("built\nhello\n", self.read(out, "built"))
        self.check_store(root=lost)
        self.run_build(self.steps(), "--cache-from", "type=local,required=true,src=" + cache, "-o", self.path("other"),
                       root=self.machine(), expect=3)

    def test_registry_that_dies_in_the_middle_of_a_layer(self):
        """The first layer ends after half of it, and nothing is answered any more."""
        ref, out = "%s/cache:cut", self.path("out")
        self.run_build(self.steps(), "--cache-to", "type=registry,mode=max,ref=" + ref % self.backend.host, root=self.machine())
        layers = {entry["digest"] for entry in self.manifest(ref % self.backend.host)["layers"]}
        cut = []

        def dies(method, path):
            if cut:
                return Proxy.GONE
            if method == "GET" and any(layer in path for layer in layers):
                cut.append(path)
                return Proxy.HALF
            return None

        proxy = self.proxy(dies)
        machine = self.machine()
        result = self.run_build(self.steps(), "--cache-from", ref % proxy.host, "-o", out, root=machine)
        self.assertEqual(1, len(cut))
        self.assertEqual(1, result.err.count("going on without it"), result)
        self.assertEqual("last\n", self.read(out, "last"))
        self.assertEqual("built\nhello\n", self.read(out, "built"))
        self.check_store(root=machine)

    def test_registry_that_lost_its_layers(self):
        ref = "%s/cache:dying"
        self.run_build(self.steps(), "--cache-to", "type=registry,mode=max,ref=" + ref % self.backend.host, root=self.machine())
        layers = {entry["digest"] for entry in self.manifest(ref % self.backend.host)["layers"]}
        proxy = self.proxy(lambda method, path: (404, {}, b"") if any(layer in path for layer in layers) else None)
        out = self.path("out")
        result = self.run_build(self.steps(), "--cache-from", ref % proxy.host, "-o", out, root=self.machine())
        self.assertEqual(1, result.err.count("going on without it"), result)
        self.assertEqual("last\n", self.read(out, "last"))

    def test_own_store_is_not_overwritten(self):
        refused = self.run_build(self.steps(), "--cache-to", "type=local,dest=" + self.machine(), root=self.path("machine-1"), expect=2)
        self.assertIn("is slipway's own store", refused.err)
        self.slipway("store", "check", root=self.path("machine-1"))

    def test_own_image_is_not_overwritten(self):
        name = self.backend.host + "/app-kept:1"
        refused = self.run_build(self.steps(), "-t", name, "--push", "--cache-to", name, root=self.machine(), expect=3)
        self.assertIn("is an image", refused.err)


if __name__ == "__main__":
    main()
