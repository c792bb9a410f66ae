"""What the integration tests share: a store of their own each, the real program, a real registry.

Nothing here sleeps: servers are waited for by connecting, processes by waiting. Emulation uses a private binfmt table
wherever the kernel has one, so that a registration on the host cannot hide a fault.
"""
import atexit
import contextlib
import functools
import http.server
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from loopback import LoopbackServer

SLIPWAY = os.environ.get("SLIPWAY", os.path.join(os.path.dirname(__file__), "../../build/dev/tools/slipway/slipway"))
CACHE = os.environ.get("SLIPWAY_TEST_CACHE", "/var/cache/slipway-test")
REPOSITORY = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
AMD64, ARM64 = "linux/amd64", "linux/arm64"
BOTH = AMD64 + "," + ARM64
DEBIAN_NAME = {AMD64: "amd64", ARM64: "arm64", "linux/arm/v7": "armhf", "linux/386": "i386",
               "linux/ppc64le": "ppc64el", "linux/s390x": "s390x", "linux/arm/v6": "armel", "linux/riscv64": "riscv64",
               "linux/mips64le": "mips64el"}


def need(condition, reason):
    """Skips the test, saying why. In CI nothing may be missing."""
    if condition:
        return
    if os.environ.get("CI"):
        raise AssertionError("missing in CI: " + reason)
    raise unittest.SkipTest(reason)


@functools.lru_cache(None)
def private_binfmt():
    """Whether a user namespace may have a binfmt_misc of its own (Linux 6.7). If not, says so once."""
    with tempfile.TemporaryDirectory() as mount_point:
        probe = subprocess.run(["unshare", "-Urm", "mount", "-t", "binfmt_misc", "none", mount_point],
                               capture_output=True, text=True)
    if probe.returncode != 0:
        print("no private binfmt table here (%s): relying on the host's registrations" % probe.stderr.strip(), file=sys.stderr)
    return probe.returncode == 0


@functools.lru_cache(None)
def emulated_by_host(platform):
    """Whether the host has an enabled registration, usable in any root, for the platform's programs."""
    name = {"linux/arm64": "aarch64", "linux/arm/v7": "arm"}.get(platform, platform.split("/")[1])
    try:
        with open("/proc/sys/fs/binfmt_misc/qemu-" + name) as file:
            lines = file.read().splitlines()
    except OSError:
        return False
    return lines[0] == "enabled" and any(line.startswith("flags:") and "F" in line for line in lines)


def need_platform(platform):
    """The tests' own machine is amd64; it runs 386 as well."""
    need(platform in (AMD64, "linux/386") or private_binfmt() or emulated_by_host(platform),
         "neither a private binfmt table (Linux 6.7) nor a registration of the host runs " + platform)


