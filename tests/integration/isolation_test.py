"""Where namespaces and mounts are refused: steps by chroot or proot, and the images are the same."""
import json
import os
import shutil
import signal
import subprocess
import sys

from docker_like import CAPABILITIES, give, start_in_container
from harness import AMD64, ARM64, BOTH, CACHE, SLIPWAY, SlipwayCase, emulated_by_host, main, need, need_program, \
    processes_with, run, step_lines, wait_until

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../conformance"))
from images import RECENT, apply_layer  # noqa: E402

NOBODY = 54321
KINDS = """FROM busybox AS build
WORKDIR /src
COPY a.txt .
RUN cat a.txt > b.txt && uname -m >> b.txt && id -u >> b.txt && id -g >> b.txt
RUN mkdir /gone /kept && touch /kept/old && ln b.txt hard && ln -s b.txt soft && chmod 4755 b.txt
RUN --mount=type=secret,id=s --mount=type=secret,id=s,target=/deep/er/secret,mode=0444 \\
    cat /run/secrets/s /deep/er/secret | wc -c > /secret-size
RUN --mount=type=cache,target=/root/.cache,id=c --mount=type=tmpfs,target=/scratch \\
    echo x > /root/.cache/f && touch /scratch/f && echo x > /dev/null
RUN --mount=type=bind,source=.,target=/mnt/ctx --mount=type=bind,source=a.txt,target=/one,rw \\
    cat /mnt/ctx/a.txt /one > /bound && rm -r /gone /kept && mkdir /kept && touch /kept/new && rm /etc/group
FROM busybox
COPY --from=build /src /out/
RUN --mount=type=bind,from=build,source=/src,target=/b cat /b/b.txt > /copied
COPY --from=build /bound /secret-size /kept /result/
"""
WITH_USER = KINDS + "USER app\nRUN id > /tmp/id && touch /tmp/mine\n"
FILES = {"a.txt": "text\n"}


def flattened(layout, platform):
    """{path: what it is} of a platform's image; what a build made has no time."""
    def blob(digest):
        with open(os.path.join(layout, "blobs", *digest.split(":")), "rb") as file:
            return file.read()

    with open(os.path.join(layout, "index.json")) as file:
        document = json.load(file)["manifests"][0]
    document = json.loads(blob(document["digest"]))
    for entry in document["manifests"]:
        if entry["platform"]["architecture"] == platform.split("/")[1]:
            document = json.loads(blob(entry["digest"]))
    tree = {}
    for layer in document["layers"]:
        apply_layer(tree, blob(layer["digest"]))
    for entry in tree.values():
        entry.mtime = "now" if entry.mtime >= RECENT else entry.mtime
    return {path: entry.text(path) if isinstance(entry.mtime, int) else entry.key() for path, entry in tree.items()}


class Isolation(SlipwayCase):
    def setUp(self):
        super().setUp()
        self.write("secret", "not to be seen")
        self.secret = "id=s,src=" + self.path("secret")

    def need_root(self):
        need(os.geteuid() == 0, "only root may make such containers")

    def built_layout(self, name, dockerfile=WITH_USER, platforms=BOTH, **options):
        """The layout, and what was said."""
        context = self.context(dockerfile, FILES)
        result = self.build(context, "--secret", self.secret, "-t", "x", "-o",
                            "type=oci,tar=false,dest=" + self.path(name), "--metadata-file", self.path("metadata.json"),
                            platforms=platforms, **options)
        return self.path(name), result

    def expect_same_images(self, one, other, platforms=BOTH):
        for platform in platforms.split(","):
            self.assertEqual(flattened(one, platform), flattened(other, platform))


