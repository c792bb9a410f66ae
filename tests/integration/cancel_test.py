"""Ctrl-C: the containers die, no mount and no process stays, the store is whole, and the exit code is 130."""
import os
import random
import signal

from harness import BOTH, SlipwayCase, main, mounts_with, processes_with, wait_until


class Cancel(SlipwayCase):
    def setUp(self):
        super().setUp()
        self.marker = str(random.randrange(10**8, 10**9))  # of this test's own sleep

    def started(self, *args):
        """A build whose steps have all said that they run, and hang."""
        self.import_busybox()
        context = self.context("FROM busybox\nRUN trap '' TERM; echo step-is-running; while :; do sleep %s; done\n" % self.marker)
        process = self.start("build", "--platform", BOTH, *args, context)
        seen = 0
        while seen < 2:
            line = process.stderr.readline()
            self.assertNotEqual("", line, "the build ended early")
            seen += line.rstrip().endswith(" step-is-running")
        return process

    def assert_nothing_stays(self):
        self.assertEqual([], processes_with(self.marker))  # of the steps
        self.assertEqual([], processes_with(self.root))    # of slipway itself: the store is in their environment
        self.assertEqual([], mounts_with(self.root))
        self.check_store()

    def test_ctrl_c(self):
        process = self.started("--metadata-file", self.path("m.json"))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        self.assertEqual(130, process.returncode, err)
        self.assertIn("ERROR: cancelled", err)
        self.assertEqual("cancelled", self.read_json(self.path("m.json"))["slipway"]["error"]["kind"])
        self.assert_nothing_stays()

    def test_terminate(self):
        process = self.started()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        self.assertEqual(130, process.returncode)
        self.assert_nothing_stays()

    def test_second_ctrl_c_does_not_wait(self):
        process = self.started()
        # One step cannot end while the process that keeps it is frozen, so the build has to wait for it.
        os.kill(self.keeper_of_a_step(), signal.SIGSTOP)
        process.send_signal(signal.SIGINT)
        while not process.stderr.readline().endswith(" CANCELED\n"):  # the other step ended: the first Ctrl-C is at work
            self.assertIsNone(process.poll(), "the build ended although a step hangs")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=8)  # less than the grace that a first one gives
        self.assertEqual(130, process.returncode)
        self.assert_nothing_stays()

    def keeper_of_a_step(self):
        """The process of slipway's own that is right above a step's crun: it runs from memory."""
        pid = processes_with(self.marker)[0]
        while not os.readlink("/proc/%d/exe" % pid).startswith("/memfd:slipway-launch"):
            with open("/proc/%d/status" % pid) as file:
                pid = next(int(line.split()[1]) for line in file if line.startswith("PPid:"))
        return pid

    def test_kill_9(self):
        process = self.started()
        process.kill()
        process.communicate(timeout=60)
        wait_until(lambda: not processes_with(self.marker) and not processes_with(self.root))
        self.assert_nothing_stays()
        self.build(self.context("FROM busybox\nRUN true\n", name="next"))


if __name__ == "__main__":
    main()
