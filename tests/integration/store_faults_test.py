"""Disks that fill up or fail, and the order in which things become durable."""
import ctypes
import os
import random

from harness import AMD64, SlipwayCase, main, need, run

FAULT_IO = os.environ.get("SLIPWAY_FAULT_IO", os.path.join(os.path.dirname(__file__), "../../build/dev/tests/support/libfault_io.so"))
DOCKERFILE = """FROM busybox
ARG NUMBER
COPY file /file
RUN dd if=/dev/urandom of=/data bs=64k count=4 2>/dev/null; echo $NUMBER > /number
"""
LARGE = """FROM busybox
ARG NUMBER
RUN dd if=/dev/urandom of=/data bs=1M count=3 2>/dev/null; echo $NUMBER > /number
"""


class StoreFaults(SlipwayCase):
    def image(self, number, *args, **options):
        return self.slipway("build", "--progress", "plain", "--platform", AMD64, "-t", "app", "--build-arg", "NUMBER=%s" % number, *args,
                            self.path("context"), **options)

    def assert_one_error(self, result):
        errors = [line for line in result.err.splitlines() if line.startswith("ERROR: ")]
        self.assertEqual(1, len(errors), result)

    def mount_small(self, megabytes):
        """A file system of that size in the store's place."""
        need(os.geteuid() == 0, "mounting a file system wants root")
        os.mkdir(self.root)
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(b"none", self.root.encode(), b"tmpfs", 0, b"size=%dm" % megabytes) != 0:
            need(False, "mounting a tmpfs: " + os.strerror(ctypes.get_errno()))
        self.addCleanup(lambda: run(["umount", self.root]))

    def test_a_full_disk_is_said_once_and_pruning_makes_room(self):
        self.mount_small(20)
        self.import_busybox(platforms=AMD64)
        self.context("FROM busybox\nCOPY large /large\n")
        for number in range(6):
            with open(self.path("context/large"), "wb") as file:
                file.write(os.urandom(4 << 20))
            result = self.image(number, expect=None)
            if result.code != 0:
                break
        self.assertEqual(3, result.code, result)
        self.assert_one_error(result)
        self.assertRegex(result.err, "No space left on device|full")
        self.assertIn("Free some space there", result.err)
        self.check_store()
        self.slipway("prune", "--force", "--all")
        self.image("again")
        self.check_store()

    def fill(self):
        """Leaves not a byte of the store's file system free."""
        with open(os.path.join(self.root, "tmp", "filler"), "wb") as file:
            try:
                while True:
                    os.write(file.fileno(), b"x" * 4096)
            except OSError:
                pass

    def test_pruning_works_where_not_a_byte_is_free(self):
        self.mount_small(20)
        self.import_busybox(platforms=AMD64)
        self.context(LARGE)
        self.image(1)
        self.image(2)
        self.fill()
        self.slipway("prune", "--force", "--all")
        os.unlink(os.path.join(self.root, "tmp", "filler"))
        self.check_store()
        self.image(3)

    def test_a_pruning_makes_its_spare_space_anew_once_there_is_room(self):
        self.mount_small(64)
        self.import_busybox(platforms=AMD64)
        context = self.context("FROM busybox\nCOPY large /large\n")
        with open(self.path("context/large"), "wb") as file:
            file.write(os.urandom(24 << 20))
        self.build(context, platforms=AMD64)
        self.fill()
        spare = os.path.join(self.root, "spare")
        before = os.stat(spare).st_ctime_ns  # the number of an inode may be given again
        self.slipway("prune", "--force", "--all")
        self.assertNotEqual(before, os.stat(spare).st_ctime_ns)

    def faulty(self, fail, *args):
        return self.image(*args, expect=None, env={"LD_PRELOAD": FAULT_IO, "FAULT_IO_ROOT": self.root, "FAULT_IO_FAIL": fail})

    def logged(self, *args):
        log = self.path("calls")
        self.image(*args, env={"LD_PRELOAD": FAULT_IO, "FAULT_IO_ROOT": self.root, "FAULT_IO_LOG": log})
        return [line.split(" ") for line in self.read(log).splitlines()]

    def test_calls_that_fail(self):
        need(os.path.exists(FAULT_IO), FAULT_IO + " is missing")
        self.import_busybox(platforms=AMD64)
        self.context(DOCKERFILE, {"file": "text"})
        self.image("first")  # unpacks the base
        calls = len(self.logged("count"))
        self.assertGreater(calls, 20)
        seed = int(os.environ.get("SLIPWAY_FAULT_SEED", str(random.randrange(1 << 30))))
        chance = random.Random(seed)
        rounds = int(os.environ.get("SLIPWAY_FAULTS", "12"))
        for number in range(rounds):
            for_good = number % 3 == 0  # from its first half on, a build that cannot write has to fail
            fail = "%d+" % chance.randrange(1, calls // 2) if for_good else "%d" % chance.randrange(1, calls)
            with self.subTest("seed %d, round %d: call %s of %d" % (seed, number, fail, calls)):
                result = self.faulty(fail, number)
                self.assertIn(result.code, (3,) if for_good else (0, 3), result)
                if result.code != 0:
                    self.assert_one_error(result)
                    self.assertRegex(result.err, "Input/output error|disk I/O error")
                self.check_store()
        self.image("last")
        self.check_store()

    def test_bytes_are_durable_before_what_points_at_them(self):
        need(os.path.exists(FAULT_IO), FAULT_IO + " is missing")
        self.import_busybox(platforms=AMD64)
        self.context(DOCKERFILE, {"file": "text"})
        calls = self.logged("order")
        blobs = os.path.join(self.root, "blobs/sha256")
        dirty, named, blobs_seen, synced = set(), set(), 0, False
        for thread, call, path, *target in calls:
            if call in ("write", "pwrite"):
                dirty.add(path)
                if path.endswith("slipway.db-wal"):
                    self.assertNotIn(thread, named, "a row was written before the name of its blob was durable")
            elif call == "fsync":
                dirty.discard(path)
                if path == blobs:
                    named.discard(thread)
            elif call == "rename" and (os.path.dirname(target[0]) == blobs or target[0].endswith("index.json")):
                self.assertNotIn(path, dirty, "%s got its name before its bytes were durable" % target[0])
                if os.path.dirname(target[0]) == blobs:
                    named.add(thread)
                    blobs_seen += 1
            elif call == "syncfs":
                synced = True
        self.assertGreaterEqual(blobs_seen, 3)  # layer, config, manifest
        self.assertTrue(synced, "new snapshots were not synced at the end")

    def test_a_build_that_changes_nothing_syncs_one_directory(self):
        need(os.path.exists(FAULT_IO), FAULT_IO + " is missing")
        self.import_busybox(platforms=AMD64)
        self.context("FROM busybox\nCOPY file /file\n", {"file": "text"})
        build = ("build", "--platform", AMD64, "-o", "type=oci,dest=" + self.path("out.tar"), self.path("context"))
        self.slipway(*build)
        self.slipway(*build)
        log = self.path("calls")
        self.slipway(*build, env={"LD_PRELOAD": FAULT_IO, "FAULT_IO_ROOT": self.root, "FAULT_IO_LOG": log})
        calls = [line.split(" ") for line in self.read(log).splitlines()]
        self.assertEqual([os.path.join(self.root, "blobs/sha256")], [path for _, call, path, *_ in calls if call.endswith("sync")])


if __name__ == "__main__":
    main()
