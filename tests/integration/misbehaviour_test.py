"""Steps, emulators and machines that misbehave: one message, everything gone, a whole store, and the other platform goes on if
asked to."""
import os
import subprocess
import sys

from harness import AMD64, ARM64, BOTH, CACHE, SLIPWAY, ControlGroup, SlipwayCase, main, may_make_groups, mounts_with, need, \
    need_platform, need_program, private_binfmt, processes_with, run, wait_until
from rootless_test import UserWithRange

# As many processes as there can be, which make more as soon as there can be: in one process group, or each in its own.
FORKING = r"""
#include <signal.h>
#include <unistd.h>

int main(int argc, char** argv) {
  signal(SIGTERM, SIG_IGN);
  while (1)
    if (fork() == 0 && argv[1][0] == 's') setsid();
}
"""

ON_AMD64 = "FROM busybox\nARG TARGETARCH\nENV M=%s\nRUN if [ $TARGETARCH = amd64 ]; then %s; fi\nRUN echo went on\n"


class Misbehaviour(SlipwayCase):
    isolation = "oci"

    def setUp(self):
        super().setUp()
        if self.isolation != "oci":
            need(os.geteuid() == 0, "only root can chroot")
            need_program("proot")
        self.import_busybox()
        self.mark = "mark-" + os.urandom(6).hex()

    def environment(self, extra=None):
        return super().environment({"SLIPWAY_ISOLATION": self.isolation, **(extra or {})})

    def check_all_gone(self):
        for text in (self.root, self.mark):
            self.assertEqual([], processes_with(text))
        self.assertEqual([], mounts_with(self.root))
        self.check_store()

    def fails_alone(self, command, *args, because):
        """A step that fails on amd64, while arm64 comes to its end."""
        context = self.context(ON_AMD64 % (self.mark, command))
        result = self.build(context, "--progress=plain", "--keep-going", "--no-cache", *args, expect=1)
        self.assertEqual(1, result.err.count("\nERROR: "), result)
        self.assertIn(because, result.err)
        self.assertIn("went on", result.err)
        self.check_all_gone()


class Steps:
    """In every tier."""

    def test_that_fails(self):
        self.fails_alone("exit 7", because="exit code: 7")

    def test_that_crashes(self):
        self.fails_alone("sh -c 'kill -SEGV $$' || exit $?", because="exit code: 139")

    def test_that_fails_while_something_in_its_background_ends_well(self):
        self.fails_alone("sleep 0.01 & exit 7", because="exit code: 7")

    def test_that_ignores_sigterm(self):
        self.fails_alone("trap '' TERM; sleep 600 & wait; sleep 600", "--step-timeout", "5s",
                         because="was stopped: it ran for longer than 5s (--step-timeout)")

    def test_that_leaves_daemons(self):
        context = self.context("FROM busybox\nENV M=%s\nRUN (setsid sleep 4242 &) ; nohup sleep 4243 >/dev/null 2>&1 & true\n" % self.mark)
        self.build(context)
        self.check_all_gone()

    def context_with_forking(self, run_it):
        """Never to be built outside of a group that bounds it: nothing else might end it."""
        need_program("gcc")
        context = self.context("FROM busybox\nENV M=%s\nCOPY forking /\n%s\n" % (self.mark, run_it))
        run(["gcc", "-static", "-O1", "-o", context + "/forking", self.write("forking.c", FORKING)])
        return context

    def forks_faster_than_one_can_kill(self, groups, run_it, *args, because=""):
        context = self.context_with_forking(run_it % groups)
        with ControlGroup("pids", {"pids.max": 100}) as group:
            process = self.start("build", "--progress=plain", "--platform", AMD64, *args, context, preexec_fn=group.enter)
            _, said = process.communicate(timeout=60)
            self.assertEqual([], group.processes())
        self.assertEqual(1 if because else 0, process.returncode, said)
        self.assertIn(because, said)
        self.check_all_gone()

    def test_that_forks_without_end_is_ended(self):
        for groups in ("same", "several"):
            self.forks_faster_than_one_can_kill(groups, 'RUN ["/forking", "%s"]', "--step-timeout", "1s",
                                                because="was stopped: it ran for longer than 1s (--step-timeout)")

    def test_that_leaves_something_that_forks_without_end(self):
        for groups in ("same", "several"):
            self.forks_faster_than_one_can_kill(groups, "RUN /forking %s & sleep 0.2")

    def test_that_forks_without_end_goes_with_a_killed_slipway(self):
        context = self.context_with_forking('RUN ["/forking", "several"]')
        with ControlGroup("pids", {"pids.max": 100}) as group:
            with self.start("build", "--platform", AMD64, context, preexec_fn=group.enter) as process:
                self.assertTrue(wait_until(lambda: len(group.processes()) > 60 or process.poll() is not None))
                process.kill()
            self.assertTrue(wait_until(lambda: not group.processes()), group.processes())
        self.check_all_gone()

    def test_that_closes_its_output_is_waited_for(self):
        context = self.context("FROM busybox\nENV M=%s\nRUN exec >&- 2>&-; sleep 0.3; echo done > /mark\nRUN cat /mark\n" % self.mark)
        self.assertIn("done", self.build(context, "--progress=plain").err)
        self.check_all_gone()

    def test_that_fills_the_disk(self):
        need(os.geteuid() == 0, "a small file system can only be mounted by root")
        os.mkdir(self.path("small"))
        context = self.context("FROM busybox\nRUN head -c 100m /dev/zero > /big\n")
        script = """mount -t tmpfs -o size=24m none small && "$0" import "$1" --platform linux/amd64 -t busybox || exit 99
                    "$0" build --progress=plain --platform linux/amd64 "$2"; code=$?
                    "$0" store check >&2 || exit 98
                    exit $code"""
        process = subprocess.run(["unshare", "-m", "--propagation", "private", "sh", "-c", script, SLIPWAY,
                                  os.path.join(CACHE, "busybox-amd64.tar"), context], cwd=self.dir, capture_output=True, text=True,
                                 env=self.environment({"SLIPWAY_ROOT": self.path("small", "store")}), timeout=300)
        self.assertEqual(1, process.returncode, process.stderr)
        self.assertEqual(1, process.stderr.count("\nERROR: "), process.stderr)
        self.assertIn("the disk of %s is full" % self.path("small", "store"), process.stderr.split("\nERROR: ")[1])


