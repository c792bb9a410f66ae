"""The collection of garbage at the end of builds, as slipway.toml says."""
import os
import subprocess

from harness import AMD64, SLIPWAY, SlipwayCase, main

DOCKERFILE = "FROM busybox\nARG NUMBER\nRUN dd if=/dev/urandom of=/data bs=64k count=32 2>/dev/null; echo $NUMBER > /number\n"
MEGABYTE = 1 << 20


class Gc(SlipwayCase):
    def setUp(self):
        super().setUp()
        self.import_busybox(platforms=AMD64)
        self.context(DOCKERFILE)

    def config(self, text):
        return self.write(".config/slipway/slipway.toml", text)

    def numbered(self, number, *args, **options):
        return self.slipway("build", "--progress", "plain", "--platform", AMD64, "--build-arg", "NUMBER=%s" % number, *args,
                            self.path("context"), **options)

    def used(self):
        return int(subprocess.run(["du", "-s", "-B1", self.root], capture_output=True, text=True, check=True).stdout.split()[0])

    def test_a_cap_holds_after_every_build(self):
        self.numbered("first", "-t", "app")  # what one image takes must fit in
        cap = self.used() + 9 * MEGABYTE
        self.config("[worker.oci]\nmaxUsedSpace = %d\n" % cap)
        most = 0
        for number in range(9):
            self.numbered(number, "-t", "app")
            self.assertLessEqual(self.used(), cap, "after build %d" % number)
            most = max(most, self.used())
        self.assertGreater(most, cap - 6 * MEGABYTE, "more was removed than had to be")
        self.assertIn("CACHED", self.numbered(8, "-t", "app").err)
        self.check_store()

    def test_builds_at_once_keep_to_the_cap_in_the_end(self):
        cap = self.used() + 12 * MEGABYTE
        self.config("[[gc.gcpolicy]]\nall = true\nmaxUsedSpace = %d\n" % cap)
        loop = 'set -e; for i in 1 2 3 4; do "$0" build --progress none --platform linux/amd64 --build-arg NUMBER=%d$i context; done'
        running = [subprocess.Popen(["sh", "-c", loop % number, SLIPWAY], cwd=self.dir, env=self.environment(),
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for number in range(3)]
        running.append(subprocess.Popen(["sh", "-c", 'for i in 1 2 3 4 5 6; do "$0" prune --force --all; done', SLIPWAY], cwd=self.dir,
                                        env=self.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT))
        for process in running:
            out, _ = process.communicate(timeout=600)
            self.assertEqual(0, process.returncode, out)
        self.assertLessEqual(self.used(), cap)
        self.check_store()

    def test_what_is_wrong_in_the_file_is_told_before_the_build(self):
        path = self.config("[worker.oci]\nmaxUsedSpce = 1\n")
        message = self.numbered(1, expect=2).err
        self.assertIn("ERROR: %s:2:1: there is no key \"maxUsedSpce\" in [worker.oci]" % path, message)
        self.assertIn("did you mean maxUsedSpace?", message)
        self.assertIn("nowhere.toml", self.numbered(1, "--config", "nowhere.toml", expect=2).err)
        self.numbered(1, env={"SLIPWAY_CONFIG": ""})

    def test_caches_have_a_cap_of_their_own(self):
        self.context("FROM busybox\nARG NUMBER\n"
                     "RUN --mount=type=cache,target=/c dd if=/dev/urandom of=/c/$NUMBER bs=64k count=32 2>/dev/null\n")
        config = self.write("slipway.toml", '[[gc.gcpolicy]]\nfilters = ["type==exec.cachemount"]\nmaxMatchedSpace = "3MB"\n')
        caches = os.path.join(self.root, "cache-mounts")
        self.numbered(1, "--config", config)
        self.assertEqual(1, len(self.slipway("du", "--filter", "type=exec.cachemount", "--format", "json").out.splitlines()))
        self.numbered(2, env={"SLIPWAY_CONFIG": config})
        self.assertEqual("", self.slipway("du", "--filter", "type=exec.cachemount", "--format", "json").out)
        self.assertTrue(os.path.isdir(caches))
        self.assertIn("CACHED", self.numbered(2).err)


if __name__ == "__main__":
    main()