def need_program(name):
    need(shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin"), name + " is not installed")


def may_make_groups():
    """Whether control groups for memory can be made here (as root, below our own)."""
    with open("/proc/self/cgroup") as file:
        own = {line.split(":")[1]: line.rstrip("\n").split(":", 2)[2] for line in file}
    if "memory" in own:
        return os.access("/sys/fs/cgroup/memory" + own["memory"], os.W_OK)
    return os.access("/sys/fs/cgroup/cgroup.subtree_control", os.W_OK)


class ControlGroup:
    """A control group of a test's own for commands that would be too much for the machine. What is left in it at the end is killed.
    `limits`: what to write to which of its files; those of the other version of control groups are passed over."""

    def __init__(self, controller, limits):
        with open("/proc/self/cgroup") as file:
            own = {line.split(":")[1]: line.rstrip("\n").split(":", 2)[2] for line in file}
        if controller in own:
            base = "/sys/fs/cgroup/%s%s" % (controller, own[controller])
        else:
            base = os.path.dirname("/sys/fs/cgroup" + own[""])
        self.directory = os.path.join(base, "slipway-test-%d" % os.getpid())
        try:
            os.mkdir(self.directory)
        except OSError as error:
            need(False, "no control groups can be made here: %s" % error)
        known = [name for name in limits if os.path.exists(self.file(name))]
        if not known:
            os.rmdir(self.directory)
        need(known, "control groups have no %s here" % controller)
        for name in known:
            self.write(name, limits[name])

    def file(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, value):
        with open(self.file(name), "w") as file:
            file.write(str(value))

    def enter(self):
        """For subprocess's preexec_fn."""
        self.write("cgroup.procs", 0)

    def processes(self):
        """Its own and those of the groups below it."""
        pids = []
        for directory, _, _ in os.walk(self.directory):
            with contextlib.suppress(OSError), open(os.path.join(directory, "cgroup.procs")) as file:
                pids += [int(pid) for pid in file.read().split()]
        return pids

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if os.path.exists(self.file("pids.max")):
            self.write("pids.max", 0)  # nobody forks from here on
        while self.processes():
            for pid in self.processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            os.sched_yield()
        for directory, _, _ in os.walk(self.directory, topdown=False):
            with contextlib.suppress(FileNotFoundError):
                os.rmdir(directory)


class Result:
    def __init__(self, process, out, err):
        self.code, self.out, self.err = process.returncode, out, err

    def __str__(self):
        return "exit %d\n--- stdout\n%s\n--- stderr\n%s" % (self.code, self.out, self.err)


class Registry:
    """Debian's docker-registry on a free loopback port."""

    def __init__(self, directory, htpasswd=None):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.host = "127.0.0.1:%d" % self.port
        config = {"version": 0.1, "log": {"level": "error", "accesslog": {"disabled": True}},
                  "storage": {"filesystem": {"rootdirectory": os.path.join(directory, "registry")}},
                  "http": {"addr": self.host}}
        if htpasswd:
            config["auth"] = {"htpasswd": {"realm": "test", "path": htpasswd}}
        path = os.path.join(directory, "registry.yml")
        with open(path, "w") as file:
            json.dump(config, file)
        self.log = open(os.path.join(directory, "registry.log"), "wb")
        self.process = subprocess.Popen(["docker-registry", "serve", path], stdout=self.log, stderr=self.log)
        wait_for_port(self.port, self.process)

    def close(self):
        self.process.kill()
        self.process.wait()
        self.log.close()


class Gate(LoopbackServer):
    """Holds steps up: a step that says `wget -q -O - http://{gate.host}/` goes on when `opens()` has returned."""

    def __init__(self, opens):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                opens()
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

        super().__init__(Handler)


def wait_for_port(port, process):
    """Until something listens: each refused connection waits for the next time slice, nothing more."""
    for _ in range(200000):
        if process.poll() is not None:
            raise AssertionError("the server ended with %d" % process.returncode)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        os.sched_yield()
    raise AssertionError("the server does not listen")


class SlipwayCase(unittest.TestCase):
    """A test with a directory and a store of its own. `user`: run slipway as that uid instead of ours."""
    maxDiff = None
    user = None

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="slipway-test-")
        os.chmod(self.dir, 0o755)
        self.addCleanup(self.remove_directory)
        self.root = os.path.join(self.dir, "store")
        if self.user is not None:
            os.mkdir(self.root)
            os.chown(self.root, self.user, self.user)
            os.chown(self.dir, self.user, self.user)

    def remove_directory(self):
        subprocess.run(["rm", "-rf", self.dir], check=False)

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def write(self, name, text, mode=0o644):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def environment(self, extra=None):
        env = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": self.dir, "SLIPWAY_ROOT": self.root,
               "LC_ALL": "C.UTF-8"}
        if private_binfmt():
            env["SLIPWAY_PRIVATE_BINFMT"] = "1"
        env.update(extra or {})
        return env

    def start(self, *args, env=None, root=None, **options):
        command = [SLIPWAY, *(["--root", root] if root else []), *args]
        environment = self.environment(env)
        if os.geteuid() == 0 and self.user is None and environment.get("SLIPWAY_ISOLATION") in ("chroot", "proot"):
            command = [*kept_machine(), "--wd=" + self.dir, "--", *command]
        if self.user is not None:
            options.update(user=self.user, group=self.user, extra_groups=[])
        options.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.Popen(command, cwd=self.dir, env=environment, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, errors="replace", **options)

    def slipway(self, *args, expect=0, **options):
        process = self.start(*args, **options)
        out, err = process.communicate(timeout=600)
        result = Result(process, out, err)
        if expect is not None:
            self.assertEqual(expect, result.code, "%s\n%s" % (" ".join(args), result))
        return result

    def import_busybox(self, name="busybox", platforms=BOTH):
        tars = []
        for platform in platforms.split(","):
            tar = os.path.join(CACHE, "busybox-%s.tar" % DEBIAN_NAME[platform])
            need(os.path.exists(tar), tar + " is missing: run tests/support/test_bases.sh")
            tars.append(tar)
        return self.slipway("import", *tars, "--platform", platforms, "-t", name)

    def context(self, dockerfile, files=None, name="context"):
        self.write(os.path.join(name, "Dockerfile"), dockerfile)
        for path, text in (files or {}).items():
            self.write(os.path.join(name, path), text)
        return self.path(name)

    def build(self, context, *args, platforms=BOTH, **options):
        for platform in platforms.split(","):
            need_platform(platform)
        return self.slipway("build", "--platform", platforms, *args, context, **options)

    def registry(self, **options):
        need_program("docker-registry")
        registry = Registry(self.dir, **options)
        self.addCleanup(registry.close)
        return registry

    @staticmethod
    def unused_address():
        """A port of loopback at which nobody listens."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return "127.0.0.1:%d" % probe.getsockname()[1]

    def gate(self, opens):
        gate = Gate(opens)
        self.addCleanup(gate.close)
        return gate

    def check_store(self, root=None):
        result = self.slipway("store", "check", root=root)
        self.assertIn("the store is clean", result.out)

    def layout_image(self, layout, platform):
        """(manifest, config, directory) of a platform in an OCI layout directory."""
        index = self.read_json(layout, "index.json")["manifests"][0]
        document = self.blob(layout, index["digest"])
        if "manifests" in document:
            for entry in document["manifests"]:
                p = entry["platform"]
                if "/".join(filter(None, [p["os"], p["architecture"], p.get("variant")])) == platform:
                    document = self.blob(layout, entry["digest"])
        return document, self.blob(layout, document["config"]["digest"])

    @staticmethod
    def read(*parts):
        with open(os.path.join(*parts)) as file:
            return file.read()

    @staticmethod
    def read_json(*parts):
        with open(os.path.join(*parts)) as file:
            return json.load(file)

    def blob_path(self, layout, digest):
        return os.path.join(layout, "blobs", "sha256", digest.split(":")[1])

    def blob(self, layout, digest):
        return self.read_json(self.blob_path(layout, digest))

    def unpack(self, layout, platform):
        """The root file system of a platform, unpacked by umoci."""
        need_program("umoci")
        need_program("skopeo")
        arch = platform.split("/")[1]
        one, bundle = self.path("one-" + arch), self.path("bundle-" + arch)
        # The layout may hold several tags of one image; any will do.
        tag = self.read_json(layout, "index.json")["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"]
        run(["skopeo", "--override-arch", arch, "copy", "--quiet", "oci:%s:%s" % (layout, tag), "oci:%s:x" % one])
        run(["umoci", "unpack", "--image", one + ":x", bundle])
        return os.path.join(bundle, "rootfs")


@functools.lru_cache(None)
def kept_machine():
    """What goes before a command that may not change the machine's settings: steps below proot see its own /proc and /sys, and as
    root they could write to them."""
    script = """set -e
                mount --rbind /proc/sys /proc/sys
                mounts=$(cat /proc/self/mounts)
                echo "$mounts" | while read -r _ place _; do
                  case $place in /sys | /sys/* | /proc/sys | /proc/sys/*) mount -o remount,bind,ro "$place" ;; esac
                done
                echo ready
                exec cat"""
    holder = subprocess.Popen(["unshare", "-m", "--propagation", "private", "sh", "-c", script], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE)
    atexit.register(holder.communicate)
    if holder.stdout.readline() != b"ready\n":
        raise AssertionError("cannot make the machine's settings read-only")
    return ["nsenter", "--target", str(holder.pid), "--mount"]


def run(command, **options):
    """A judge of our output: any program that must succeed."""
    result = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=600, **options)
    if result.returncode != 0:
        raise AssertionError("%s: exit %d\n%s%s" % (command, result.returncode, result.stdout, result.stderr))
    return result.stdout


def processes_with(text):
    """Pids of processes whose command line or environment holds `text`."""
    return [pid for pid, found in search_processes(text, "cmdline", "environ") if found and pid != os.getpid()]


def mounts_with(text):
    """Lines with `text` of the mount tables of all processes: each may have a namespace of its own."""
    lines = set()
    for _, found in search_processes(text, "mountinfo"):
        lines.update(found)
    return sorted(lines)


def search_processes(text, *files):
    """(pid, lines that hold `text` of these files in /proc/PID) of every process that lives."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        found = []
        for name in files:
            try:
                with open("/proc/%s/%s" % (pid, name), "rb") as file:
                    found += [line for line in file.read().decode(errors="replace").split("\n") if text in line]
            except OSError:
                pass  # it ended, or is not ours to see
        yield int(pid), found


def wait_until(condition, seconds=30):
    """Until `condition()` holds, giving way to others in between; returns what it said last."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        os.sched_yield()
    return condition()


def step_lines(text):
    """{"[linux/amd64 2/3] RUN x": [what plain progress said of it]} of the steps of a build, without the internal ones."""
    names, said = {}, {}
    for line in text.splitlines():
        number, _, rest = line.partition(" ")
        if not number.startswith("#") or not number[1:].isdigit():
            continue
        if number not in names:
            names[number], said[rest] = rest, []
        else:
            said[names[number]].append(rest)
    return {name: lines for name, lines in said.items() if re.match(r"\[.* \d+/\d+\] ", name)}


class Timed(unittest.TextTestResult):
    """Says how long each test took."""

    def startTest(self, test):
        self.began = time.monotonic()
        super().startTest(test)

    def stopTest(self, test):
        self.stream.writeln("  %.1f s  %s" % (time.monotonic() - self.began, test.id()))
        super().stopTest(test)


class Runner(unittest.TextTestRunner):
    resultclass = Timed


def main():
    signal.alarm(1500)
    unittest.main(verbosity=2, testRunner=Runner)


if __name__ == "__main__":
    sys.exit("a library of the tests")