class OnTheMachine(Isolation):
    """Tiers that are asked for where all would do."""

    def build_with(self, isolation):
        self.root = self.path("store-" + isolation)
        env = {"SLIPWAY_ISOLATION": isolation}
        tars = [os.path.join(CACHE, "busybox-%s.tar" % name) for name in ("amd64", "arm64")]
        self.slipway("import", *tars, "--platform", BOTH, "-t", "busybox", env=env)
        layout, result = self.built_layout("layout-" + isolation, env=env)
        self.assertNotIn("steps run by", result.err)  # it was asked for
        platforms = self.read_json(self.dir, "metadata.json")["slipway"]["platforms"]
        foreign = "proot" if isolation == "chroot" and not emulated_by_host(ARM64) else isolation
        self.assertEqual({AMD64: isolation, ARM64: foreign}, {each["platform"]: each["isolation"] for each in platforms})
        self.check_store()
        return layout

    def test_all_make_the_same_image(self):
        self.need_root()
        need_program("proot")
        oci, chroot, proot = (self.build_with(tier) for tier in ("oci", "chroot", "proot"))
        self.expect_same_images(oci, chroot)
        self.expect_same_images(oci, proot)

    def test_proot_does_without_device_nodes_as_root_of_a_user_namespace(self):
        """Root there has the capability to make them, and is refused all the same."""
        need_program("proot")
        context = self.context("FROM busybox\nRUN uname -m > /machine && echo $0 >> /machine && echo x > /dev/null\n")
        script = '"$1" import "$2" --platform linux/arm64 -t busybox && exec "$1" build --platform linux/arm64 -o "$3" "$4"'
        tar = os.path.join(CACHE, "busybox-arm64.tar")
        env = self.environment({"SLIPWAY_ISOLATION": "proot", "SLIPWAY_ROOT": self.path("store-of-namespace")})
        result = subprocess.run(["unshare", "-Ur", "sh", "-c", script, "sh", SLIPWAY, tar, self.path("out"), context], env=env,
                                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)
        self.assertEqual(0, result.returncode, result.stderr)
        self.assertEqual("aarch64\n/bin/sh\n", self.read(self.path("out"), "machine"))

    def test_the_tests_cannot_change_the_machine(self):
        self.need_root()
        need_program("proot")
        self.import_busybox(platforms=AMD64)
        context = self.context("FROM busybox\nRUN ! echo x > /proc/sys/kernel/hostname && ! mkdir /sys/fs/cgroup/slipway-test\n")
        self.build(context, platforms=AMD64, env={"SLIPWAY_ISOLATION": "proot"})

    def test_unknown_tier_is_a_usage_error(self):
        result = self.slipway("version", "--isolation=vm", expect=2)
        self.assertIn("expected auto, oci, chroot or proot", result.err)

    def test_caches_last_and_come_back_from_failures(self):
        self.need_root()
        self.import_busybox(platforms=AMD64)
        env = {"SLIPWAY_ISOLATION": "chroot"}
        step = "FROM busybox\nRUN --mount=type=cache,target=/c echo %s >> /c/f; cat /c/f > /seen; exit %d\n"
        self.build(self.context(step % ("one", 1)), platforms=AMD64, env=env, expect=1)
        self.build(self.context(step % ("two", 0)), "-o", self.path("out"), platforms=AMD64, env=env)
        self.assertEqual("one\ntwo\n", self.read(self.path("out"), "seen"))
        self.assertFalse(os.path.exists(self.path("out", "c")))

    def test_a_step_without_proc_is_told_who_has_one(self):
        self.need_root()
        self.import_busybox(platforms=AMD64)
        result = self.build(self.context("FROM busybox\nRUN cat /proc/self/status\n"), platforms=AMD64,
                            env={"SLIPWAY_ISOLATION": "chroot"}, expect=1)
        self.assertIn("--isolation=proot has one", result.err)

    def test_no_network_is_refused(self):
        self.need_root()
        self.import_busybox(platforms=AMD64)
        result = self.build(self.context("FROM busybox\nRUN --network=none true\n"), platforms=AMD64,
                            env={"SLIPWAY_ISOLATION": "chroot"}, expect=3)
        self.assertIn("--network=none needs a network namespace", result.err)

    def killed(self, isolation):
        """kill -9 of the process that the user started leaves nobody, and a store that is clean."""
        self.need_root()
        self.import_busybox(platforms=AMD64)
        mark = "MARK=" + os.path.basename(self.dir)
        # Twice forked, in sessions of their own.
        context = self.context("FROM busybox\nENV %s\nRUN --mount=type=cache,target=/c touch /c/f && "
                               "(busybox setsid sh -c 'busybox setsid sleep 1000 & sleep 1000' &) && sleep 1000\n" % mark)
        env = {"SLIPWAY_ISOLATION": isolation}
        process = self.start("build", "--platform", AMD64, context, env=env)
        sleepers = lambda: set(processes_with(mark)).intersection(processes_with("sleep\0" "1000"))
        self.assertTrue(wait_until(lambda: len(sleepers()) == 3), "the step does not run")
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        self.assertTrue(wait_until(lambda: not processes_with(mark)), "processes of the step survive")
        self.assertTrue(wait_until(lambda: not processes_with(self.root)), "processes of slipway survive")
        self.build(self.context("FROM busybox\nRUN --mount=type=cache,target=/c test -e /c/f\n"), platforms=AMD64, env=env)
        self.check_store()

    def test_kill_leaves_nobody_of_a_chroot(self):
        self.killed("chroot")

    def test_kill_leaves_nobody_of_a_proot(self):
        need_program("proot")
        self.killed("proot")


