"""What the tests of caches outside the store share."""
import re
import shutil
import tempfile

from harness import AMD64, BOTH, Registry, SlipwayCase, need_program
from registry_proxy import Proxy

STEPS = """FROM %s AS build
COPY input /input
RUN echo built > /built; cat /input >> /built
FROM %s
RUN echo first > /first
COPY --from=build /built /built
RUN echo last > /last
"""


class CacheCase(SlipwayCase):
    """Machines that share nothing but caches, and a registry with a base image."""

    @classmethod
    def setUpClass(cls):
        need_program("docker-registry")
        cls.shared = tempfile.mkdtemp(prefix="slipway-test-cache-")
        cls.addClassCleanup(shutil.rmtree, cls.shared)
        cls.backend = Registry(cls.shared)
        cls.addClassCleanup(cls.backend.close)
        cls.base = None

    def setUp(self):
        super().setUp()
        if not type(self).base:
            name = self.backend.host + "/base:1"
            self.import_busybox(name)
            self.slipway("build", "--platform", BOTH, "-t", name, "--push", self.context("FROM %s\n" % name, name="base"))
            type(self).base = name
        self.machines = 0

    def machine(self):
        """The store of a machine that has built nothing."""
        self.machines += 1
        return self.path("machine-%d" % self.machines)

    def proxy(self, fault=lambda method, path: None):
        proxy = Proxy(self.backend.host, fault)
        self.addCleanup(proxy.close)
        return proxy

    def run_build(self, context, *args, platforms=AMD64, **options):
        return self.build(context, "--progress=plain", *args, platforms=platforms, **options)

    @staticmethod
    def ran(result):
        """The names of the steps, without their place, that were not cached."""
        names, cached = {}, set()
        for number, rest in re.findall(r"^#(\d+) (.*)$", result.err, re.MULTILINE):
            names.setdefault(number, rest)
            if rest == "CACHED":
                cached.add(number)
        steps = {number: name for number, name in names.items() if re.match(r"\[([^]]* )?\d+/\d+\] ", name)}
        assert steps, result
        return sorted(name.split("] ", 1)[1] for number, name in steps.items() if number not in cached)


class TwoStages(CacheCase):
    """One build and what it should be of caches that serve it or do not."""

    def steps(self, text="hello\n"):
        return self.context(STEPS % (self.base, self.base), {"input": text})

    def unusable(self, source, said, **options):
        """The build goes on without that cache and says so in one line; a required one is an error."""
        result = self.run_build(self.steps(), "--cache-from", source, root=self.machine(), **options)
        lines = [line for line in result.err.splitlines() if "going on without it" in line]
        self.assertEqual(1, len(lines), result)
        self.assertIn(said, lines[0])
        self.assertIn("RUN echo last > /last", self.ran(result))
        refused = self.run_build(self.steps(), "--cache-from", source + ",required=true", root=self.machine(), expect=3,
                                 **options)
        self.assertIn(said, refused.err.split("ERROR: ", 1)[1])
