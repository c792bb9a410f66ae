"""From inside a step: what of the machine can be seen, changed or left for. Everything that is tried must fail, but for what
docs/isolation.md says of a tier; and with the guards switched off it must succeed, or it would prove nothing."""
import glob
import os
import socket
import unittest

from attacker import AttackedCase, compile_attempts, names_of_attempts
from docker_like import InContainer
from harness import ARM64, main, need, need_platform, need_program, run
from rootless_test import WITHOUT_RANGE, UserWithRange

# A step has the machine's network unless it is given none.
SHARED_NETWORK = {"abstract-socket"}
# What --security=insecure opens to root, whatever the kernel was built with.
OPENED = {
    "mount-tmpfs", "mount-proc", "mount-bind", "remount", "umount", "pivot-root", "open-tree", "fsopen", "move-mount",
    "mount-setattr", "shell_mount", "mknod-block", "mknod-char", "shell_mknod", "device_nodes", "device_nodes_of_image",
    "unshare-mount", "unshare-uts", "unshare-ipc", "unshare-pid", "unshare-net", "unshare-cgroup", "clone-mount", "clone-uts",
    "clone-ipc", "clone-pid", "clone-net", "clone-cgroup", "setns", "proc_writes", "sys_writes", "capability-sets",
    "shell_capabilities", "ambient-raise", "open-by-handle", "file-capabilities", "setuid-root", "sethostname", "settimeofday",
    "reboot", "swapon", "acct", "syslog", "more-priority", "change-interface", "setuid-of-outside"}
# The same where the machine itself allows it: kernels are built without some, containers lack others.
OPENED_IF_THERE = {"bpf", "perf-event", "kexec", "init-module", "finit-module", "delete-module", "iopl", "unshare-time",
                   "overlay-attribute", "capset-raise"}
# What nothing but the filter of system calls keeps even root from, of what an ordinary user can do here.
FILTERED = {"add-key", "keyctl", "request-key", "clone-user", "clone3-user", "unshare-user", "io-uring", "userfaultfd", "vsock"}


class Attacks:
    """Whoever the user is."""
    expected = SHARED_NETWORK

    def setUp(self):
        super().setUp()
        self.import_base()

    def expect_broken(self, expected, found):
        broken = {name: what for name, what in found.items() if what}
        self.assertEqual(set(expected), set(broken), broken)

    def expect_unharmed(self, before):
        self.assertEqual(before, self.outside())
        self.assertIsNone(self.victim.poll(), "the process outside was ended")

    def test_nothing_is_reached(self):
        before = self.outside()
        self.expect_broken(self.expected, self.attack())
        self.expect_unharmed(before)

    def test_nothing_is_reached_without_network(self):
        self.expect_broken(self.expected - SHARED_NETWORK, self.attack("--network=none"))


class OtherUsers(Attacks):
    def test_nothing_is_reached_as_another_user(self):
        before = self.outside()
        found = self.attack(before="")
        self.expect_broken(self.expected, found)
        self.expect_unharmed(before)


class AsRoot(OtherUsers, AttackedCase):
    def setUp(self):
        need(os.geteuid() == 0, "only root can be root")
        super().setUp()

    def test_attempts_succeed_where_all_is_allowed(self):
        """The attempts are real: this is what the guards stop. Changes nothing of the machine's: attempts.c."""
        found = self.attack("--security=insecure", "--allow", "security.insecure")
        opened = OPENED | self.found_outside(OPENED_IF_THERE)
        if glob.glob("/sys/fs/cgroup/cgroup.procs") + glob.glob("/sys/fs/cgroup/*/cgroup.procs"):
            opened.add("cgroup_writes")
        self.assertEqual(set(), {name for name in opened if not found[name]})


