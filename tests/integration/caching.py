"""What the tests of caches outside the store share."""
import re
import shutil
import tempfile

from harness import AMD64, BOTH, Registry, SlipwayCase, need_program
from registry_proxy import Proxy


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
