"""Ctrl-C: the containers die, no mount and no process stays, the store is whole, and the exit code is 130."""
import os
import random
import signal
import time

from harness import AMD64, BOTH, SlipwayCase, main, mounts_with, processes_with


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
        self.assertEqual([], processes_with("sleep\x00" + self.marker))
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
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertNotEqual(0, process.returncode)
        self.assert_nothing_stays()

    def test_kill_9(self):
        process = self.started()
        process.kill()
        process.communicate(timeout=60)
        self.wait_until_gone("sleep\x00" + self.marker)
        self.assert_nothing_stays()
        self.build(self.context("FROM busybox\nRUN true\n", name="next"))

    def wait_until_gone(self, text):
        deadline = time.monotonic() + 30
        while processes_with(text) and time.monotonic() < deadline:
            os.sched_yield()


if __name__ == "__main__":
    main()