class ByOci(Steps, Misbehaviour):
    def test_that_forks_without_end(self):
        need(may_make_groups(), "no control groups can be made here")
        self.fails_alone("b() { b | b & b; }; b; exit 9", "--pids-limit", "50", "--step-timeout", "60s",
                         because="the step may have 50 processes (--pids-limit)")

    def test_that_writes_without_end_takes_neither_memory_nor_the_build(self):
        context = self.context("FROM busybox\nENV M=%s\nRUN yes slipway | head -c 1024m; echo; echo end of it\n" % self.mark)
        script = ("import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); "
                  "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
        used = run([sys.executable, "-c", script, SLIPWAY, "build", "--progress=quiet", "--platform", AMD64, context],
                   env=self.environment())
        self.assertLess(int(used.split()[-1]), 150 << 10, "KiB of memory")
        self.check_all_gone()


class ByChroot(Steps, Misbehaviour):
    isolation = "chroot"


class ByProot(Steps, Misbehaviour):
    isolation = "proot"


# An emulator that passes its test and crashes later: as long as the program is not called "crash", it is the one behind it in
# the same file.
CRASHING = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/auxv.h>
#include <sys/sendfile.h>
#include <unistd.h>

extern char** environ;
static const volatile char size[] = "SIZE=@@@@@@@@@@@@";

int main(int argc, char** argv) {
  if (argc > 1 && strstr(argv[1], "crash")) abort();
  const int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), real = memfd_create("qemu", MFD_CLOEXEC);
  off_t at = atol((const char*)size + 5);
  while (sendfile(real, self, &at, 1 << 30) > 0);
  if ((getauxval(AT_FLAGS) & 1) && argc > 2) {  // the kernel kept argv[0] (flag P), which is told to an emulator in this way
    char** changed = calloc(argc + 2, sizeof *changed);
    changed[0] = argv[0], changed[1] = "-0", changed[2] = argv[2], changed[3] = argv[1];
    memcpy(changed + 4, argv + 3, (argc - 3) * sizeof *changed);
    argv = changed;
  }
  fexecve(real, argv, environ);
  return 97;
}
"""


class Emulator(Misbehaviour):
    def test_that_crashes_in_a_step(self):
        need(private_binfmt(), "no private binfmt table")
        need_program("gcc")
        own = self.path("own")
        os.mkdir(own)
        run(["gcc", "-static", "-O1", "-o", own + "/stub", self.write("crashing.c", CRASHING)])
        with open(own + "/stub", "rb") as file:
            stub = file.read()
        stub = stub.replace(b"SIZE=@@@@@@@@@@@@", b"SIZE=%012d" % len(stub))
        with open("/usr/bin/qemu-aarch64-static", "rb") as file:
            self.write("own/qemu-aarch64-static", "", mode=0o755)
            with open(own + "/qemu-aarch64-static", "wb") as emulator:
                emulator.write(stub + file.read())
        context = self.context("FROM busybox\nENV M=%s\nRUN cp /bin/busybox /bin/crash\nARG TARGETARCH\n"
                               "RUN if [ $TARGETARCH = arm64 ]; then exec /bin/crash true; fi\nRUN echo went on\n" % self.mark)
        result = self.build(context, "--progress=plain", "--keep-going", "--qemu-dir", own, expect=1)
        self.assertNotIn("passed over", result.err)
        self.assertEqual(1, result.err.count("\nERROR: "), result)
        self.assertIn("exit code: 134", result.err)
        self.assertIn("linux/arm64", result.err.split("\nERROR: ")[1])
        self.assertIn("went on", result.err)
        self.check_all_gone()


class Machine(Misbehaviour):
    missing = ()
    isolations = "oci", "chroot", "proot"

    def start(self, *args, env=None, **_):
        """On a machine that lacks some programs."""
        hide = "for f in %s; do mount --bind /dev/null $f; done; exec \"$@\"" % " ".join(self.missing)
        become = ["setpriv", "--reuid=%d" % self.user, "--regid=%d" % self.user, "--clear-groups"] if self.user else []
        need(os.geteuid() == 0, "only root can hide programs")
        return subprocess.Popen(["unshare", "-m", "--propagation", "private", "sh", "-c", hide, "sh",
                                 *become, SLIPWAY, *args], cwd=self.dir, env=self.environment(env), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")

    def test_without_crun(self):
        self.missing = run(["which", "-a", "crun"]).split()
        context = self.context("FROM busybox\nRUN true\n")
        result = self.build(context, "--keep-going", expect=3)
        self.assertEqual(1, result.err.count("\nERROR: "), result)
        self.assertIn("crun, which runs the steps of a build, is not installed", result.err)
        self.assertIn("hint: apt-get install crun", result.err)
        self.check_all_gone()
        # What runs nothing needs none.
        self.build(self.context("FROM busybox\nCOPY Dockerfile /\n"))

    def test_whose_temporary_directory_is_of_no_use(self):
        """The store has its own."""
        need_program("proot")
        for isolation in self.isolations:
            for place in ("/nonexistent", "/proc"):
                context = self.context("FROM busybox\nENV M=%s\nRUN echo %s %s\n" % (self.mark, isolation, place))
                self.build(context, env={"SLIPWAY_ISOLATION": isolation, "TMPDIR": place}, platforms=AMD64)
        self.check_all_gone()

    def test_whose_temporary_directory_is_full(self):
        """The store has its own."""
        need_program("proot")
        for isolation in self.isolations:
            self.check_with_full_temporary_directory(isolation)

    def check_with_full_temporary_directory(self, isolation):
        need(os.geteuid() == 0, "a small file system can only be mounted by root")
        need_program("ssh-keygen")
        need_platform(ARM64)
        os.makedirs(self.path("tmp"), exist_ok=True)
        key = self.path("key-" + isolation)
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key])
        script = """mount -t tmpfs -o nr_inodes=1 none tmp || exit 99
                    "$0" build --progress=plain --platform "$1" context || exit 98
                    exec "$0" build --progress=plain --platform "$1" --ssh default="$2" with-key"""
        self.context("FROM busybox\nENV M=%s\nRUN echo ran by %s > /x\nCOPY Dockerfile /\n" % (self.mark, isolation))
        self.context("FROM busybox\nENV M=%s\nRUN --mount=type=ssh true\n" % self.mark, name="with-key")
        process = subprocess.run(["unshare", "-m", "--propagation", "private", "sh", "-c", script, SLIPWAY, BOTH, key], cwd=self.dir,
                                 env=self.environment({"TMPDIR": self.path("tmp"), "SLIPWAY_ISOLATION": isolation}),
                                 capture_output=True, text=True, timeout=300)
        self.assertEqual(3, process.returncode, process.stderr)
        self.assertEqual(1, process.stderr.count("\nERROR: "), process.stderr)
        self.assertIn("No space left on device", process.stderr)
        self.assertIn(self.path("tmp"), process.stderr.split("\nERROR: ")[1])
        self.check_all_gone()


class WithoutNewuidmap(UserWithRange, Machine):
    """The account has a range of ids, which nobody can give it: it has one."""
    user, name, first = 54331, "slipwaymapless", 2400000
    isolations = "oci", "proot"

    def setUp(self):
        self.missing = run(["which", "-a", "newuidmap"]).split()
        super().setUp()

    def test_without_newuidmap(self):
        context = self.context("FROM busybox\nCOPY --chown=5:5 Dockerfile /x\nRUN test $(stat -c %u /x) = 0 && test $(id -u) = 0\n")
        result = self.build(context, "--progress=plain")
        self.assertIn("becomes root's", result.err)
        self.check_all_gone()
        context = self.context("FROM busybox\nUSER 1000\nRUN id\n")
        result = self.build(context, "--keep-going", platforms=AMD64, expect=3)
        self.assertEqual(1, result.err.count("\nERROR: "), result)
        self.assertIn("install uidmap", result.err)
        self.check_all_gone()

    test_without_crun = test_whose_temporary_directory_is_full = None


del UserWithRange  # not a case of this file


if __name__ == "__main__":
    main()
