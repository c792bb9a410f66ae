"""A dockerd of our own, in a chroot of Debian trixie that is kept in the cache: another's build of the same Dockerfile."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

SUITE = "trixie"  # docker.io 26.1: BuildKit 0.13, whose built-in Dockerfile frontend is 1.7
PACKAGES = "docker.io,docker-buildx,docker-cli,ca-certificates,git,xz-utils"
# The daemon's / has to be a mount point, or runc fails; so a chroot alone will not do.
ENTER = """set -e
mount --make-rprivate /
mount --bind "$1" "$1"
cd "$1"
mkdir -p old
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
mount -t tmpfs tmpfs tmp
mount -t tmpfs tmpfs run
mkdir -p ".$2"
mount --bind "$2" ".$2"
cp /etc/resolv.conf /etc/hosts run/
pivot_root . old
umount -l old
: > /etc/resolv.conf; mount --bind /run/resolv.conf /etc/resolv.conf
: > /etc/hosts; mount --bind /run/hosts /etc/hosts
shift 2
exec "$@"
"""


class Unavailable(Exception):
    """No dockerd can be had here; the message says why."""


def chroot(cache):
    """The directory with docker's programs, made if it is not there."""
    root = os.path.join(cache, "docker-" + SUITE)
    if os.path.exists(os.path.join(root, "usr/sbin/dockerd")):
        return root
    if os.geteuid() != 0:
        raise Unavailable("only root can start a dockerd")
    if not shutil.which("mmdebstrap"):
        raise Unavailable("mmdebstrap is not installed")
    os.makedirs(cache, exist_ok=True)
    work = tempfile.mkdtemp(prefix=".docker-", dir=cache)
    try:
        done = subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", "--mode=root", "--include=" + PACKAGES, SUITE, work + "/root"],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Unavailable("mmdebstrap cannot make a Debian %s: %s" % (SUITE, done.stderr.strip()[-300:]))
        os.chmod(work + "/root", 0o755)
        try:
            os.rename(work + "/root", root)
        except OSError:  # another was faster
            pass
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return root


class Dockerd:
    """Runs while the block lasts. `shared`: a directory that it and its client see at the same path; its data goes there."""

    def __init__(self, cache, shared, registry_host):
        if os.geteuid() != 0:
            raise Unavailable("only root can start a dockerd")
        self.home = os.path.join(shared, "docker")
        self.socket = os.path.join(self.home, "docker.sock")
        os.makedirs(self.home)
        config = os.path.join(self.home, "daemon.json")
        with open(config, "w") as file:
            json.dump({"features": {"containerd-snapshotter": True}, "insecure-registries": [registry_host], "bridge": "none",
                       "iptables": False, "ip6tables": False, "data-root": os.path.join(self.home, "data"), "exec-root": "/run/docker",
                       "pidfile": "/run/docker.pid", "hosts": ["unix://" + self.socket]}, file)
        self.log_path = os.path.join(self.home, "log")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", ENTER, "sh", chroot(cache), shared, "dockerd",
                 "--config-file", config], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.wait_until_it_answers()

    def wait_until_it_answers(self):
        deadline = time.monotonic() + 60
        while subprocess.run(self.command() + ["version"], cwd=self.home, capture_output=True, check=False).returncode != 0:
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.close()
                with open(self.log_path, errors="replace") as file:
                    raise Unavailable("dockerd does not start: " + " ".join(file.read().split())[-400:])

    def pid(self):
        """Of the first process inside, as seen from here."""
        try:
            with open("/proc/%d/task/%d/children" % (self.process.pid, self.process.pid)) as file:
                return int((file.read().split() or ["0"])[0])
        except OSError:
            return 0

    def command(self):
        """What to put before docker's arguments; it keeps the working directory."""
        run = 'cd "$1" && shift && exec docker "$@"'
        return ["env", "DOCKER_HOST=unix://" + self.socket, "DOCKER_CONFIG=" + self.home, "sh", "-c",
                'exec nsenter -t %d -m -p -r -- sh -c \'%s\' sh "$PWD" "$@"' % (self.pid(), run), "sh"]

    def close(self):
        if self.process.poll() is None:
            pid = self.pid()
            if pid:
                os.kill(pid, signal.SIGTERM)
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