class OneGuardOff(AttackedCase):
    """All others stand: what is found now is what this one stops."""

    def setUp(self):
        need(os.geteuid() == 0, "only root can be root")
        need_program("crun")
        super().setUp()
        self.import_base()

    def expect_opened(self, expected, change):
        found = self.attack(env=self.without_guard(change))
        self.assertEqual(set(), {name for name in expected if not found[name]}, found)

    def test_filter_of_system_calls(self):
        opened = self.found_outside(FILTERED, "setpriv", "--reuid", str(WITHOUT_RANGE), "--regid", str(WITHOUT_RANGE), "--clear-groups")
        if "unshare-user" in opened:
            opened.add("shell_unshare")
        need(opened, "an ordinary user of this machine can do nothing that the filter stops")
        self.expect_opened(opened, 'del spec["linux"]["seccomp"], spec["annotations"]')

    def test_masked_and_readonly_parts_of_proc(self):
        self.expect_opened({"proc_secrets", "proc_writes"}, 'del spec["linux"]["maskedPaths"], spec["linux"]["readonlyPaths"]')

    def test_terminals_of_the_steps_own(self):
        terminal, other = os.openpty()
        self.addCleanup(os.close, terminal)
        self.addCleanup(os.close, other)
        self.expect_opened({"terminals"}, """
for mount in spec["mounts"]:
    if mount["type"] == "devpts":
        mount.update(type="none", source="/dev/pts", options=["rbind"])
""")

    def test_descriptors_that_are_not_handed_down(self):
        self.expect_opened({"descriptors", "descriptors_of_first"}, """
os.dup2(os.open("/", os.O_RDONLY), 3)
sys.argv[sys.argv.index("run") + 1:sys.argv.index("run") + 1] = ["--preserve-fds", "1"]
""")

    def test_root_that_cannot_be_left_by_another(self):
        """Of the tier chroot, whose steps lack the capability."""
        jail = self.path("jail")
        os.mkdir(jail)
        compile_attempts(os.path.join(jail, "attempts"))
        text = run(["chroot", jail, "/attempts", "--only", "chroot-escape"], env={"MARKER": self.marker, "PATH": os.environ["PATH"]})
        self.assertIn("chroot-escape: BROKEN", text)


class EveryAttempt(unittest.TestCase):
    def test_is_proven_somewhere(self):
        """By a test that switches off what stops it: one that is new goes into one of these lists."""
        proven = OPENED | OPENED_IF_THERE | FILTERED | EVERYONES | CONTAINERS_PROC | {
            "read-memory", "take-descriptor", "ptrace", "cgroup_writes", "shell_unshare", "proc_secrets", "terminals",
            "descriptors_of_first", "chroot-escape"}
        self.assertEqual(set(), names_of_attempts(compiled=True) - proven)


class WithRunc(OtherUsers, AttackedCase):
    def setUp(self):
        need(os.geteuid() == 0, "only root can be root")
        need_program("runc")
        super().setUp()

    def environment(self, extra=None):
        return super().environment({"SLIPWAY_OCI_RUNTIME": "runc", **(extra or {})})


class ManyIds(UserWithRange, OtherUsers, AttackedCase):
    user, name, first = 54325, "slipwayguarded", 2100000


class OneId(Attacks, AttackedCase):
    user = WITHOUT_RANGE


class OneIdWithRunc(WithRunc):
    user = WITHOUT_RANGE
    test_nothing_is_reached_as_another_user = None  # there is none


class Emulated(OtherUsers, AttackedCase):
    """The shell's attempts only: what system calls do is the machine's own kernel's business, too."""
    compiled = False
    platform = ARM64
    expected = frozenset()

    def setUp(self):
        need_platform(ARM64)
        super().setUp()


# A process of the container's that is none of the step's, for the attempts to reach for.
VICTIM_INSIDE = """sleep 1000 & victim=$!
facts=$1/context/facts; shift
if [ -f "$facts" ]; then sed -i "s/^VICTIM=.*/VICTIM='$victim'/" "$facts"; fi
"$@"; code=$?
kill $victim 2>/dev/null
exit $code
"""
# What the container's filter decides; that of docker_like refuses less than Docker's.
CONTAINERS_OWN = {"io-uring", "userfaultfd", "vsock"}
# What docs/isolation.md says of both tiers: signals to processes of the container, its network; for root, its devices.
BELOW_OCI = SHARED_NETWORK | CONTAINERS_OWN | {"shell_signal", "signal"}
DEVICES = {"device_nodes_of_image"}
CONTAINERS_PROC = {"other_processes", "mounts_of_machine", "runtime_programs"}
# What proot only pretends to do, for a user who is not root.
PRETENDED = {"capset-raise", "mknod-block", "mknod-char", "shell_mknod", "overlay-attribute", "sethostname"}




