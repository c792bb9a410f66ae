"""What a step may use: memory, processors, processes, time; and who runs it."""
import glob
import os
import subprocess

from harness import AMD64, ARM64, ControlGroup, SLIPWAY, SlipwayCase, main, may_make_groups, mounts_with, need, need_program, processes_with


class Limits(SlipwayCase):
    def setUp(self):
        super().setUp()
        self.import_busybox()

    def run_step(self, command, *args, expect=0, platforms=AMD64):
        context = self.context("FROM busybox\nRUN %s\n" % command)
        result = self.build(context, "--progress=plain", "--no-cache", *args, expect=expect, platforms=platforms)
        self.assertEqual([], processes_with(self.root), "something of the step still runs")
        self.assertEqual([], mounts_with(self.root))
        self.check_store()
        return result

    def test_out_of_memory_is_said_with_the_limit(self):
        need(may_make_groups(), "no control groups can be made here")
        for platform in (AMD64, ARM64):
            result = self.run_step("head -c 200m /dev/zero | tail -c 100m >/dev/null", "--memory", "48m", expect=1,
                                   platforms=platform)
            self.assertIn("out of memory: the step may use 48 MiB (--memory)", result.err)

    def test_out_of_memory_of_all_together_is_said(self):
        """In a pod, or in a job of a CI runner."""
        limit = 128 << 20
        for isolation in ("oci", "chroot", "proot"):
            need(isolation == "oci" or os.geteuid() == 0, "only root can chroot")
            context = self.context("FROM busybox\nRUN head -c 400m /dev/zero | tail -c 300m >/dev/null\n")
            with ControlGroup("memory", {"memory.max": limit, "memory.swap.max": 0, "memory.limit_in_bytes": limit,
                                         "memory.memsw.limit_in_bytes": limit}) as group:
                result = self.build(context, env={"SLIPWAY_ISOLATION": isolation}, platforms=AMD64, expect=1,
                                    preexec_fn=group.enter)
            self.assertIn("out of memory: the kernel killed a process, as all that runs in this machine's or container's control "
                          "group may use 128 MiB", result.err.split("ERROR: ")[1])
            self.check_store()

    def test_a_step_that_forks_without_end_is_held(self):
        need(may_make_groups(), "no control groups can be made here")
        result = self.run_step("sh -c 'for i in $(seq 100); do sleep 100 & done; exit 3'", "--pids-limit", "40", expect=1)
        self.assertIn("the step may have 40 processes (--pids-limit)", result.err)

    def test_processors_are_shared_out(self):
        need(may_make_groups(), "no control groups can be made here")
        settings = []

        def look():
            for pattern in ("/sys/fs/cgroup/cpu/**/slipway-*/cpu.cfs_quota_us", "/sys/fs/cgroup/**/slipway-*/cpu.max"):
                for path in glob.glob(pattern, recursive=True):
                    with open(path) as file:
                        settings.append(file.read().split()[0])

        gate = self.gate(look)
        self.run_step("wget -q -O - http://%s/" % gate.host, "--cpus", "0.5")
        self.assertIn("50000", settings)

    def test_resource_limits_reach_the_step(self):
        for platform in (AMD64, ARM64):
            result = self.run_step("echo soft $(ulimit -n) hard $(ulimit -Hn)", "--ulimit", "nofile=100:200", platforms=platform)
            self.assertIn("soft 100 hard 200", result.err)

    def test_a_limit_that_the_machine_refuses_is_said(self):
        result = self.run_step("true", "--ulimit", "nofile=999999999", expect=3)
        self.assertIn("--ulimit: this machine does not allow it", result.err)
        self.assertIn("nr_open", result.err)

    def test_size_of_shm(self):
        result = self.run_step("df -k /dev/shm | tail -1", "--shm-size", "3m")
        self.assertIn(" 3072 ", result.err)

    def test_hosts_are_added_and_leave_no_trace(self):
        result = self.run_step("grep db.internal /etc/hosts", "--add-host", "db.internal:10.1.2.3")
        self.assertIn("10.1.2.3\tdb.internal", result.err)

    def test_a_step_that_takes_too_long_is_stopped(self):
        for platform in (AMD64, ARM64):
            result = self.run_step("trap '' TERM; sleep 600 & wait; sleep 600", "--step-timeout", "1s", expect=1, platforms=platform)
            self.assertIn("was stopped: it ran for longer than 1s (--step-timeout)", result.err)

    def test_a_step_that_says_nothing_is_stopped(self):
        result = self.run_step("echo hello; exec sleep 600", "--idle-timeout", "1s", expect=1)
        self.assertIn("hello", result.err)
        self.assertIn("it wrote nothing for 1s (--idle-timeout)", result.err)

    def test_programs_gain_nothing_if_so_asked(self):
        for flags, value in (([], "0"), (["--no-new-privileges"], "1")):
            result = self.run_step("grep NoNewPrivs /proc/self/status", *flags)
            self.assertIn("NoNewPrivs:\t" + value, result.err)

    def test_bad_values_are_refused_before_anything_runs(self):
        for flag, value in (("--memory", "lots"), ("--cpus", "two"), ("--ulimit", "files=1"), ("--add-host", "db"),
                            ("--step-timeout", "10"), ("--shm-size", "0"), ("--pids-limit", "-1"), ("--jobs", "-1"),
                            ("--jobs", "99999999999999999999"), ("--max-parallel", "-1"),
                            ("--max-parallel", "99999999999999999999")):
            result = self.slipway("build", flag, value, ".", expect=2)
            self.assertIn(flag, result.err)
            self.assertEqual(1, result.err.count("ERROR"), result)


