"""What lies between steps: links that one plants for the next, secrets of those that run beside it, the files of the runtime
and of the store."""
import hashlib
import os
import re
import shutil
import subprocess
import threading

from attacker import AttackedCase, compile_attempts, compile_library
from harness import AMD64, main, need, need_program, run
from mounts_test import Agent
from rootless_test import WITHOUT_RANGE, UserWithRange

STRANGER = 54399
# Where slipway or the runtime puts or mounts something. Made a link to a place outside, by the image or by a step.
PLANTED = ("/etc/hosts", "/etc/resolv.conf", "/run", "/run/secrets", "/proc", "/dev", "/sys", "/cache", "/bound", "/work",
           "/copied", "/memory", "/etc", "/tmp")
USED = """RUN --mount=type=secret,id=s --mount=type=cache,target=/cache/c --mount=target=/bound/b \\
    --mount=type=tmpfs,target=/memory/m \\
    touch /cache/c/x /memory/m/x /tmp/x; cat /etc/hosts /etc/resolv.conf /run/marker /etc/marker; true
WORKDIR /work/w
COPY secret /copied/c/
ADD --chown=1:1 secret /copied/a/
RUN touch x && cat /work/marker /copied/marker /cache/marker /tmp/marker; true
"""


class Between:
    runtime = "crun"

    def setUp(self):
        super().setUp()
        self.write("secret", "a secret")
        self.secret = ["--secret", "id=s,src=" + self.path("secret")]
        self.give(self.path("secret"))

    def try_build(self, dockerfile, *args, files=None, **options):
        """What it said. Whether it succeeds is not the question."""
        context = self.context(dockerfile, files if files is not None else {"secret": "text"})
        result = self.slipway("build", "--platform", AMD64, "--progress", "plain", *args, context, expect=None, **options)
        self.assertIn(result.code, (0, 1, 3), result)
        self.assertNotIn(self.token, result.err + result.out)
        return result

    def targets(self, place):
        inside = self.path("outside", "marker" if place in ("/etc/hosts", "/etc/resolv.conf") else "")
        return inside.rstrip("/"), "../../../../../../../.." + inside.rstrip("/")

    def links(self, *places):
        """Each place with each way to lead out of the root."""
        return [(place, target) for place in places for target in self.targets(place)]

    def test_links_of_an_image_lead_nowhere(self):
        self.import_base()
        before, links = self.outside(), self.links(*PLANTED)
        for number, link in enumerate(links):
            self.import_base("planted%d" % number, [link])
        self.try_stages("", [USED] * len(links), ["planted%d" % number for number in range(len(links))])
        self.assertEqual(before, self.outside())

    def test_links_of_a_step_lead_nowhere(self):
        self.import_base()
        before = self.outside()
        links = self.links("/etc", "/run", "/cache", "/bound", "/work", "/copied", "/memory", "/tmp")
        self.try_stages("", ["RUN rm -rf %s 2>/dev/null; ln -sfn %s %s\n%s" % (place, target, place, USED) for place, target in links])
        self.assertEqual(before, self.outside())

    def try_stages(self, start, stages, bases=()):
        """One build of stages that do not need each other, by default of busybox, which goes on with the others when one fails."""
        names = ["s%d" % number for number in range(len(stages))]
        bases = bases or ["busybox"] * len(stages)
        text = start + "".join("FROM %s AS %s\n%s" % stage for stage in zip(bases, names, stages))
        text += "FROM scratch\n" + "".join("COPY --from=%s /nodes-setuid /%s\n" % (name, name) for name in names)
        result = self.try_build(text, "--keep-going", *self.secret)
        self.assertNotIn("CANCELED", result.err)
        for name in names:  # it was tried
            self.assertRegex(result.err, r"\[(linux/amd64 )?%s \d+/\d+\] " % name)

    def test_links_in_what_is_mounted_lead_nowhere(self):
        """The runtime itself makes the mount points below other mounts."""
        self.import_base()
        before = self.outside()
        cache = "--mount=type=cache,id=%s,target=/m" % self.mark
        for target in self.targets("/m/link"):
            with self.subTest(target=target):
                plant = "mkdir -p /m && ln -sfn %s /m/link && ln -sfn %s/marker /m/file" % (target, target)
                self.try_build("FROM busybox\nRUN %s %s\n" % (cache, plant))
                # All of them in one build, which goes on where one is refused.
                start, stages = "FROM busybox AS evil\nRUN mkdir /s && %s\n" % plant.replace("/m", "/s"), []
                for mounts in (cache, "--mount=from=evil,source=/s,target=/m", "--mount=from=evil,source=/s,target=/m,rw"):
                    for inner in ("type=secret,id=s,target=/m/link/s", "type=secret,id=s,target=/m/file", "type=tmpfs,target=/m/link",
                                  "type=tmpfs,target=/m/link/t", "type=cache,target=/m/link/c"):
                        mount = "%s --mount=%s" % (mounts, inner)
                        stages.append("RUN %s touch /m/link/x; cat /m/link/marker /m/file; true\n" % mount)
                    stages.append("WORKDIR /m/link/made\nRUN %s touch x; cat ../marker; true\n" % mount)
                self.try_stages(start, stages)
                self.assertEqual(before, self.outside())

    def test_working_directory_is_no_descriptor_of_the_runtime(self):
        """CVE-2024-21626."""
        self.import_base()
        stages = []
        for fd in range(3, 13):
            up = "cat ../../../../../../../..%s /proc/self/cwd/../../../../../../../..%s; echo %d" % (self.marker, self.marker, fd)
            stages.append("WORKDIR /proc/self/fd/%d\nRUN %s\n" % (fd, up))
            stages.append("RUN ln -s /proc/self/fd/%d /link\nWORKDIR /link\nRUN %s\n" % (fd, up))
        self.try_stages("", stages)

    def test_runtime_cannot_be_overwritten(self):
        """CVE-2019-5736."""
        self.import_base()
        runtime = shutil.which(self.runtime, path=self.environment()["PATH"])
        with open(runtime, "rb") as file:
            before = hashlib.sha256(file.read()).digest()
        libraries = re.findall(r"(/\S+) \(0x", run(["ldd", runtime]))
        context = self.context("FROM busybox\nCOPY libraries /\nCOPY --chmod=755 attempts start /\nCOPY preloaded.so /\n"
                               "COPY ld.so.preload /etc/\nRUN [\"/start\"]\n",
                               {"ld.so.preload": "/preloaded.so\n", "start": "#!/proc/self/exe\n"})
        for path in libraries:
            os.makedirs(context + "/libraries" + os.path.dirname(path), exist_ok=True)
            shutil.copy(path, context + "/libraries" + path)
        compile_attempts(os.path.join(context, "attempts"))
        compile_library(os.path.join(context, "preloaded.so"))
        result = self.slipway("build", "--platform", AMD64, "--progress", "plain", context, expect=None)
        with open(runtime, "rb") as file:
            self.assertEqual(before, hashlib.sha256(file.read()).digest())
        self.assertIn("runtime-file: held", result.err)

    def test_steps_at_the_same_time_see_nothing_of_each_other(self):
        """One holds a secret, an agent and a cache while the other looks for them."""
        need_program("ssh-agent")
        self.import_base()
        agent = Agent(self.dir, self.user)
        self.addCleanup(agent.close)
        holds, looked = threading.Event(), threading.Event()
        gates = [self.gate(opens) for opens in (holds.set, lambda: self.assertTrue(looked.wait(60)),
                                                lambda: self.assertTrue(holds.wait(60)), looked.set)]
        enter, stay, begin, end = ("wget -q -O - http://%s/" % gate.host for gate in gates)
        context = self.attack_context(dockerfile=(
            "FROM busybox AS holder\n"
            "RUN --mount=type=secret,id=t --mount=type=secret,id=t,env=SECRET --mount=type=ssh "
            "--mount=type=cache,id=c,target=/cache touch /cache/cache-%s && cat /run/secrets/t > /tmp/copy && %s && %s && touch /done\n"
            "FROM busybox AS attack\nENV M=%s\n"
            "RUN --mount=target=/x --mount=type=cache,id=other,target=/cache %s; sh /x/attempts.sh > /out; %s\n"
            "FROM scratch\nCOPY --from=holder /done /done\nCOPY --from=attack /out /out\n"
        ) % (self.mark, enter, stay, self.mark, begin, end))
        secret = self.write("token", self.token)
        self.give(secret)
        self.slipway("build", "--platform", AMD64, "-o", self.path("out"), "--secret", "id=t,src=" + secret, "--ssh", "default",
                     context, env=agent.env)
        self.check_seen(self.results(self.read(self.path("out"), "out")))

    def check_seen(self, found):
        self.assertEqual({"abstract-socket", "mounts_of_machine"}, {name for name, what in found.items() if what}, found)
        self.assertEqual("/cache ", found["mounts_of_machine"])  # its own

    def test_base_stays_as_it_is(self):
        self.import_base()
        state = "FROM busybox\nRUN cat /etc/passwd /etc/group > /out; ls -l /bin/sh /etc/passwd /etc/group >> /out\n"
        out = "-o", self.path("out")

        def seen():
            self.slipway("build", "--platform", AMD64, "--no-cache", *out, self.context(state))
            return self.read(self.path("out"), "out")

        before = seen()
        self.try_build("FROM busybox\nRUN echo x >> /etc/passwd; ln /etc/group /g && echo x >> /g; chmod 600 /etc/passwd; touch /etc/group\n"
                       "RUN --mount=from=busybox,target=/b,rw echo x >> /b/etc/group; ln /b/etc/passwd /b/p; echo x > /b/p\n")
        self.assertEqual(before, seen())

    def test_strangers_find_no_programs_of_images(self):
        """A program that takes its owner's rights must not be there for all users of the machine."""
        need(os.geteuid() == 0, "only root can become others")
        self.import_base()
        self.try_build("FROM busybox\nRUN cp /bin/busybox /suid && chmod 4755 /suid\n")
        os.chmod(self.root, 0o755)  # as one that the user made
        found = subprocess.run(["find", self.root, "-perm", "-4000", "-o", "-name", "busybox"], user=STRANGER, group=STRANGER,
                               extra_groups=[], capture_output=True, text=True)
        self.assertEqual("", found.stdout)


