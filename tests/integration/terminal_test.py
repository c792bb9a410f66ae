"""A build on a real terminal: the live view, its last picture and the table, and a typed Ctrl-C."""
import errno
import fcntl
import os
import random
import re
import select
import struct
import subprocess
import termios
import time

from harness import BOTH, SLIPWAY, SlipwayCase, main, mounts_with, processes_with

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]")


class Screen:
    """slipway on a pseudo terminal of its own; `text` is all that was ever drawn, without colours and movements."""

    def __init__(self, case, *args):
        self.master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.process = subprocess.Popen([SLIPWAY, *args], cwd=case.dir, env=case.environment({"TERM": "xterm"}), close_fds=True,
                                        pass_fds=[slave], preexec_fn=lambda: os.login_tty(slave))
        os.close(slave)
        self.raw = b""
        case.addCleanup(self.close)

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.master)

    @property
    def text(self):
        return ESCAPES.sub("", self.raw.decode(errors="replace")).replace("\r", "")

    def read(self):
        """Takes what is drawn next; False at the end."""
        ready, _, _ = select.select([self.master], [], [], 60)
        if not ready:
            raise AssertionError("nothing is drawn any more:\n" + self.text)
        try:
            data = os.read(self.master, 65536)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return False
        self.raw += data
        return bool(data)

    def read_until(self, pattern):
        while not re.search(pattern, self.text):
            if not self.read():
                raise AssertionError("ended without %r:\n%s" % (pattern, self.text))

    def type(self, data):
        os.write(self.master, data)

    def finish(self):
        while self.read():
            pass
        return self.process.wait(timeout=60)


class Terminal(SlipwayCase):
    def test_live_view_ends_with_the_table(self):
        self.import_busybox()
        context = self.context("FROM busybox\nRUN echo words of a step\nRUN true\n")
        screen = Screen(self, "build", "--platform", BOTH, "-t", "app", context)
        self.assertEqual(0, screen.finish(), screen.text)
        self.assertIn(b"\x1b[", screen.raw)
        last = screen.text[screen.text.rindex("[+] Building"):]
        self.assertIn("FINISHED", last)
        for platform in BOTH.split(","):
            self.assertRegex(last, r"(?m)^%s \(\d+/\d+\)" % platform)  # the group's heading
            self.assertRegex(last, r"(?m)^%s +sha256:[0-9a-f]{12} " % platform)  # the table's row
        self.assertLess(last.index("FINISHED"), last.index("PLATFORM"))
        self.assertRegex(last.rstrip().splitlines()[-1], r"^index sha256:[0-9a-f]{64} +app:latest$")
        self.assertRegex(last, r"emulated \d")

    def test_typed_ctrl_c_cancels(self):
        self.import_busybox()
        marker = str(random.randrange(10**8, 10**9))  # of this test's own sleep
        context = self.context("FROM busybox\nRUN echo step-is-running; while :; do sleep %s; done\n" % marker)
        screen = Screen(self, "build", "--platform", BOTH, context)
        screen.read_until(r"# step-is-running(?s:.*)# step-is-running")
        began = time.monotonic()
        screen.type(b"\x03")
        self.assertEqual(130, screen.finish(), screen.text)
        self.assertLess(time.monotonic() - began, 30)
        self.assertIn("CANCELED", screen.text)
        self.assertIn("ERROR: cancelled", screen.text)
        self.assertIn(b"\x1b[?25h", screen.raw[screen.raw.rindex(b"\x1b[?25l"):] if b"\x1b[?25l" in screen.raw else b"\x1b[?25h")
        self.assertEqual([], processes_with(marker))
        self.assertEqual([], mounts_with(self.root))
        self.check_store()


if __name__ == "__main__":
    main()
