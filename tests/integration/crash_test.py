"""kill -9 at random moments of a build: the store checks clean after each, and the next build succeeds."""
import os
import random
import subprocess
import time

from harness import BOTH, SlipwayCase, main, mounts_with, processes_with, wait_until

# The claim is about 200.
MOMENTS = int(os.environ.get("SLIPWAY_CRASHES", "200" if os.environ.get("CI") else "50"))
FILES = 20
MANY = 300  # so many that a later copy of them amends the one before
# Small, so that many moments fit into a minute; each round is new work: layers, a removal, copies, two platforms.
DOCKERFILE = """FROM busybox AS made
ARG ROUND
COPY files /files
RUN echo $ROUND > /round; rm -r /files/sub; mkdir /files/sub; dd if=/dev/urandom of=/data bs=64k count=10 2>/dev/null
FROM busybox
COPY --from=made /files /files
COPY --from=made /round /data /
COPY many /many
"""


class Crash(SlipwayCase):
    def command(self, number, *outputs):
        return ["build", "--platform", BOTH, "-t", "crash", "--build-arg", "ROUND=%d" % number,
                *[word for output in outputs for word in ("-o", output)], self.path("context")]

    def round(self, number):
        return self.command(number, "type=image", "type=oci,tar=false,dest=" + self.path("layout"))

    def full_build(self, number):
        self.slipway(*self.round(number))
        self.assertIn("linux/amd64,linux/arm64", self.slipway("images").out.split("crash:latest", 1)[1].splitlines()[0])

    def test_kill_at_random_moments(self):
        seed = int(os.environ.get("SLIPWAY_CRASH_SEED", str(random.randrange(1 << 30))))
        print("seed %d" % seed)
        chance = random.Random(seed)
        self.import_busybox()
        files = {"files/sub/%d" % i: "x" * i for i in range(FILES)} | {"many/%d" % i: str(i) for i in range(MANY)}
        context = self.context(DOCKERFILE, files)
        newest = max(os.stat(os.path.join(context, name)).st_ctime for name in files)
        wait_until(lambda: time.time() > newest + 2.1)  # what was written a moment ago is never known
        self.full_build(-1)  # the very first also unpacks the base
        start = time.monotonic()
        self.full_build(-2)
        length = time.monotonic() - start  # kept true: other work on the machine comes and goes

        hit = 0
        for number in range(MOMENTS):
            with self.subTest("seed %d, round %d" % (seed, number)):
                self.context(DOCKERFILE, {"many/%d" % (number % MANY): "round %d" % number})
                start = time.monotonic()
                killed = self.killed(number, chance.uniform(0, length * 0.9))
                hit += killed
                length = length * 1.05 if killed else time.monotonic() - start
                self.check_store()
                self.full_build(number)
        print("%d of %d kills hit; a build takes %.2f s" % (hit, MOMENTS, length))
        self.assertGreater(hit, MOMENTS * 0.6, "the kills came too late to mean anything")
        self.assert_nothing_stays()
        self.slipway(*self.command(MOMENTS, self.path("out")))
        for platform in ("linux_amd64", "linux_arm64"):
            self.assertEqual("%d\n" % MOMENTS, self.read(self.path("out", platform, "round")))
            self.assertEqual([], os.listdir(self.path("out", platform, "files/sub")))

    def killed(self, number, moment):
        """Whether the build was still running at that moment; it is no more."""
        process = self.start(*self.round(number))
        try:
            _, err = process.communicate(timeout=moment)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return True
        self.assertEqual(0, process.returncode, err)
        return False

    def assert_nothing_stays(self):
        wait_until(lambda: not processes_with(self.root))
        self.assertEqual([], processes_with(self.root))
        self.assertEqual([], mounts_with(self.root))
        self.assertEqual([], os.listdir(os.path.join(self.root, "tmp")))


if __name__ == "__main__":
    main()
