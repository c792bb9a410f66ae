"""What is lost or rots in the store is made or fetched again by the build that needs it, which says so; nothing rotten leaves it."""
import glob
import os
import shutil

from harness import AMD64, SlipwayCase, main, run

DOCKERFILE = "FROM %s\nRUN echo text > /file\nRUN echo more > /more\n"


class StoreDamage(SlipwayCase):
    def setUp(self):
        super().setUp()
        self.import_busybox(platforms=AMD64)

    def image(self, *args, base="busybox", **options):
        return self.build(self.context(DOCKERFILE % base), "-t", "app", *args, platforms=AMD64, **options)

    def layout(self, name, **options):
        """What a build says that exports into a directory, and the manifest of that."""
        layout = self.path(name)
        said = self.image("-o", "type=oci,tar=false,dest=" + layout, **options).err
        return said, self.layout_image(layout, AMD64)[0]

    def snapshot_with(self, name):
        """The directory of the newest one that made the file."""
        snapshots = os.path.join(self.root, "snapshots")
        return max((place for place in glob.glob(snapshots + "/*") if os.path.exists(os.path.join(place, "fs", name))),
                   key=lambda place: int(os.path.basename(place)))

    def stored(self, digest):
        return self.blob_path(self.root, digest)

    @staticmethod
    def flip(path):
        """One bit of its middle: the size stays."""
        with open(path, "r+b") as file:
            file.seek(os.path.getsize(path) // 2)
            byte = file.read(1)[0]
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte ^ 1]))

    def test_what_stood_on_a_missing_snapshot_is_made_again(self):
        self.image()
        for name in ("bin/busybox", "file", "more"):
            with self.subTest(name):
                shutil.rmtree(self.snapshot_with(name))
                said, _ = self.layout("layout-" + name.replace("/", "-"))
                self.assertEqual(1, said.count("directory is missing"), said)
                self.assertNotIn("directory is missing", self.image().err)
                self.assertEqual("more\n", self.read(self.snapshot_with("more"), "fs/more"))
        self.assertIn("is missing", self.slipway("store", "check", expect=3).out)
        self.slipway("store", "check", "--repair")
        self.check_store()
        self.assertNotIn("warning", self.image().err.lower())

    def pushed_base(self):
        """The name of an image in a registry, and that registry; the store that is asked from now on knows none of it."""
        registry = self.registry()
        base = registry.host + "/base"
        self.build(self.context("FROM busybox\nRUN echo base > /base\n", name="base"), "-t", base, "--push", platforms=AMD64)
        self.root = self.path("other-store")
        return base, registry

    def test_a_damaged_document_of_a_base_image_is_fetched_again(self):
        base, _ = self.pushed_base()
        self.image(base=base)
        pinned = run(["skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}", "docker://" + base]).strip()
        config = self.blob(self.root, pinned)["config"]["digest"]
        by_digest = base + "@" + pinned  # by its tag the manifest is fetched each time
        for document, name in ((pinned, by_digest), (config, base), (config, by_digest)):
            with self.subTest(document=document, name=name):
                self.flip(self.stored(document))
                said = self.image(base=name).err
                self.assertIn("blob %s of a base image is damaged in the store: fetching it again" % document, said)
                self.assertNotIn("damaged", self.image(base=name).err)
                self.check_store()

    def test_a_lost_layer_of_a_base_image_keeps_its_digest_if_it_can_be_fetched(self):
        base, registry = self.pushed_base()
        _, before = self.layout("before", base=base)
        pinned = run(["skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}", "docker://" + base]).strip()
        layer = self.blob(self.root, pinned)["layers"][0]["digest"]
        with self.subTest("fetched again"):
            os.unlink(self.stored(layer))
            said, after = self.layout("after", base=base)
            self.assertEqual(before["layers"], after["layers"])
            self.assertNotIn("packed anew", said)
            self.check_store()
        with self.subTest("nowhere to be had"):
            os.unlink(self.stored(layer))
            registry.close()
            said, after = self.layout("anew", base=base + "@" + pinned)
            self.assertIn("layer %s of a base image is lost and could not be fetched again" % layer, said)
            self.assertIn("packed anew, so its digest is another", said)
            self.assertEqual(before["layers"][1:], after["layers"][1:])
            self.check_store()

    def test_a_layer_of_another_size_is_packed_again(self):
        _, before = self.layout("before")
        layer = before["layers"][-1]["digest"]
        os.truncate(self.stored(layer), 10)
        said, after = self.layout("after")
        self.assertIn("layer %s is damaged in the store: it has 10 bytes instead of" % layer, said)
        self.assertEqual(before["layers"], after["layers"])
        self.check_store()

    def test_rotten_layers_get_into_no_image(self):
        _, before = self.layout("before")
        layer = before["layers"][-1]["digest"]
        for kind, dest, rotten in (("tar=false", "directory", self.blob_path(self.path("directory"), layer)),
                                   ("tar=true", "file.tar", self.path("file.tar"))):
            with self.subTest(kind):
                self.flip(self.stored(layer))
                output = "type=oci,%s,dest=%s" % (kind, self.path(dest))
                said = self.image("-o", output, expect=3).err
                self.assertIn("have another digest", said)
                self.assertIn(layer.split(":")[1], said)
                self.assertFalse(os.path.exists(rotten))
                self.image("-o", output)  # what was damaged is gone from the store, and packed again
                self.check_store()
        self.assertEqual(before["layers"], self.layout_image(self.path("directory"), AMD64)[0]["layers"])

    def test_rotten_layers_get_into_no_cache(self):
        _, before = self.layout("before")
        layer = before["layers"][-1]["digest"]
        self.flip(self.stored(layer))
        save = ("--cache-to", "type=local,mode=max,dest=" + self.path("cache"))
        said = self.image(*save, expect=3).err
        self.assertIn("have another digest", said)
        self.assertFalse(os.path.exists(self.blob_path(self.path("cache"), layer)))
        self.slipway("store", "check", "--repair")
        self.image(*save)


if __name__ == "__main__":
    main()
