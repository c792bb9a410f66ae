"""du and prune: what goes, what stays and why, while others build, and when they are killed."""
import json
import os
import random
import re
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
        """What the store takes beside its database, whose log grows with each lease, as du(1) sees it."""
        du = ["du", "-s", "-B1", "--exclude=slipway.db*", self.root]
        return int(subprocess.run(du, capture_output=True, text=True, check=True).stdout.split()[0])

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
        self.assertNotIn(True, [record["reclaimable"] for record in self.records()])
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
        for record in self.records():
            self.assertNotEqual(record["reclaimable"], bool(record["keptBecause"]), record)
        verbose = self.slipway("du", "--verbose").out
        kept = [record for record in self.records() if not record["reclaimable"]]
        self.assertNotEqual([], kept)
        self.assertEqual(len(kept), len(re.findall(r"(?m)^Kept because: +\S", verbose)))
        self.assertEqual(len(kept), len(re.findall(r"(?m)^Reclaimable: +false$", verbose)))
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
        self.assertIn("the limits leave it 1.0kB, and nothing more may go; most of it, ", said)
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

    def ids(self, *filters):
        return {record["id"] for record in self.records(*(arg for one in filters for arg in ("--filter", one)))}

    def cache(self, name, megabytes):
        """Its id in the store."""
        run = "RUN --mount=type=cache,target=/c,id=%s dd if=/dev/urandom of=/c/x bs=1M count=%d 2>/dev/null\n"
        self.build(self.context("FROM busybox\n" + run % (name, megabytes)), platforms=AMD64)
        [cache] = self.ids("type=exec.cachemount", "description~=" + name)
        return cache

    def test_filters_by_what_a_record_is_to_others(self):
        in_use = []
        gate = self.gate(lambda: in_use.append(self.ids("inuse")))
        self.build(self.context("FROM busybox\nRUN wget -q -O - http://%s/\n" % gate.host), "-t", "app", platforms=AMD64)
        cache = self.cache("mine", 1)
        everything = self.ids()
        [base] = self.ids("type=source.image")
        steps = self.ids("type=regular")
        with self.subTest("inuse"):
            self.assertIn(base, in_use[0])
            self.assertNotIn(cache, in_use[0])
            self.assertEqual(set(), self.ids("inuse"))
            self.assertEqual(everything, self.ids("inuse=false"))
        with self.subTest("shared and private"):
            shared, private = self.ids("shared"), self.ids("private")
            self.assertEqual(everything, shared | private)
            self.assertEqual(set(), shared & private)
            self.assertIn(base, shared)
            self.assertIn(cache, private)
            self.assertEqual(private, self.ids("shared=false"))
        with self.subTest("mutable and immutable"):
            self.assertEqual({cache}, self.ids("mutable"))
            self.assertEqual(everything - {cache}, self.ids("immutable"))
        with self.subTest("parents"):
            self.assertEqual(steps, self.ids("parents=" + base))
            self.assertEqual(steps, self.ids("parent=" + base))
            self.assertEqual(set(), self.ids("parents=" + cache))
        with self.subTest("until"):
            self.assertEqual(set(), self.ids("until=1h"))
            self.pass_time()
            self.pass_time()
            self.assertEqual(everything, self.ids("until=1s"))
        with self.subTest("all of them must match"):
            self.assertEqual(set(), self.ids("mutable", "shared"))
            self.assertEqual({cache}, self.ids("mutable,private"))
        with self.subTest("what a prune takes"):
            self.slipway("prune", "--force", "--all", "--filter", "mutable")
            self.assertEqual(everything - {cache}, self.ids())

    def test_space_that_is_free_or_reserved(self):
        self.numbered(1)
        before = self.ids()

        def pruned(*args):
            """What goes, and what is warned of."""
            result = self.slipway("prune", "--force", *args)
            return before - self.ids(), result.err

        self.assertEqual((set(), ""), pruned("--min-free-space", "1"))
        self.assertEqual((set(), ""), pruned("--max-used-space", "1kb", "--reserved-space", "100GB"))
        self.assertEqual((set(), ""), pruned("--min-free-space", "100%", "--reserved-space", "100GB"))
        gone, _ = pruned("--min-free-space", "100%", "--reserved-space", "1kb")
        self.assertTrue(any(one.startswith("snapshot-") for one in gone), gone)

    def test_a_limit_for_what_the_filters_match(self):
        first = self.cache("first", 2)
        self.pass_time()
        second = self.cache("second", 2)
        before = self.ids()
        self.slipway("prune", "--force", "--filter", "type=exec.cachemount", "--max-matched-space", "3MB")
        self.assertEqual({first}, before - self.ids())
        self.slipway("prune", "--force", "--filter", "type=exec.cachemount", "--max-matched-space", "1MB")
        self.assertEqual({first, second}, before - self.ids())

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
