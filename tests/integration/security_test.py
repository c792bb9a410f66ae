"""From inside a step: what of the machine can be seen, changed or left for. Everything that is tried must fail, but for what
docs/isolation.md says of a tier; and with the guards switched off it must succeed, or it would prove nothing."""
import os

from attacker import AttackedCase
from harness import ARM64, main, need, need_platform
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
    "reboot", "swapon", "acct", "syslog", "more-priority", "change-interface"}


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
        self.assertEqual(set(), {name for name in OPENED if not found[name]})


class ManyIds(UserWithRange, OtherUsers, AttackedCase):
    user, name, first = 54325, "slipwayguarded", 2100000


class OneId(Attacks, AttackedCase):
    user = WITHOUT_RANGE


class Emulated(OtherUsers, AttackedCase):
    """The shell's attempts only: what system calls do is the machine's own kernel's business, too."""
    compiled = False
    platform = ARM64
    expected = frozenset()

    def setUp(self):
        need_platform(ARM64)
        super().setUp()


if __name__ == "__main__":
    main()
