"""Nothing is built twice: shared steps, steps known by content, and steps that two builds are at together."""
import contextlib
import json
import os
import sqlite3
import tempfile
import threading

from harness import AMD64, SLIPWAY, SlipwayCase, main, may_make_groups, need, run, step_lines

FOUR = "linux/amd64,linux/arm64,linux/arm/v7,linux/386"

CROSS = """FROM --platform=$BUILDPLATFORM busybox AS toolchain
RUN echo ran-toolchain; echo cc > /usr/bin/cc
FROM toolchain AS deps
COPY go.mod /src/
RUN echo ran-download; cp /src/go.mod /vendor
FROM deps AS build
COPY main.go /src/
ARG TARGETARCH TARGETVARIANT
RUN echo ran-compile-$TARGETARCH$TARGETVARIANT; cat /usr/bin/cc /vendor /src/main.go > /app; echo $TARGETARCH$TARGETVARIANT >> /app
FROM busybox
COPY --from=build /app /app
"""

SLOW = """FROM busybox
RUN echo slow-step-ran; wget -q -O - http://%s/; echo done > /done
RUN echo after-step-ran
"""


def ran(text, word):
    """How many log lines of steps are `word`."""
    return sum(line.split(" ", 2)[-1] == word for line in text.splitlines() if line.startswith("#"))


class AtOnce:
    """How many are between enter and leave at once; who enters waits until `wanted` were, for a minute at most."""

    def __init__(self, wanted):
        self.wanted, self.most, self.running, self.changed = wanted, 0, 0, threading.Condition()

    def enter(self):
        with self.changed:
            self.running += 1
            self.most = max(self.most, self.running)
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.most >= self.wanted, 60)

    def leave(self):
        with self.changed:
            self.running -= 1

    def again(self, wanted):
        self.wanted, self.most = wanted, 0


