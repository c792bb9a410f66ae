"""du and prune: what goes, what stays and why, while others build, and when they are killed."""
import json
import os
import random
import subprocess
import time

from harness import AMD64, SLIPWAY, SlipwayCase, main

DATA = "RUN dd if=/dev/urandom of=/data bs=64k count=16 2>/dev/null; echo $NUMBER > /number\n"
DOCKERFILE = "FROM busybox\nARG NUMBER\n" + DATA


class Prune(SlipwayCase):
    def setUp(self):
        super().setUp()
        self.import_busybox(platforms=AMD64)

    def records(self, *args):
        return [json.loads(line) for line in self.slipway("du", "--format", "json", *args).out.splitlines()]

    def numbered(self, number, *args, **options):
        return self.build(self.context(DOCKERFILE), "--build-arg", "NUMBER=%s" % number, *args, platforms=AMD64, **options)

    def hits(self, number):
        """Whether the step's result was found; the base is step 1."""
        return "#2 CACHED" in self.numbered(number, "--progress", "plain").err

    def used(self):
        """What the store takes, as du(1) sees it."""
        return int(subprocess.run(["du", "-s", "-B1", self.root], capture_output=True, text=True, check=True).stdout.split()[0])

    def exports(self, number, name):
        """Whether the image can be made into a layout with everything in it."""
        layout = self.path("layout-%s" % name)
        self.numbered(number, "-o", "type=oci,tar=false,dest=" + layout)
        manifest, _ = self.layout_image(layout, AMD64)
        for layer in manifest["layers"]:
            self.assertEqual(layer["size"], os.path.getsize(self.blob_path(layout, layer["digest"])))

    def test_what_no_image_needs_goes(self):
        self.numbered(1)
        self.numbered(2, "-t", "app:2")
        before = self.used()
        dry = self.slipway("prune", "--dry-run", "--verbose")
        self.assertIn("part of the image docker.io/library/app:2 in the store", dry.out)
        self.assertEqual(before // 4096, self.used() // 4096)
        pruned = self.slipway("prune", "--force")
        self.assertIn("Removed:", pruned.out)
        self.assertLess(self.used(), before - (1 << 20))
        self.check_store()
        self.assertIn("app:2", self.slipway("images").out)
        self.assertTrue(self.hits(2))
        self.assertNotIn("true", [record["reclaimable"] for record in self.records()])
        self.slipway("prune", "--force", "--all")
        self.check_store()
        self.assertEqual([], self.records("--filter", "type=regular"))
        self.exports(2, "again")

    def test_du_says_what_du_says(self):
        self.numbered(1, "-t", "app")
        total = sum(record["size"] for record in self.records())
        self.assertLess(abs(self.used() - total), 1 << 20)  # the database and directories
        text = self.slipway("du").out
        self.assertIn("RECLAIMABLE", text)
        self.assertIn("Total:", text)
        self.assertIn("Kept because:", self.slipway("du", "--verbose").out)
        self.assertIn("RUN dd", json.dumps(self.records("--filter", "description~=RUN")))

    def test_the_cap_holds_and_takes_the_oldest(self):
        for number in range(6):
            self.numbered(number)
            self.pass_time()
        self.numbered(0)  # a hit
        cap = self.used() - (4 << 20)
        self.slipway("prune", "--force", "--max-used-space", str(cap), "--keep-duration", "24h")
        self.assertLessEqual(self.used(), cap + (64 << 10))
        self.assertTrue(self.hits(0))
        self.assertTrue(self.hits(5))
        self.assertFalse(self.hits(1))
        self.check_store()

    def pass_time(self):
        """Uses are told apart by the second."""
        now = int(time.time())
        while int(time.time()) == now:
            os.sched_yield()

    def test_a_cap_that_cannot_be_met_is_said(self):
        self.numbered(1, "-t", "app")
        said = self.slipway("prune", "--force", "--max-used-space", "1kb").err
        self.assertIn("asked for, and nothing more may go; most of it, ", said)
        self.assertIn("app", self.slipway("images").out)

    def test_keep_duration_keeps_what_is_young(self):
        self.numbered(1)
        result = self.slipway("prune", "--force", "--verbose", "--keep-duration", "1h")
        self.assertIn("used within the keep duration", result.out)
        self.assertTrue(self.hits(1))

    def test_filters(self):
        self.build(self.context("FROM busybox\nRUN --mount=type=cache,target=/c,id=mine echo x > /c/x\n"), platforms=AMD64)
        caches = self.records("--filter", "type=exec.cachemount")
        self.assertEqual(["exec.cachemount"], [record["type"] for record in caches])
        self.assertIn("mine", caches[0]["description"])
        self.slipway("prune", "--force", "--filter", "id=" + caches[0]["id"])
        self.assertEqual([], self.records("--filter", "type=exec.cachemount"))
        self.assertNotEqual([], self.records("--filter", "type=regular"))
        self.assertIn("did you mean type?", self.slipway("prune", "--filter", "tpe=x", expect=2).err)
        self.assertIn("expected a size", self.slipway("prune", "--max-used-space", "much", expect=2).err)

    def test_a_running_build_keeps_what_it_uses(self):
        pruned = []
        gate = self.gate(lambda: pruned.append(self.slipway("prune", "--force", "--all", "--verbose").out))
        dockerfile = """FROM busybox AS first
RUN echo first > /first
FROM busybox
RUN --mount=type=cache,target=/cache echo kept > /cache/kept
COPY --from=first /first /first
RUN --mount=type=cache,target=/cache wget -q -O - http://%s/ && cat /first /cache/kept
RUN cat /first
""" % gate.host
        out = self.path("out")
        self.build(self.context(dockerfile), "-o", out, "-t", "app", platforms=AMD64)
        self.assertIn("in use by a running build", pruned[0])
        self.assertEqual("first\n", self.read(out, "first"))
        self.check_store()

    def test_builds_and_prunings_at_once(self):
        self.context(DOCKERFILE)
        loop = 'set -e; for i in 1 2 3 4 5 6; do %s; done'
        build = '"$0" build --progress none --platform linux/amd64 --build-arg NUMBER=$i -t app:%d-$i context'
        prune = '"$0" prune --force %s >/dev/null'
        commands = [build % 1, build % 2, prune % "--all", prune % "--max-used-space 4m --all 2>/dev/null"]
        running = [subprocess.Popen(["sh", "-c", loop % command, SLIPWAY], cwd=self.dir, env=self.environment(),
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for command in commands]
        for process in running:
            out, _ = process.communicate(timeout=600)
            self.assertEqual(0, process.returncode, out)
        self.check_store()
        self.assertEqual(12, self.slipway("images").out.count("/amd64") - 1)
        for number in (1, 6):
            self.exports(number, number)
        self.assertEqual([], os.listdir(os.path.join(self.root, "tmp")))

    def test_kill_at_random_moments(self):
        seed = int(os.environ.get("SLIPWAY_CRASH_SEED", str(random.randrange(1 << 30))))
        print("seed %d" % seed)
        chance = random.Random(seed)
        for number in range(int(os.environ.get("SLIPWAY_PRUNE_CRASHES", "8"))):
            self.numbered(number)
            self.numbered(-number, "-t", "app")
            process = self.start("prune", "--force", "--all")
            try:
                process.communicate(timeout=chance.uniform(0, 0.3))
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
            with self.subTest("seed %d, round %d" % (seed, number)):
                self.check_store()
        self.slipway("prune", "--force", "--all")
        self.exports("last", "last")


if __name__ == "__main__":
    main()
