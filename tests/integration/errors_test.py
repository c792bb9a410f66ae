"""Bad input: one clear message, the documented exit code, nothing half-written, no stack trace."""
import json
import os
import subprocess
import threading

from harness import AMD64, BOTH, SLIPWAY, SlipwayCase, main, need_program, run


class Errors(SlipwayCase):
    def refused(self, expect, *says, args, **options):
        result = self.slipway(*args, expect=expect, **options)
        errors = [line for line in result.err.splitlines() if line.startswith("ERROR: ")]
        self.assertEqual(1, len(errors), result)
        for text in says:
            self.assertIn(text, result.err)
        self.assertNotIn("terminate called", result.err)
        self.assertEqual("", result.out)
        return result

    def test_unknown_flag_names_the_near_one(self):
        self.refused(2, "unknown flag: --plattform", "did you mean --platform?", args=["build", "--plattform", "x", "."])

    def test_unknown_command(self):
        self.refused(2, "biuld", "build", args=["biuld"])

    def test_no_arguments(self):
        self.refused(2, "--help", args=[])

    def test_bad_platform(self):
        self.refused(2, 'unknown architecture "amd46"', 'did you mean "amd64"?', args=["build", "--platform", "linux/amd46", "."])

    def test_push_without_a_name(self):
        self.refused(2, "-t NAME", args=["build", "--push", self.context("FROM scratch\n")])

    def test_missing_context(self):
        self.refused(2, "no-such-dir", "not a directory", args=["build", "no-such-dir"])

    def test_pipe_with_the_name_of_a_dockerfile_is_not_waited_for(self):
        os.mkdir(self.path("piped"))
        os.mkfifo(self.path("piped", "Dockerfile"))
        self.refused(2, "piped/Dockerfile", "named pipe", args=["build", self.path("piped")])
        os.unlink(self.path("piped", "Dockerfile"))
        self.write("piped/Dockerfile", "FROM scratch\nCOPY . /\n")
        os.mkfifo(self.path("piped", ".dockerignore"))
        self.refused(1, "piped/.dockerignore", "named pipe", args=["build", self.path("piped")])

    def test_missing_dockerfile(self):
        os.mkdir(self.path("empty"))
        self.refused(2, "empty/Dockerfile", "no such file", "-f FILE", args=["build", "empty"])

    def test_unknown_instruction_shows_the_line(self):
        self.refused(1, "Dockerfile:2:1", "RNU make", "^", "RUN", args=["build", self.context("FROM scratch\nRNU make\n")])

    def test_unknown_stage_in_copy(self):
        self.import_busybox()
        self.refused(1, "Dockerfile:2", 'did you mean the stage "build"?',
                     args=["build", self.context("FROM busybox AS build\nCOPY --from=biuld /a /b\n")])

    def test_unknown_stage_in_from(self):
        self.import_busybox()
        self.refused(1, "Dockerfile:2", 'did you mean the stage "build"?',
                     args=["build", self.context("FROM busybox AS build\nFROM biuld\n")])

    def test_bad_tag(self):
        for name in ("a/Upper", "a:bad tag", "a:", ""):
            with self.subTest(name):
                self.refused(2, args=["build", "-t", name, self.context("FROM scratch\nLABEL a=b\n")])

    def test_unknown_target(self):
        self.import_busybox()
        self.refused(1, "nope", "build", args=["build", "--target", "nope", self.context("FROM busybox AS build\n")])

    def test_missing_copy_source(self):
        self.import_busybox()
        self.refused(1, "/missing.txt", "Dockerfile:2", "COPY missing.txt /x",
                     args=["build", self.context("FROM busybox\nCOPY missing.txt /x\n")])

    def test_ignored_copy_source_names_the_pattern(self):
        self.import_busybox()
        context = self.context("FROM busybox\nCOPY a.log /x\n", {"a.log": "", ".dockerignore": "*.log\n"})
        self.refused(1, "/a.log", "*.log", "Dockerfile:2", args=["build", context])

    def test_base_without_the_platform_lists_those_it_has(self):
        self.import_busybox()
        self.refused(1, "linux/s390x", "linux/amd64, linux/arm64", "Dockerfile:1",
                     args=["build", "--platform", "linux/s390x", self.context("FROM busybox\n")])

    def test_missing_emulator_names_the_package(self):
        self.import_busybox()
        script = "mount -t tmpfs none /usr/libexec/qemu-binfmt 2>/dev/null; for q in /usr/bin/qemu-aarch64*; do mount --bind /dev/null $q; done; exec \"$@\""
        context = self.context("FROM busybox\nRUN true\n")
        process = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", SLIPWAY, "build", "--platform", BOTH, context],
                                 env=self.environment(), capture_output=True, text=True)
        self.assertEqual(3, process.returncode, process.stderr)
        self.assertIn("qemu-user-static", process.stderr)
        self.assertIn("linux/arm64", process.stderr)

    def test_failing_step_says_where_why_and_what_it_wrote(self):
        self.import_busybox()
        context = self.context("FROM busybox\nRUN echo some output; exit 7\n")
        result = self.refused(1, "exit code: 7", "some output", "Dockerfile:2", "linux/arm64",
                              args=["build", "--platform", "linux/arm64", "--metadata-file", self.path("m.json"), context])
        error = self.read_json(self.path("m.json"))["slipway"]["error"]
        self.assertEqual(("build-failed", 1, 2), (error["kind"], error["exitCode"], error["line"]))
        self.assertNotIn("sha256:", result.err.split("ERROR:")[1])
        self.check_store()

    def test_failing_step_names_the_only_platform(self):
        self.import_busybox()
        result = self.refused(1, "exit code: 3", args=["build", self.context("FROM busybox\nRUN exit 3\n")])
        self.assertIn(AMD64, result.err.split("ERROR: ", 1)[1])

    def test_context_that_changes_during_the_build(self):
        self.import_busybox()
        context = self.context("", {"a": "before\n"})
        loaded = threading.Event()
        reached = threading.Event()

        def change():
            reached.set()
            loaded.wait(60)
            self.write("context/a", "after, and longer\n")

        gate = self.gate(change)
        self.write("context/Dockerfile", "FROM busybox\nRUN wget -q -O - http://%s/\nCOPY a /a\n" % gate.host)
        process = self.start("build", "--platform", AMD64, "-t", "changing", context)
        said, number = "", None
        for line in process.stderr:
            said += line
            if line.endswith("load build context\n"):
                number = line.split()[0]
            if number and line.startswith(number + " DONE"):
                loaded.set()  # its files have been read and digested
        process.communicate(timeout=60)
        self.assertTrue(reached.is_set() and loaded.is_set(), said)
        self.assertNotEqual(0, process.returncode, said)
        self.assertRegex(said.split("ERROR: ", 1)[1], r"changed")
        self.assertNotIn("changing:latest", self.slipway("images").out)
        self.check_store()

    def test_metadata_file_that_cannot_be_written_hides_nothing(self):
        self.import_busybox()
        os.mkdir(self.path("gone"))
        gate = self.gate(lambda: os.rmdir(self.path("gone")))
        context = self.context("FROM busybox\nRUN wget -q -O - http://%s/; exit 5\n" % gate.host)
        result = self.slipway("build", "--metadata-file", self.path("gone/m.json"), context, expect=1)
        self.assertIn("exit code: 5", result.err)
        self.assertIn("gone/m.json", result.err)

    def test_metadata_file_in_no_directory(self):
        self.refused(2, "--metadata-file", "/no/such/directory", args=["build", "--metadata-file", "/no/such/directory/m.json",
                                                                       self.context("FROM scratch\nLABEL a=b\n")])

    def test_command_not_in_the_image(self):
        self.import_busybox()
        self.refused(1, "no-such-command", "127", args=["build", self.context("FROM busybox\nRUN no-such-command\n")])

    def test_no_shell_in_the_image(self):
        self.refused(1, "/bin/sh", args=["build", self.context("FROM scratch\nCOPY a /a\nRUN true\n", {"a": ""})])

    def test_unreachable_registry(self):
        address = self.unused_address()
        self.refused(3, address, "Dockerfile:1", args=["build", self.context("FROM %s/x\n" % address)])

    def test_image_that_is_not_there(self):
        registry = self.registry()
        self.refused(1, "not found", "Dockerfile:1", args=["build", self.context("FROM %s/no/such:1\n" % registry.host)])

    def test_login_is_needed(self):
        need_program("htpasswd")
        self.write("htpasswd", run(["htpasswd", "-Bbn", "user", "secret"]))
        registry = self.registry(htpasswd=self.path("htpasswd"))
        self.import_busybox()
        context = self.context("FROM busybox\n")
        name = registry.host + "/a:1"
        self.refused(4, "docker login", args=["build", "-t", name, "--push", context])
        self.write(".docker/config.json", json.dumps({"auths": {registry.host: {"username": "user", "password": "secret"}}}))
        self.slipway("build", "-t", name, "--push", context)

    def test_directory_that_is_no_store_is_left_alone(self):
        self.write("home/tmp/precious", "kept")
        self.refused(3, "neither empty nor a store", args=["images"], root=self.path("home"))
        self.assertEqual("kept", self.read(self.path("home/tmp/precious")))

    def test_workdir_through_a_file_names_the_line(self):
        self.import_busybox()
        result = self.refused(1, "Dockerfile:2", "WORKDIR /bin/busybox",
                              args=["build", self.context("FROM busybox\nWORKDIR /bin/busybox\n")])
        self.assertNotIn(self.root, result.err.split("ERROR:")[1])

    def test_terminal_escapes_are_not_obeyed(self):
        result = self.refused(1, "Dockerfile:1", args=["build", self.context("\x1b[31mFOO bar\n")])
        self.assertNotIn("\x1b", result.err)

    def test_device_nodes_cannot_be_made_in_a_step(self):
        self.import_busybox()
        self.refused(1, "mknod", args=["build", self.context("FROM busybox\nRUN mknod /d c 1 11\n")])

    def test_full_disk(self):
        self.import_busybox()
        context = self.context("FROM busybox\nCOPY big /big\n")
        with open(os.path.join(context, "big"), "wb") as file:
            file.write(os.urandom(40 << 20))
        small = self.path("small")
        os.mkdir(small)
        script = ("mount -t tmpfs -o size=32m none %s && cp -a %s/. %s && "
                  "%s --root %s build --platform %s %s; code=$?; %s --root %s store check >&2 || exit 99; exit $code"
                  % (small, self.root, small, SLIPWAY, small, AMD64, context, SLIPWAY, small))
        process = subprocess.run(["unshare", "-m", "sh", "-c", script], env=self.environment(), capture_output=True, text=True)
        self.assertEqual(3, process.returncode, process.stderr)
        self.assertIn("No space left on device", process.stderr)

    def test_import_of_what_is_no_archive(self):
        self.write("junk.tar", "this is no tar file, whatever its name says\n" * 100)
        self.refused(1, "junk.tar", args=["import", "junk.tar", "-t", "x"])
        self.assertEqual(1, len(self.slipway("images").out.splitlines()))

    def test_message_goes_to_the_metadata_file(self):
        self.refused(1, "RNU", args=["build", "--metadata-file", self.path("m.json"), self.context("FROM scratch\nRNU x\n")])
        self.assertEqual("invalid-input", self.read_json(self.path("m.json"))["slipway"]["error"]["kind"])


if __name__ == "__main__":
    main()
