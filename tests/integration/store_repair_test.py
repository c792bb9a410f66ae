"""`slipway store check` finds what is wrong, `--repair` makes the store whole, and builds go on."""
import glob
import os
import shutil
import threading

from harness import AMD64, SlipwayCase, main

DOCKERFILE = "FROM busybox\nRUN echo text > /file\nRUN echo more > /more\n"


class StoreRepair(SlipwayCase):
    def setUp(self):
        super().setUp()
        self.import_busybox(platforms=AMD64)
        self.context(DOCKERFILE)
        self.image()

    def image(self, **options):
        return self.build(self.path("context"), "-t", "app", platforms=AMD64, **options)

    def repaired(self):
        """What was repaired, of a store that is damaged before and clean afterwards."""
        found = self.slipway("store", "check", expect=3)
        self.assertIn("broken: ", found.out)
        self.assertIn("the store is damaged", found.out)
        self.assertIn("store check --repair", found.out)
        result = self.slipway("store", "check", "--repair")
        self.assertIn("repaired: ", result.out)
        self.check_store()
        return result.out

    def blobs(self):
        return glob.glob(os.path.join(self.root, "blobs/sha256/*"))

    def test_missing_snapshots(self):
        for snapshot in glob.glob(os.path.join(self.root, "snapshots/*")):
            shutil.rmtree(snapshot)
        self.assertIn("forgot snapshot", self.repaired())
        self.image()
        self.check_store()

    def step_file(self, name):
        [path] = glob.glob(os.path.join(self.root, "snapshots/*/fs", name))
        return path

    def test_snapshots_with_missing_files(self):
        os.unlink(self.step_file("file"))
        self.assertRegex(self.repaired(), r"forgot snapshot \d+: it, or one that it stands on, is not there or damaged")
        self.image()
        self.assertEqual("text\n", self.read(self.step_file("file")))
        self.check_store()

    def test_snapshots_with_rotten_bytes(self):
        path = self.step_file("more")
        status = os.stat(path)
        with open(path, "r+b") as file:
            file.write(b"MORE")
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        self.assertEqual("the store is clean\n", self.slipway("store", "check", "--quick").out)
        self.assertIn("more has other bytes than in its layer", self.slipway("store", "check", expect=3).out)
        self.repaired()
        self.image()
        self.assertEqual("more\n", self.read(self.step_file("more")))

    def test_damaged_blobs(self):
        largest = max(self.blobs(), key=os.path.getsize)
        with open(largest, "r+b") as file:
            file.write(b"?")
        out = self.repaired()
        self.assertIn("its bytes had another digest", out)
        self.assertIn("forgot the image docker.io/library/busybox:latest", out)
        self.import_busybox(platforms=AMD64)
        self.image()
        self.check_store()

    def test_missing_blobs(self):
        for path in self.blobs():
            os.unlink(path)
        self.assertIn("forgot the image docker.io/library/app:latest", self.repaired())
        self.import_busybox(platforms=AMD64)
        self.image()
        self.check_store()

    def test_foreign_files_are_named_and_stay(self):
        with open(os.path.join(self.root, "notes.txt"), "w") as file:
            file.write("mine")
        self.assertIn("notes.txt is not slipway's", self.slipway("store", "check").out)
        self.slipway("store", "check", "--repair")
        self.assertEqual("mine", self.read(self.root, "notes.txt"))

    def damage_database(self, data):
        for path in glob.glob(os.path.join(self.root, "slipway.db-*")):
            os.unlink(path)
        with open(os.path.join(self.root, "slipway.db"), "r+b") as file:
            file.write(data)

    def renewed(self):
        """A build goes on with a new database, and says so; a store that is not built with is only told of."""
        self.assertIn("slipway.db is damaged or lost", self.slipway("store", "check", expect=3).out)
        said = self.image().err
        self.assertIn("set the damaged database aside as", said)
        self.assertIn("named the image docker.io/library/app:latest again", said)
        self.assertIn("will be built again", said)
        self.assertNotIn("damaged", self.image().err)
        self.assertIn("app", self.slipway("images").out)
        self.check_store()

    def replaced(self):
        message = self.slipway("images", expect=3).err
        self.assertEqual(1, message.count("ERROR: "), message)
        self.assertIn("store check --repair", message)
        out = self.repaired()
        self.assertIn("set the damaged database aside as", out)
        self.assertIn("named the image docker.io/library/app:latest again", out)
        self.assertIn("app", self.slipway("images").out)
        self.image()
        self.check_store()

    def damage_pages(self):
        self.damage_database(b"SQLite format 3\0")
        size = os.path.getsize(os.path.join(self.root, "slipway.db"))
        with open(os.path.join(self.root, "slipway.db"), "r+b") as file:
            file.seek(4096)
            file.write(b"\xa5" * (size - 4096))

    def test_a_database_that_is_none(self):
        self.damage_database(b"?" * 100)
        self.replaced()

    def test_a_database_with_damaged_pages(self):
        self.damage_pages()
        self.replaced()

    def test_a_build_makes_a_database_that_is_none_anew(self):
        self.damage_database(b"?" * 100)
        self.renewed()

    def test_a_build_makes_a_database_with_damaged_pages_anew(self):
        self.damage_pages()
        self.renewed()

    def lose_database(self, empty):
        for path in glob.glob(os.path.join(self.root, "slipway.db*")):
            os.unlink(path)
        if empty:
            open(os.path.join(self.root, "slipway.db"), "w").close()

    def test_a_repair_restores_the_names_of_a_lost_database(self):
        for empty in (False, True):
            with self.subTest(empty=empty):
                self.lose_database(empty)
                refused = self.slipway("prune", "--force", expect=3).err
                self.assertIn("is missing or empty, but index.json names 2 images", refused)
                self.assertIn("store check --repair", refused)
                out = self.repaired()
                self.assertIn("named the image docker.io/library/app:latest again", out)
                self.assertIn("busybox", self.slipway("images").out)
                self.image()
                self.check_store()

    def test_a_build_restores_the_names_of_a_lost_database(self):
        for empty in (False, True):
            with self.subTest(empty=empty):
                self.lose_database(empty)
                said = self.image().err
                self.assertIn("is missing or empty, but index.json names 2 images", said)
                self.assertIn("named the image docker.io/library/busybox:latest again", said)
                self.assertIn("will be built again", said)
                self.assertNotIn("missing", self.image().err)
                self.check_store()

    def test_builds_that_begin_at_once_restore_the_names_of_a_lost_database(self):
        for _ in range(5):
            self.lose_database(empty=False)
            builds = [self.start("build", "--platform", AMD64, self.path("context")) for _ in range(4)]
            for build in builds:
                said = build.communicate(timeout=60)
                self.assertEqual(0, build.returncode, said)
            self.assertIn("app", self.slipway("images").out)
            self.check_store()

    def test_an_import_keeps_the_names_of_a_lost_database(self):
        self.lose_database(empty=True)
        self.import_busybox("other", platforms=AMD64)
        for name in ("app", "busybox", "other"):
            self.assertIn(name, self.slipway("images").out)

    def test_a_damaged_database_that_others_use_stays(self):
        opened = threading.Event()
        ended = threading.Event()

        def hold():
            opened.set()
            ended.wait(60)

        gate = self.gate(hold)
        held = self.context("FROM busybox\nRUN wget -q -O - http://%s/\n" % gate.host, name="held")
        other = self.start("build", "--platform", AMD64, held)
        try:
            self.assertTrue(opened.wait(60))
            with open(os.path.join(self.root, "slipway.db"), "r+b") as file:
                file.write(b"?" * 100)
            refused = self.image(expect=3)
            self.assertIn("1 other slipway processes use it", refused.err)
            self.assertFalse(glob.glob(os.path.join(self.root, "slipway.db.damaged-*")))
        finally:
            ended.set()
            other.communicate(timeout=60)


if __name__ == "__main__":
    main()