class AsRoot(Between, AttackedCase):
    def setUp(self):
        need(os.geteuid() == 0, "only root can be root")
        super().setUp()


class WithRunc(Between, AttackedCase):
    runtime = "runc"

    def setUp(self):
        need(os.geteuid() == 0, "only root can be root")
        need_program("runc")
        super().setUp()

    def environment(self, extra=None):
        return super().environment({"SLIPWAY_OCI_RUNTIME": self.runtime, **(extra or {})})


class ManyIds(UserWithRange, Between, AttackedCase):
    user, name, first = 54327, "slipwaybetween", 2200000


class OneId(Between, AttackedCase):
    user = WITHOUT_RANGE


class Apart(Between):
    """By a tier without namespaces, on the machine: what is moved or bound into a root is so by slipway itself."""
    isolation = None

    def setUp(self):
        need(os.geteuid() == 0, "only root can be root")
        need_program("proot")
        super().setUp()

    def environment(self, extra=None):
        return super().environment({"SLIPWAY_ISOLATION": self.isolation, **(extra or {})})

    def check_seen(self, found):
        """security_test.py has what is seen of a container; here that would be the machine."""
        for name in ("token_in_files", "others_cache", "sockets", "outside_file", "shared_memory_file"):
            self.assertEqual("", found[name], name)

    test_runtime_cannot_be_overwritten = None  # there is none


class ByChroot(Apart, AttackedCase):
    isolation = "chroot"

    def check_seen(self, found):
        super().check_seen(found)
        for name in ("token_in_processes", "roots_of_processes", "other_processes", "descriptors", "ptrace", "chroot-escape"):
            self.assertEqual("", found[name], name)


class ByProot(Apart, AttackedCase):
    isolation = "proot"


if __name__ == "__main__":
    main()
