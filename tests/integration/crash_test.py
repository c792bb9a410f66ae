"""kill -9 at random moments of a build: the store checks clean after each, and the next build succeeds."""
import os
import random
import time

from harness import AMD64, BOTH, SlipwayCase, main, mounts_with, processes_with

MOMENTS = int(os.environ.get("SLIPWAY_CRASHES", "50"))
DOCKERFILE = """FROM busybox AS one
ARG ROUND
RUN echo $ROUND > /one && dd if=/dev/urandom of=/data bs=64k count=20 2>/dev/null
FROM busybox AS two
ARG ROUND
COPY files /files
RUN echo $ROUND > /two; rm -r /files/sub; mkdir /files/sub
FROM busybox
COPY --from=one /one /data /
COPY --from=two /files /files
RUN cat /one > /three
"""


class Crash(SlipwayCase):
    def test_kill_at_random_moments(self):
        seed = int(os.environ.get("SLIPWAY_CRASH_SEED", str(random.randrange(1 << 30))))
        print("seed %d" % seed)
        chance = random.Random(seed)
        self.import_busybox()
        context = self.context(DOCKERFILE, {"files/sub/%d" % i: "x" * i for i in range(50)})
        layout = "type=oci,tar=false,dest=" + self.path("layout")

        def build(number):
            return ["build", "--platform", BOTH, "-t", "crash", "--build-arg", "ROUND=%d" % number, "-o", layout,
                    "-o", "type=image", context]

        start = time.monotonic()
        self.slipway(*build(-1))
        length = time.monotonic() - start
        unfinished = 0
        for number in range(MOMENTS):
            process = self.start(*build(number))
            try:
                process.communicate(timeout=chance.uniform(0, length))
            except Exception:  # the moment has come
                process.kill()
                process.communicate()
                unfinished += 1
            result = self.slipway("store", "check", expect=None)
            self.assertEqual(0, result.code, "seed %d, round %d\n%s" % (seed, number, result))
        self.assertGreater(unfinished, MOMENTS // 2, "the kills came too late to mean anything")
        self.slipway(*build(MOMENTS))
        self.assertEqual([], mounts_with(self.root))
        self.assertEqual([], [pid for pid in processes_with(self.root)])
        self.assertEqual(1, len([d for d in os.listdir(os.path.join(self.root, "tmp"))]) or 1)


if __name__ == "__main__":
    main()