class InContainer(Isolation):
    """Docker's defaults."""
    inside = 0  # as whom slipway runs
    capabilities = CAPABILITIES
    namespaces = False
    rootless = False
    tier = "chroot"
    dockerfile = WITH_USER

    def setUp(self):
        super().setUp()
        self.need_root()
        need_program("crun")
        need_program("proot")
        self.bundles = 0
        self.masked = []

    def start(self, *args, env=None, root=None, **options):
        if root == "outside":
            return super().start("--root", self.path("outside"), *args, env=env, **options)
        self.bundles += 1
        bundle = "%s-bundle-%d" % (self.dir, self.bundles)
        os.mkdir(bundle)
        self.addCleanup(subprocess.run, ["rm", "-rf", bundle], check=False)
        give(self.dir, self.inside)
        program = self.path("slipway")
        if not os.path.exists(program):
            shutil.copy(SLIPWAY, program)
        for name in os.listdir(CACHE):
            if name.endswith(".tar") and not os.path.exists(self.path(name)):
                shutil.copy(os.path.join(CACHE, name), self.path(name))
        args = [arg.replace(CACHE + "/", self.dir + "/") for arg in args]
        name = "slipway-test-%d-%d" % (os.getpid(), self.bundles)
        return start_in_container(bundle, name, [program, *args], self.environment(env), [self.dir], user=self.inside,
                                  capabilities=self.capabilities, masked=self.masked, namespaces=self.namespaces, rootless=self.rootless)

    def test_same_image_as_outside(self):
        self.import_busybox()
        layout, result = self.built_layout("inside", self.dockerfile)
        self.assertEqual(1, result.err.count("steps run by " + self.tier))
        self.assertIn("clone: Operation not permitted", result.err)
        self.assertEqual(self.tier, self.read_json(self.dir, "metadata.json")["slipway"]["isolation"])
        self.check_store()
        self.import_busybox_outside()
        outside, _ = self.built_layout("outside-layout", self.dockerfile, root="outside")
        self.expect_same_images(outside, layout)

    def import_busybox_outside(self):
        tars = [os.path.join(CACHE, "busybox-%s.tar" % name) for name in ("amd64", "arm64")]
        self.slipway("import", *tars, "--platform", BOTH, "-t", "busybox", root="outside")

    def test_version_tells(self):
        out = self.slipway("version").out
        self.assertIn("steps    %s (namespaces are refused: clone: Operation not permitted)" % self.tier, out)
        self.assertIn("linux/arm64  emulated by qemu-aarch64", out)

    def test_version_needs_no_place_to_write_to(self):
        """What it would try there, it then does not know."""
        for nowhere in ("/nonexistent", "/proc"):
            out = self.slipway("version", env={"TMPDIR": nowhere}).out
            self.assertIn("runs     linux/amd64  native", out)
            self.assertIn("steps    " + self.tier, out)

    def test_oci_does_not_fall_back(self):
        self.import_busybox(platforms=AMD64)
        result = self.build(self.context("FROM busybox\nRUN true\n"), "--isolation=oci", platforms=AMD64, expect=3)
        self.assertIn("refuses user namespaces", result.err)

    def test_pushes(self):
        self.import_busybox(platforms=AMD64)
        registry = self.registry()
        self.build(self.context("FROM busybox\nRUN echo hi > /hi\n"), "-t", registry.host + "/x:1", "--push", platforms=AMD64)
        need_program("skopeo")
        out = run(["skopeo", "inspect", "--tls-verify=false", "docker://%s/x:1" % registry.host])
        self.assertEqual(2, len(json.loads(out)["Layers"]))

    def test_build_again_runs_nothing(self):
        self.import_busybox(platforms=AMD64)
        context = self.context(self.dockerfile, FILES)
        self.build(context, "--secret", self.secret, platforms=AMD64)
        again = self.build(context, "--secret", self.secret, platforms=AMD64)
        steps = step_lines(again.err)
        self.assertEqual({}, {name: said for name, said in steps.items() if said != ["CACHED"]})


