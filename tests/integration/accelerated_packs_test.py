"""Toolchain packs in whole builds: their programs run in the place of the target's, by the rules and while the conditions hold."""
import hashlib
import json

from harness import AMD64, ARM64, main
from paired_images import LIBRARIES, VERSION, PairedImages

ECHO, TWIN = "/usr/bin/echo", "/bin/this-machines-echo"
RULES = [{"kind": "replace", "pattern": "old", "with": ["{pack}/new"]},
         {"kind": "append", "with": ["appended"]},
         {"kind": "decline", "pattern": "--emulated"}]


class AcceleratedPacks(PairedImages):
    """The pack's echo says more than the target's, so that a step's output says which of them ran. A real one would not."""

    def setUp(self):
        super().setUp()
        tools = {"tool": {ECHO: self.target_program()}}
        self.import_pair(more={"/opt/plugins/a": b""}, packages=tools)

    def import_pack(self, version=VERSION, when=()):
        program = {"target": ECHO, "package": "tool", "version": version, "sha256": hashlib.sha256(self.target_program()).hexdigest(),
                   "twin": TWIN, "when": list(when), "rules": RULES}
        manifest = {"format": 1, "platform": ARM64, "machine": "aarch64", "programs": [program]}
        files = {"/usr/share/slipway/accel.json": json.dumps(manifest).encode()}
        for where, source in ((TWIN, "/bin/echo"), (LIBRARIES + "libc.so.6", LIBRARIES + "libc.so.6"),
                              ("/lib64/ld-linux-x86-64.so.2", "/lib64/ld-linux-x86-64.so.2")):
            files[where] = self.read_bytes(source)
        self.slipway("import", self.tar_of("pack", files), "--platform", AMD64, "-t", "accel/test")

    def echoes(self, *steps, policy="auto", **options):
        """What the file /said has after these steps, by line, and how often the pack's program ran."""
        dockerfile = "FROM pair AS built\n" + "".join("RUN %s\n" % step for step in steps) + "FROM scratch\nCOPY --from=built /said /\n"
        result = self.build(self.context(dockerfile), "--no-cache", "--progress", "plain", "--emulation", policy, "--accel-pack", "accel/test",
                            "--metadata-file", self.path("meta.json"), "-o", self.path("out"), platforms=ARM64, **options)
        twins = self.read_json(self.path("meta.json"))["slipway"]["platforms"][0].get("twins", [])
        ran = [(twin["package"], twin["version"], twin["count"]) for twin in twins if twin["source"] == "accel/test:latest"]
        return self.read(self.path("out"), "said").splitlines(), ran, result

    def test_rules_are_applied_and_what_they_decline_is_emulated(self):
        self.import_pack()
        said, ran, _ = self.echoes(ECHO + " one old older > /said; " + ECHO + " --emulated old >> /said")
        self.assertEqual(["one /dev/.slipway/tree/1/new older appended", "--emulated old"], said)
        self.assertEqual([("tool", VERSION, 1)], ran)

    def test_verify_finds_a_wrong_program_of_a_pack(self):
        self.import_pack()
        result = self.build(self.context("FROM pair\nRUN %s one > /said\n" % ECHO), "--no-cache", "--emulation", "verify",
                            "--accel-pack", "accel/test", platforms=ARM64, expect=3)
        self.assertIn("the step gave other results with native twins than without: /said (", result.err)

    def test_another_version_is_not_used_and_that_is_told(self):
        self.import_pack(version="2-another")
        said, ran, result = self.echoes(ECHO + " one > /said", env={"SLIPWAY_LOG": "debug"})
        self.assertEqual((["one"], []), (said, ran))
        self.assertIn("the pack accel/test:latest: %s: it is for tool 2-another, the root has tool %s" % (ECHO, VERSION), result.err)

    def test_condition_has_to_hold_while_the_step_runs(self):
        self.import_pack(when=[{"directory": "/opt/plugins", "names": ["a"]}, {"directory": "/opt/none", "names": []}])
        # Beside the directories: it is none of theirs.
        said, ran, _ = self.echoes(
            "touch /opt/beside; %s 1 > /said; : > /opt/plugins/b; %s 2 >> /said" % (ECHO, ECHO),
            "%s 3 >> /said; rm /opt/plugins/b" % ECHO,
            "%s 4 >> /said; mkdir /opt/none; %s 5 >> /said" % (ECHO, ECHO),
            "%s 6 >> /said; : > /opt/none/x; %s 7 >> /said" % (ECHO, ECHO))
        self.assertEqual(["1 appended", "2", "3", "4 appended", "5", "6 appended", "7"], said)
        self.assertEqual([("tool", VERSION, 3)], ran)

    def test_condition_that_does_not_hold_is_told(self):
        self.import_pack(when=[{"directory": "/opt/plugins", "names": []}])
        said, ran, result = self.echoes(ECHO + " one > /said", env={"SLIPWAY_LOG": "debug"})
        self.assertEqual((["one"], []), (said, ran))
        self.assertIn("wants nothing in /opt/plugins, the root has something else there", result.err)


if __name__ == "__main__":
    main()