def may_trace():
    """What a process may do to others of its user's where Yama does not forbid it."""
    try:
        with open("/proc/sys/kernel/yama/ptrace_scope") as file:
            allowed = file.read().strip() == "0"
    except FileNotFoundError:
        allowed = True
    return {"read-memory", "take-descriptor"} if allowed else set()


class Contained(InContainer, AttackedCase):
    """Where namespaces are refused. What holds less there is listed, and nothing else may."""

    def setUp(self):
        need(os.geteuid() == 0, "only root may make such containers")
        need_program("crun")
        need_program("proot")
        super().setUp()
        self.wrapper = ["/bin/sh", "-c", VICTIM_INSIDE, "sh", self.dir]

    def broken_by(self, tier):
        env = {"SLIPWAY_ISOLATION": tier}
        self.import_base(env=env)
        before = self.outside()
        found = self.attack(env=env)
        self.assertEqual(before, self.outside())
        self.assertIsNone(self.victim.poll(), "the process outside of the container was ended")
        return {name: what for name, what in found.items() if what}


class RootInContainer(Contained):
    def test_chroot(self):
        broken = self.broken_by("chroot")
        self.assertEqual(BELOW_OCI | DEVICES, set(broken), broken)

    def test_proot(self):
        broken = self.broken_by("proot")
        self.assertEqual(BELOW_OCI | DEVICES | CONTAINERS_PROC, set(broken), broken)


class RootWithNamespaces(Contained):
    """The kernel gives no fresh /proc in there: steps see the container's, but none of its processes can be reached."""
    namespaces = True

    def test_oci(self):
        broken = self.broken_by("oci")
        self.assertEqual(SHARED_NETWORK | {"other_processes"}, set(broken), broken)


class UserWithNamespaces(RootWithNamespaces):
    inside = WITHOUT_RANGE
    capabilities = ()


class UserInContainer(Contained):
    inside = WITHOUT_RANGE
    capabilities = ()

    def test_proot(self):
        broken = self.broken_by("proot")
        expected = BELOW_OCI | CONTAINERS_PROC | PRETENDED | may_trace() | {"environment", "token_in_processes"}
        self.assertEqual(expected, set(broken), broken)


# What any process of the user's can do, guards aside.
EVERYONES = SHARED_NETWORK | {
    "outside_file", "roots_of_processes", "token_in_files", "token_in_processes", "others_cache", "sockets",
    "shared_memory_file", "shared-memory", "other_processes", "environment", "shell_signal", "signal", "descriptors",
    "device_nodes", "mounts_of_machine"}


class Unguarded(AttackedCase):
    """No step at all: the attempts reach what the same user has outside, so that they can find it if a step has it."""
    user = WITHOUT_RANGE

    def test_all_is_found(self):
        need(os.geteuid() == 0, "only root can become others")
        context = self.attack_context()
        place = self.path("place")
        os.mkdir(place)
        self.give(place)
        self.write("outside/cache-" + self.mark, "")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.path("outside", "socket"))
            directory = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
            self.addCleanup(os.close, directory)
            env = {"PATH": os.environ["PATH"], "X": context, "PLACE": place, "SEARCHED": self.path("outside"), "OUTSIDE": "1"}
            # A mount to be seen, for there are machines without any but the kernel's own.
            os.mkdir(self.path("outside", "mounted"))
            start = ('mount -t tmpfs none "$SEARCHED/mounted" && '
                     'exec setpriv --reuid "$0" --regid "$0" --clear-groups sh "$X/attempts.sh"')
            text = run(["unshare", "-m", "--propagation", "private", "sh", "-c", start, str(self.user)], env=env, pass_fds=[directory])
        found = self.results(text)
        traced = may_trace() | {"ptrace"} if may_trace() else set()
        self.assertEqual(set(), {name for name in EVERYONES | traced if not found[name]}, found)


if __name__ == "__main__":
    main()
