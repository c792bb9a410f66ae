"""COPY and ADD as whole builds: a link's layer outlives a change of the base; archives; what does not fit a layer."""
import glob
import gzip
import io
import os
import tarfile
import time

from harness import AMD64, SlipwayCase, main, wait_until


def archive(*names, **metadata):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name in names:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(name), 1200000000
            for key, value in metadata.items():
                setattr(entry, key, value)
            tar.addfile(entry, io.BytesIO(name.encode()))
    return out.getvalue()


class Copies(SlipwayCase):
    def layers(self, dockerfile, files, *args):
        return self.layers_of(self.context(dockerfile, files), *args)

    def layers_of(self, context, *args):
        """What layers() gives, of a context as it lies there: a file that is written again has another time in its layer."""
        layout = self.path("layout-%d" % len(os.listdir(self.dir)))
        result = self.build(context, "--progress=plain", "-t", "x", "-o", "type=oci,tar=false,dest=" + layout, *args, platforms=AMD64)
        manifest, _ = self.layout_image(layout, AMD64)
        return [layer["digest"] for layer in manifest["layers"]], result, layout

    def test_a_copy_amends_the_one_before_it(self):
        self.import_busybox()
        names = ["d%d/f%d" % (i // 50, i) for i in range(400)]
        dockerfile, files = "FROM busybox AS last\nRUN mkdir -p /src/d1; touch /src/d1/f99\nCOPY . /src\n", {name: name for name in names}
        context = self.context(dockerfile, files)
        # What was written a moment ago is always read again.
        newest = max(os.stat(os.path.join(context, name)).st_ctime for name in names)
        wait_until(lambda: time.time() > newest + 2.1)
        self.layers(dockerfile, {})
        os.unlink(os.path.join(context, "d0/f9"))
        os.chmod(os.path.join(context, "d0/f10"), 0o600)
        os.utime(os.path.join(context, "d0/f11"), (7, 7))
        changed = {"d0/f7": "new", "d2/new": "file"}
        incremental, _, layout = self.layers(dockerfile, changed)
        anew, _, _ = self.layers_of(context, "--no-cache-filter=last")
        self.assertEqual(incremental[-1], anew[-1])
        tree = self.unpack(layout, AMD64)
        self.assertEqual(sorted(set(names) - {"d0/f9"} | {"d2/new", "Dockerfile"}),
                         sorted(os.path.relpath(os.path.join(where, name), os.path.join(tree, "src")) for where, _, found in os.walk(os.path.join(tree, "src")) for name in found))
        self.assertEqual("new", self.read(tree, "src/d0/f7"))
        with self.subTest("only what changed is in its snapshot; --no-cache amends nothing"):
            kept = sorted(glob.glob(os.path.join(self.root, "snapshots/*/fs/src")), key=lambda path: int(path.split("/")[-3]))
            counts = [sum(len(found) for _, _, found in os.walk(path)) for path in kept]
            # RUN and COPY, then five names and the Dockerfile, then RUN and COPY.
            self.assertEqual([1, len(names) + 1, 6, 1, len(names) + 1], counts)
        with self.subTest("what stood in the place of a file that is gone comes back"):
            os.unlink(os.path.join(context, "d1/f99"))
            self.build(self.context(dockerfile, {}), "-o", self.path("files"), platforms=AMD64)
            self.assertEqual("", self.read(self.path("files"), "src/d1/f99"))
        with self.subTest("both go"):
            self.build(self.context(dockerfile, {"d0/f7": "newer"}), platforms=AMD64)
            self.slipway("prune", "--all", "--force")
            self.assertEqual([], glob.glob(os.path.join(self.root, "snapshots/*/fs/src")))
        self.check_store()

    def test_layer_of_a_link_is_made_once_for_all_bases(self):
        self.import_busybox()
        files = {"dir/file": "text" * 1000, "other": "x"}
        copy = "COPY --link dir /tmp/\n"
        first, _, _ = self.layers("FROM busybox AS base\nRUN echo one > /one\nFROM base\n" + copy, files)
        second, result, layout = self.layers("FROM busybox AS base\nRUN echo two > /two; echo > /tmp/kept\nFROM base\n" + copy, files)
        self.assertEqual(first[-1], second[-1])
        self.assertNotEqual(first[:-1], second[:-1])
        steps = {line.split(" ", 1)[1]: line.split(" ", 1)[0] for line in result.err.splitlines() if line.startswith("#") and "] " in line}
        copies = [step for title, step in steps.items() if "] COPY --link" in title]
        self.assertEqual(1, len(copies), result.err)
        self.assertIn(copies[0] + " CACHED", result.err)
        # A user's /tmp is not what it was: that must not go unsaid.
        self.assertIn("warning: the directory /tmp had mode 1777", result.err)
        tree = self.unpack(layout, AMD64)
        self.assertTrue(os.path.exists(os.path.join(tree, "tmp/kept")))
        self.assertTrue(os.path.exists(os.path.join(tree, "tmp/file")))
        self.check_store()

    def test_link_alone_on_nothing(self):
        layers, _, layout = self.layers("FROM scratch\nCOPY --link a /x/\nCOPY --link a /y\nWORKDIR /w\n", {"a": "text"})
        self.assertEqual(3, len(layers))
        self.assertEqual("text", self.read(self.unpack(layout, AMD64), "y"))

    def test_archive_of_the_context_is_unpacked_with_its_owners(self):
        context = self.context("FROM scratch\nADD a.tgz /in/\nADD --chown=5:6 a.tgz /own/\nADD text /\n", {"text": "text"})
        with open(os.path.join(context, "a.tgz"), "wb") as file:
            file.write(gzip.compress(archive("d/f", uid=3, gid=4, mode=0o4755)))
        layout = self.path("layout")
        self.build(context, "-o", "type=oci,tar=false,dest=" + layout, platforms=AMD64)
        manifest, _ = self.layout_image(layout, AMD64)
        owners = {}
        for layer in manifest["layers"]:
            with tarfile.open(self.blob_path(layout, layer["digest"])) as tar:
                owners.update({member.name: (member.uid, member.gid, member.mode) for member in tar if member.isfile()})
        self.assertEqual({"in/d/f": (3, 4, 0o4755), "own/d/f": (5, 6, 0o4755), "text": (0, 0, 0o644)}, owners)

    def test_deletion_in_the_context_fails_where_it_is_copied(self):
        result = self.build(self.context("FROM scratch\nCOPY . /x/\n", {".wh.file": "text"}), "-o", "type=oci,dest=x.tar", expect=1)
        self.assertIn("Dockerfile:2", result.err)
        self.assertIn("/x/.wh.file", result.err)


if __name__ == "__main__":
    main()
