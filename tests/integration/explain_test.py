"""Records of builds, and why their steps ran."""
import hashlib
import json
import os
import signal

from harness import AMD64, SlipwayCase, main

DOCKERFILE = """FROM busybox
ARG V=1
RUN echo $V > /v
COPY src /src
RUN cat /src/a > /b
"""


class Explain(SlipwayCase):
    def setUp(self):
        super().setUp()
        self.import_busybox(platforms=AMD64)
        self.files = {"src/a": "a\n", "src/b": "b\n"}
        self.built = self.context(DOCKERFILE, self.files)
        self.make()

    def make(self, *args, **options):
        return self.build(self.built, "-t", "app", *args, platforms=AMD64, **options)

    def explained(self, *args):
        """{instruction: causes} of the steps that ran; each cause without its digests."""
        told = json.loads(self.slipway("explain", "--format", "json", *args).out)
        return {step["step"].split("] ", 1)[1].split("@")[0]:
                [(cause["kind"], cause.get("subject", "").split("@")[0]) for cause in step["causes"]]
                for step in told["steps"] if step["status"] == "miss"}

    def test_the_cause_is_named_and_nothing_else(self):
        with self.subTest("the first build was never built"):
            self.assertEqual([("never-built", "")], self.explained()["RUN echo 1 > /v"])

        with self.subTest("times alone are no difference"):
            os.utime(os.path.join(self.built, "src/a"), (1, 1))
            self.make()
            self.assertEqual({}, self.explained())

        with self.subTest("files"):
            self.write("context/src/a", "changed\n")
            self.write("context/src/c", "c\n")
            os.remove(os.path.join(self.built, "src/b"))
            self.make()
            told = self.explained()
            self.assertEqual([("file-changed", "src/a"), ("file-added", "src/c"), ("file-removed", "src/b")],
                             told.pop("COPY src /src"))
            self.assertEqual([[("parent", "[3/4] COPY src /src")]], list(told.values()))
            self.assertRegex(self.slipway("explain").out, r"src/a changed: [0-9a-f]{12} -> [0-9a-f]{12}\n")
            steps = json.loads(self.slipway("explain", "--format", "json").out)["steps"]
            [changed, added] = [cause for step in steps for cause in step.get("causes", [])
                                if cause["kind"] in ("file-changed", "file-added")]
            self.assertEqual("sha256:" + hashlib.sha256(b"changed\n").hexdigest(), changed["after"])
            self.assertRegex(changed["before"], "^sha256:[0-9a-f]{64}$")
            self.assertEqual({"kind": "file-added", "subject": "src/c", "afterMode": "100644",
                              "after": "sha256:" + hashlib.sha256(b"c\n").hexdigest()}, added)

        with self.subTest("a build argument"):
            self.make("--build-arg", "V=2")
            told = self.explained()
            self.assertEqual([("field", "ARG V")], told.pop("RUN echo 2 > /v"))
            parent = ("parent", "[2/4] RUN echo 2 > /v")
            self.assertEqual({"COPY src /src": [parent], "RUN cat /src/a > /b": [("field", "ARG V"), parent]}, told)
            self.assertIn('ARG V: "1" -> "2"', self.slipway("explain").out)

        with self.subTest("an earlier RUN"):
            self.context(DOCKERFILE.replace("> /v", "> /w"))
            self.make()
            told = self.explained()
            self.assertEqual([("field", "command")], told.pop("RUN echo 1 > /w"))
            self.assertEqual({(("parent", "[2/4] RUN echo 1 > /w"),)}, {tuple(causes) for causes in told.values()})

        with self.subTest("--no-cache"):
            self.make("--no-cache")
            self.assertEqual([("no-cache", "")], self.explained()["RUN echo 1 > /w"])

        with self.subTest("the base image"):
            other = self.context("FROM busybox\nRUN touch /other\n", name="base")
            self.build(other, "-t", "busybox", platforms=AMD64)
            self.make()
            told = self.explained()
            self.assertEqual([("field", "base image digest")], told.pop("FROM docker.io/library/busybox:latest"))
            self.assertEqual({(("parent", "[1/4] FROM docker.io/library/busybox:latest"),)},
                             {tuple(causes) for causes in told.values()})

        with self.subTest("a base image that another project has unpacked already"):
            other = self.context("FROM busybox\nRUN touch /third\n", name="base")
            self.build(other, "-t", "busybox", platforms=AMD64)
            self.build(self.context("FROM busybox\nRUN touch /user\n", name="user"), platforms=AMD64)
            self.make()
            told = self.explained()
            self.assertNotIn("FROM docker.io/library/busybox:latest", told)
            of_base = ("parent", "[1/4] FROM docker.io/library/busybox:latest"), ("field", "base image digest")
            self.assertEqual({of_base}, {tuple(causes) for causes in told.values()})
            text = self.slipway("explain").out
            self.assertRegex(text, r'because step "\[1/4\] FROM \S+@sha256:[0-9a-f]{12}" changed\n'
                                   r' +base image digest: "sha256:[0-9a-f]{64}" -> "sha256:[0-9a-f]{64}"\n')
            self.assertRegex(text, r"hit +\[1/4\] FROM \S+@sha256:[0-9a-f]{64} ")

    def test_each_platform_is_told_of(self):
        platforms = AMD64 + ",linux/386"
        self.import_busybox(platforms=platforms)
        built = self.context("FROM busybox\nARG TARGETARCH V=1\nCOPY src /src\nRUN test $TARGETARCH = amd64 || echo $V > /v\n",
                             self.files, name="several")

        def told(*args, now):
            """{(instruction, platforms): causes} of the steps that ran."""
            self.build(built, *args, platforms=now)
            steps = json.loads(self.slipway("explain", "--format", "json").out)["steps"]
            return {(step["step"].split("] ", 1)[1].split(" ")[0], *step["platforms"]):
                    [(cause["kind"], cause.get("subject", "").split("@")[0]) for cause in step["causes"]]
                    for step in steps if step["status"] == "miss"}

        with self.subTest("a platform that was never built"):
            told(now=AMD64)
            first = told(now=platforms)
            self.assertEqual({"linux/386"}, {platform for _, *of in first for platform in of})
            self.assertEqual([("never-built", "")], first["RUN", "linux/386"])
        with self.subTest("an argument"):
            changed = told("--build-arg", "V=2", now=platforms)
            self.assertEqual({("RUN", AMD64): [("field", "ARG V")], ("RUN", "linux/386"): [("field", "ARG V")]}, changed)
        with self.subTest("a file"):
            self.write("several/src/a", "changed\n")
            changed = told("--build-arg", "V=2", now=platforms)
            for platform, name in ((AMD64, "linux/amd64 2/3"), ("linux/386", "linux/386 2/3")):
                self.assertEqual([("file-changed", "src/a")], changed["COPY", platform])
                self.assertEqual([("parent", "[%s] COPY src /src" % name)], changed["RUN", platform])

    def test_a_build_that_is_not_on_record_is_said_so(self):
        self.assertIn("slipway history ls", self.slipway("explain", "^99", expect=1).err)
        self.assertIn("names nothing", self.slipway("explain", "", expect=2).err)
        self.assertIn("--target is a flag of a build that is yet to be", self.slipway("explain", "--target", "x", expect=2).err)
        self.slipway("explain", "^99", env={"SLIPWAY_OCI_RUNTIME": "crun"}, expect=1)

    def test_a_damaged_record_is_named_and_the_rest_is_shown(self):
        os.mkfifo(os.path.join(self.root, "history/1795383525999-aaaaaaaaaaaa.json"))
        with open(os.path.join(self.root, "history/1795383525998-baaaaaaaaaaa.json"), "wb") as file:
            file.write(b"\xff\x00\xfe")
        listed = self.slipway("history", "ls")
        self.assertEqual(2, len(listed.out.splitlines()), listed.out)
        for name in ("1795383525999-aaaaaaaaaaaa.json", "1795383525998-baaaaaaaaaaa.json"):
            self.assertEqual(1, sum(name in line for line in listed.err.splitlines()), listed.err)
        self.assertIn("is no regular file", self.slipway("explain", "aaaaaaaaaaaa", expect=1).err)
        damaged = self.slipway("explain", "baaaaaaaaaaa", expect=1).err
        self.assertIn("history/1795383525998-baaaaaaaaaaa.json: no build record: it is damaged", damaged)
        self.assertIn("slipway history rm baaaaaaaaaaa", damaged)
        with open(os.path.join(self.root, "history/1795383525997-caaaaaaaaaaa.json"), "w") as file:
            file.write('{"schemaVersion": 99}')
        newer = self.slipway("explain", "caaaaaaaaaaa", expect=1).err
        self.assertIn("written by a newer slipway", newer)
        self.assertNotIn("history rm", newer)

    def test_a_plan_tells_before_anything_runs(self):
        def planned(*args):
            told = json.loads(self.slipway("explain", "--plan", "--format", "json", "--platform", AMD64, *args,
                                           self.built).out)
            self.assertEqual([None, "planned"], [told["build"], told["outcome"]])
            return {step["step"].split("] ", 1)[1].split("@")[0]: [cause["kind"] for cause in step.get("causes", [])]
                    for step in told["steps"]}

        def kept():
            """What is in the store, but for what SQLite and each process come and go with; times are of the last use."""
            found = {}
            for directory, _, names in os.walk(self.root):
                for name in names:
                    path = os.path.join(directory, name)
                    if "slipway.db" not in name and not os.path.islink(path):
                        found[path] = os.lstat(path).st_size
            return found

        before = kept()
        with self.subTest("nothing would run"):
            self.assertEqual([[]] * 4, list(planned().values()))
        with self.subTest("an argument and a file"):
            self.write("context/src/b", "changed\n")
            told = planned("--build-arg", "V=2")
            self.assertEqual(["field"], told["RUN echo 2 > /v"])
            self.assertEqual(["file-changed", "parent"], told["COPY src /src"])
            self.assertIn("RUN cat /src/a > /b", told)
            self.assertIn("planned: nothing was run\n", self.slipway("explain", "--plan", self.built).out)
        with self.subTest("nothing was written, nor run"):
            self.assertEqual(before, kept())
            self.assertEqual("succeeded", json.loads(self.slipway("explain", "--format", "json").out)["outcome"])
        with self.subTest("without a store there is none afterwards"):
            scratch = self.context("FROM scratch\nCOPY a /\n", {"a": "a"}, name="scratch")
            told = self.slipway("explain", "--plan", scratch, root=self.path("none")).out
            self.assertRegex(told, r"(?s)^planned.*\nmiss  .*COPY a /.*never built before")
            self.assertFalse(os.path.exists(self.path("none")))

    def test_history(self):
        self.make("--build-arg", "V=3")
        failing = self.context("FROM busybox\nRUN echo said; exit 3\n", name="failing")
        self.build(failing, platforms=AMD64, expect=1)
        builds = [json.loads(line) for line in self.slipway("history", "ls", "--format", "json").out.splitlines()]
        self.assertEqual(["failed", "succeeded", "succeeded"], [build["outcome"] for build in builds])
        self.assertEqual("said\n", self.slipway("history", "logs", "--step", "said").out)
        steps = json.loads(self.slipway("history", "inspect", builds[0]["id"], "--format", "json").out)["steps"]
        self.assertEqual(["cached", "failed"], [step["end"] for step in steps])
        self.slipway("history", "inspect")
        exported = json.loads(self.slipway("history", "export", "^1").out)
        self.assertIn(" src/a\n", "".join(exported["manifests"].values()))
        self.slipway("history", "rm", builds[0]["id"])
        self.assertEqual(builds[1]["id"], json.loads(self.slipway("history", "inspect", "--format", "json").out)["id"])
        self.slipway("history", "rm", "--all")
        self.assertEqual("", self.slipway("history", "ls", "--format", "json").out)
        self.slipway("explain", expect=1)

    def test_a_killed_build_is_interrupted(self):
        holding = self.gate(lambda: os.kill(build.pid, signal.SIGKILL))
        context = self.context("FROM busybox\nRUN wget -q -O - http://%s/\n" % holding.host, name="killed")
        build = self.start("build", "--platform", AMD64, context)
        build.communicate(timeout=600)
        # The processes inside die after the one that was killed: whoever comes then may still see them running.
        for _ in range(1000):
            last = json.loads(self.slipway("history", "inspect", "--format", "json").out)
            if last["outcome"] != "running":
                break
        self.assertEqual("interrupted", last["outcome"])

    def test_no_secret_is_on_record(self):
        context = self.context("FROM busybox\nARG NPM_TOKEN\nARG ECHOED\n"
                               "RUN --mount=type=secret,id=s echo $NPM_TOKEN $ECHOED\n", name="secretive")
        secret = self.write("secret", "hunter22\n")
        self.build(context, "--secret", "id=s,src=" + secret, "--build-arg", "NPM_TOKEN=tokenvalue",
                   "--build-arg", "ECHOED=hunter22", platforms=AMD64)
        kept = self.slipway("history", "inspect", "--format", "json").out
        for text in ("hunter22", "tokenvalue"):
            self.assertNotIn(text, kept)
        self.assertIn("NPM_TOKEN", kept)
        names = {name for _, _, files in os.walk(os.path.join(self.root, "logs")) for name in files}
        self.assertEqual({"1-2-2-run.log"}, names)


if __name__ == "__main__":
    main()