class InRootlessContainer(InContainer):
    """As a rootless Podman runs it: root by name, whom the kernel lets make no device node."""
    rootless = True
    tier = "proot"
    dockerfile = KINDS

    def test_chroot_says_what_it_lacks(self):
        self.import_busybox(platforms=AMD64)
        result = self.build(self.context("FROM busybox\nRUN true\n"), "--isolation=chroot", platforms=AMD64, expect=3)
        self.assertIn("--isolation=chroot needs the right to make device nodes", result.err)


class InContainerWithNamespaces(InContainer):
    """As Docker runs it with `--security-opt seccomp=unconfined`: no privilege, but user namespaces."""
    namespaces = True
    tier = "oci"

    def test_same_image_as_outside(self):
        self.import_busybox()
        layout, result = self.built_layout("inside", self.dockerfile)
        self.assertNotIn("steps run by", result.err)
        shown = {each["platform"]: each for each in self.read_json(self.dir, "metadata.json")["slipway"]["platforms"]}
        self.assertEqual({AMD64: "oci", ARM64: "oci"}, {platform: each["isolation"] for platform, each in shown.items()})
        self.assertEqual("native", shown[AMD64]["mode"])
        self.assertRegex(shown[ARM64]["mode"], r"^emulated by qemu-aarch64 \d")
        self.check_store()
        self.import_busybox_outside()
        outside, _ = self.built_layout("outside-layout", self.dockerfile, root="outside")
        self.expect_same_images(outside, layout)

    def test_version_tells(self):
        self.assertRegex(self.slipway("version").out, r"steps    oci, by .*crun, rootless")

    def test_oci_does_not_fall_back(self):
        self.import_busybox(platforms=AMD64)
        self.build(self.context("FROM busybox\nRUN true\n"), "--isolation=oci", platforms=AMD64)


class UserInContainerWithNamespaces(InContainerWithNamespaces):
    """The same for an ordinary user of the container, who has one id."""
    inside = NOBODY
    capabilities = []
    dockerfile = KINDS


class UnprivilegedInContainer(InContainer):
    """And not even root: all files are one user's, and an image's are root's."""
    inside = NOBODY
    capabilities = []
    tier = "proot"
    dockerfile = KINDS

    def test_steps_believe_in_their_user(self):
        self.import_busybox(platforms=AMD64)
        self.build(self.context("FROM busybox\nRUN test $(id -u) = 0 && chown 5:6 /etc/passwd\nUSER app\nRUN test $(id -u) = 1000\n"),
                   platforms=AMD64)

    def test_without_proot_the_package_is_named(self):
        self.masked = [shutil.which("proot")]
        result = self.slipway("import", self.path("none.tar"), "-t", "x", expect=3)
        self.assertIn("apt-get install proot", result.err)
        self.assertIn("steps    none: this system refuses user namespaces", self.slipway("version").out)


if __name__ == "__main__":
    main()