class Solver(SlipwayCase):
    def explained(self):
        return {step["step"]: step for step in json.loads(self.slipway("explain", "--format", "json").out)["steps"]}

    def test_shared_steps_of_four_platforms_run_once(self):
        self.import_busybox(platforms="linux/amd64,linux/arm64,linux/arm/v7,linux/386")
        context = self.context(CROSS, {"go.mod": "module x\n", "main.go": "package main\n"})
        layout = self.path("layout")
        result = self.build(context, "--progress=plain", "-t", "x", "-o", "type=oci,tar=false,dest=" + layout, platforms=FOUR)
        self.assertEqual(1, ran(result.err, "ran-toolchain"), result.err)
        self.assertEqual(1, ran(result.err, "ran-download"), result.err)
        for target in ("amd64", "arm64", "armv7", "386"):
            self.assertEqual(1, ran(result.err, "ran-compile-" + target), result.err)
        # Two shared RUNs and two shared COPYs; a compile and a COPY for each platform.
        done = [name for name, lines in step_lines(result.err).items() if any(line.startswith("DONE") for line in lines)]
        self.assertEqual(4 + 2 * 4, len([name for name in done if "] RUN" in name or "] COPY" in name]), done)
        again = self.build(context, "--progress=plain", "-t", "x", "-o", "type=oci,tar=false,dest=" + layout, platforms=FOUR)
        self.assertEqual({("CACHED",)}, {tuple(lines) for lines in step_lines(again.err).values()}, again.err)

    def test_changed_base_with_the_same_file_hits_by_content(self):
        self.import_busybox(platforms=AMD64)
        file = ("FROM %s AS tools\nFROM busybox\nCOPY --from=tools /etc/tool /etc/tool\n"
                "RUN --mount=from=tools,source=/etc/tool,target=/mnt/tool echo after-the-copy\n")
        base = self.context("FROM busybox\nRUN echo tool > /etc/tool\nARG OTHER=1\nRUN echo $OTHER > /other\n", name="base")
        for other, expected in (("1", 1), ("2", 0)):
            self.build(base, "--build-arg", "OTHER=" + other, "-t", "tools:" + other, platforms=AMD64)
            result = self.build(self.context(file % ("tools:" + other)), "--progress=plain", platforms=AMD64)
            self.assertEqual(expected, ran(result.err, "after-the-copy"), result.err)
        steps = {name: lines for name, lines in step_lines(result.err).items() if "] COPY" in name or "] RUN" in name}
        for name, lines in steps.items():
            self.assertEqual(["hit by content", "CACHED"], lines, name)
        explained = self.explained()
        for name in steps:
            self.assertEqual(("hit", "hit by content"), (explained[name]["status"], explained[name]["how"]))
        with self.subTest("a plan, once the changed base is unpacked"):
            self.build(base, "--build-arg", "OTHER=4", "-t", "tools:5", platforms=AMD64)
            self.build(self.context("FROM tools:5\nRUN true\n", name="user"), platforms=AMD64)
            planned = json.loads(self.slipway("explain", "--plan", "--format", "json", "--platform", AMD64, self.context(file % "tools:5")).out)
            told = {step["step"]: (step["status"], step.get("how")) for step in planned["steps"]}
            self.assertEqual({("hit", "hit by content")}, {told[name] for name in steps if "] FROM" not in name}, told)
        self.build(base, "--build-arg", "OTHER=3", "-t", "tools:3", platforms=AMD64)
        changed = self.context("FROM tools:3\nRUN echo another > /etc/tool\n", name="changed")
        self.build(changed, "-t", "tools:4", platforms=AMD64)
        self.assertEqual(1, ran(self.build(self.context(file % "tools:4"), "--progress=plain", platforms=AMD64).err, "after-the-copy"))
        self.check_store()

    def most_at_once(self, *arguments, wait_for):
        """How many of three steps that need nothing of each other run at once; each waits for `wait_for` at most."""
        steps = AtOnce(wait_for)
        entry, end = self.gate(steps.enter), self.gate(steps.leave)
        step = "RUN echo %%d && wget -q -O - http://%s/ && wget -q -O - http://%s/ && echo > /x\n" % (entry.host, end.host)
        stages = ["FROM busybox AS s%d\n" % i + step % i for i in range(3)]
        context = self.context("".join(stages) + "FROM busybox\n" + "".join("COPY --from=s%d /x /x%d\n" % (i, i) for i in range(3)))
        self.build(context, "--no-cache", *arguments, platforms=AMD64)
        return steps.most

    def test_no_more_steps_at_once_than_asked_for(self):
        self.import_busybox(platforms=AMD64)
        self.assertEqual(3, self.most_at_once(wait_for=3))
        self.assertEqual(1, self.most_at_once("--max-parallel", "1", "--jobs", "1", wait_for=1))
        self.assertEqual(2, self.most_at_once("--max-parallel", "2", wait_for=2))

    def test_durations_and_memory_of_steps_are_kept(self):
        self.import_busybox(platforms=AMD64)
        self.build(self.context("FROM busybox\nRUN dd if=/dev/zero of=/dev/null bs=160M count=1\nRUN true\n"), platforms=AMD64)
        with contextlib.closing(sqlite3.connect(os.path.join(self.root, "slipway.db"))) as database:
            memory = sorted(row[0] for row in database.execute("SELECT memory FROM step_costs WHERE microseconds > 0"))
        self.assertEqual(2, len(memory))
        self.assertGreater(memory[1], 150 << 20)
        self.assertLess(memory[0], 128 << 20)

    def test_memory_is_that_of_all_processes_of_a_step_at_once(self):
        """Each dd has its 60 MiB until somebody reads them. Pages of files do not count: they can be dropped."""
        self.import_busybox(platforms=AMD64)
        at_once = "RUN for i in 1 2 3; do dd if=/dev/zero bs=60M count=1 | { sleep 2; cat > /dev/null; } & done; wait"
        file = "RUN dd if=/dev/zero of=/large bs=1M count=300; sync; sleep 0.3; rm /large"
        context = self.context("FROM busybox\n%s\n%s\n" % (at_once, file))
        for isolation in ("oci", "proot", "chroot"):
            with self.subTest(isolation=isolation):
                self.build(context, "--no-cache", "--isolation", isolation, platforms=AMD64)
                with contextlib.closing(sqlite3.connect(os.path.join(self.root, "slipway.db"))) as database:
                    little, much = sorted(row[0] >> 20 for row in database.execute("SELECT memory FROM step_costs WHERE microseconds > 0"))
                self.assertIn(much, range(180, 240))
                self.assertLess(little, 128)

    def memory_group(self, limit):
        """A program that goes into a control group with so much memory, and becomes what its arguments say."""
        need(may_make_groups(), "no control groups can be made here")
        with open("/proc/self/cgroup") as file:
            own = [line.rstrip("\n").split(":", 2)[2] for line in file if "memory" in line.split(":")[1].split(",")]
        need(own, "the memory controller is one of cgroups v2 here")  # which gives groups to such as hold no processes
        group = tempfile.mkdtemp(prefix="slipway-test-", dir="/sys/fs/cgroup/memory" + own[0])
        self.addCleanup(os.rmdir, group)
        with open(group + "/memory.limit_in_bytes", "w") as file:
            file.write(str(limit))
        return ["sh", "-c", 'echo $$ > "$0"/cgroup.procs && exec "$@"', group]

    def test_steps_wait_for_the_memory_that_they_are_known_to_need(self):
        """Two steps of 150 MiB: both at once where that fits, one after the other in a group that has room for one."""
        self.import_busybox(platforms=AMD64)
        steps = AtOnce(2)
        hosts = (self.gate(steps.enter).host, self.gate(steps.leave).host)
        step = "RUN wget -q -O - http://%s/ && dd if=/dev/zero of=/dev/null bs=150M count=1 && wget -q -O - http://%s/ && echo %%s > /x\n" % hosts
        context = self.context("FROM busybox AS a\n" + step % "a" + "FROM busybox AS b\n" + step % "b" +
                               "FROM busybox\nCOPY --from=a /x /a\nCOPY --from=b /x /b\n")

        def most_at_once(limit, wait_for):
            steps.again(wait_for)
            command = [*self.memory_group(limit), SLIPWAY, "build", "--no-cache", "--max-parallel", "4", "--platform", AMD64, context]
            run(command, env=self.environment())
            return steps.most

        self.assertEqual(2, most_at_once(1 << 30, wait_for=2))  # nothing is known of them yet
        self.assertEqual(2, most_at_once(1 << 30, wait_for=2))  # known, and there is room
        self.assertEqual(1, most_at_once(300 << 20, wait_for=1))

    def two_at_once(self, *second_arguments):
        """Two processes build one Dockerfile, the second while the first is at its slow step."""
        self.import_busybox(platforms=AMD64)
        asked, may_go = [], threading.Event()
        self.addCleanup(may_go.set)

        def hold():
            asked.append(True)
            may_go.wait(60)

        context = self.context(SLOW % self.gate(hold).host)
        arguments = ("build", "--progress=plain", context)
        first = self.start(*arguments)
        self.read_until(first, "slow-step-ran")
        return first, self.start(*arguments, *second_arguments), may_go, asked

    def read_until(self, process, word):
        seen = ""
        while not seen.endswith(" " + word + "\n"):
            line = process.stderr.readline()
            self.assertNotEqual("", line, seen)
            seen += line
        return seen

    def finish(self, *processes):
        texts = []
        for process in processes:
            _, err = process.communicate(timeout=60)
            self.assertEqual(0, process.returncode, err)
            texts.append(err)
        return texts

    def test_two_processes_share_a_step_that_runs(self):
        first, second, may_go, asked = self.two_at_once()
        seen = self.read_until(second, "waiting for it")
        may_go.set()
        first_text, second_text = self.finish(first, second)
        second_text = seen + second_text
        self.assertEqual(0, ran(second_text, "slow-step-ran"), second_text)
        self.assertEqual(1, len(asked))
        self.assertIn("shared with another build", second_text)
        self.assertNotIn("shared with another build", first_text)
        self.assertEqual([], os.listdir(os.path.join(self.root, "locks")))
        self.check_store()

    def test_waiting_build_takes_over_from_one_that_is_killed(self):
        first, second, may_go, asked = self.two_at_once()
        self.read_until(second, "waiting for it")
        first.kill()
        first.communicate()
        may_go.set()
        second_text, = self.finish(second)
        self.assertEqual(1, ran(second_text, "slow-step-ran"), second_text)
        self.assertEqual(2, len(asked))
        self.check_store()

    def test_no_cache_does_not_wait(self):
        first, second, may_go, asked = self.two_at_once("--no-cache")
        self.read_until(second, "slow-step-ran")
        may_go.set()
        self.assertNotIn("shared with another build", "".join(self.finish(first, second)))
        self.assertEqual(2, len(asked))


if __name__ == "__main__":
    main()