class UnkeptLimits(SlipwayCase):
    """What cannot be kept is said, once, and the build goes on."""
    flags = ("--memory", "64m", "--cpus", "1.5", "--pids-limit", "20", "--shm-size", "3m")

    def said_of_limits(self, *flags, platforms=AMD64, **env):
        context = self.context("FROM busybox\nRUN true\nRUN echo again\n")
        said = self.build(context, "--progress=plain", "--no-cache", *flags, platforms=platforms, env=env).err
        return [line.partition("the limits of steps are ")[2] for line in said.splitlines() if "limits of steps" in line]

    def test_without_namespaces(self):
        need(os.geteuid() == 0, "only root can chroot")
        need_program("proot")
        self.import_busybox()
        no_group, on_disk = " (steps have no control group of their own in this isolation)", \
            "--shm-size (/dev/shm is a directory on disk in this isolation)"
        for isolation in ("chroot", "proot"):
            said = self.said_of_limits(*self.flags, SLIPWAY_ISOLATION=isolation)
            self.assertEqual(["not kept here: --memory, --cpus, --pids-limit%s, %s" % (no_group, on_disk)], said)
            self.assertEqual(["not kept here: --pids-limit" + no_group],
                             self.said_of_limits("--pids-limit", "20", SLIPWAY_ISOLATION=isolation))
            self.assertEqual([], self.said_of_limits(SLIPWAY_ISOLATION=isolation))

    def test_resource_limits_and_hosts_need_no_namespaces(self):
        need(os.geteuid() == 0, "only root can chroot")
        need_program("proot")
        self.import_busybox()
        context = self.context("FROM busybox\nRUN echo soft $(ulimit -n) hard $(ulimit -Hn); grep db.internal /etc/hosts\n")
        for isolation in ("chroot", "proot"):
            result = self.build(context, "--progress=plain", "--no-cache", "--ulimit", "nofile=100:200", "--add-host",
                                "db.internal:10.1.2.3", "-o", self.path("out-" + isolation), platforms=AMD64,
                                env={"SLIPWAY_ISOLATION": isolation})
            self.assertIn("soft 100 hard 200", result.err)
            self.assertIn("10.1.2.3\tdb.internal", result.err)
            self.assertFalse(os.path.exists(self.path("out-" + isolation, "etc/hosts")))

    def test_where_no_groups_can_be_made(self):
        self.user = 54327
        os.mkdir(self.root)
        for path in (self.root, self.dir):
            os.chown(path, self.user, self.user)
        self.import_busybox()
        said, = self.said_of_limits(*self.flags)
        for flag in ("--memory (", "--cpus (", "--pids-limit ("):
            self.assertIn(flag, said)
        self.assertNotIn("--shm-size", said)  # which is a mount
        self.assertEqual([], self.said_of_limits())


class OtherRuntime(SlipwayCase):
    def setUp(self):
        super().setUp()
        need_program("runc")
        self.import_busybox()

    def test_runc_runs_steps_too(self):
        context = self.context("FROM busybox\nRUN uname -m > /m && echo secret is $(cat /run/secrets/s | wc -c)\n"
                               "RUN --mount=type=secret,id=s --mount=type=cache,target=/c cat /run/secrets/s && touch /c/x\n")
        self.write("s", "hidden")
        result = self.build(context, "--progress=plain", "--oci-runtime", "runc", "--secret", "id=s,src=" + self.path("s"))
        self.assertIn("***", result.err)
        self.check_store()

    def test_a_program_that_is_not_there_is_said_as_by_crun(self):
        context = self.context('FROM busybox\nRUN ["no-such-program"]\n')
        result = self.build(context, "--progress=plain", "--oci-runtime", "runc", platforms=AMD64, expect=1)
        self.assertIn('"no-such-program" not found in the image', result.err)
        self.assertNotIn("runc run failed", result.err)

    def test_crun_is_named_where_runc_finds_no_control_groups(self):
        need(os.geteuid() == 0, "only root can hide the control groups")
        script = 'umount -R /sys/fs/cgroup && exec "$0" build --oci-runtime runc --platform linux/amd64 "$1"'
        result = subprocess.run(["unshare", "-m", "sh", "-c", script, SLIPWAY, self.context("FROM busybox\nRUN true\n")],
                                env=self.environment(), capture_output=True, text=True, timeout=120)
        self.assertEqual(3, result.returncode, result.stderr)
        self.assertIn("runc could not start the step: ", result.stderr)
        self.assertIn("hint: crun needs no control group (--oci-runtime=crun)", result.stderr)

    def test_a_runtime_that_is_none(self):
        context = self.context("FROM busybox\nRUN true\n")
        result = self.build(context, "--oci-runtime", "cat", platforms=AMD64, expect=3)
        self.assertIn("is neither crun nor runc", result.err)
        result = self.build(context, "--oci-runtime", "no-such-runtime", platforms=AMD64, expect=3)
        self.assertIn("no-such-runtime, which runs the steps of a build, is not installed", result.err)


if __name__ == "__main__":
    main()
