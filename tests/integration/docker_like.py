"""A container as Docker and Kubernetes make them by default: their capabilities, and a seccomp filter that refuses namespaces
and mounts. Made with crun itself, on the machine's own files."""
import json
import os
import shutil
import subprocess

from harness import SLIPWAY

CAPABILITIES = ["CAP_" + name for name in (
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW", "SETFCAP",
    "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT")]
REFUSED = ["mount", "umount2", "unshare", "setns", "pivot_root", "fsopen", "fsmount", "move_mount", "open_tree",
           "mount_setattr", "open_by_handle_at", "keyctl", "add_key", "request_key", "bpf"]
NAMESPACE_FLAGS = [0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000]  # CLONE_NEW*
ENOSYS = 38

STREAMS = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "errors": "replace"}

# Our own mount namespace: the machine's cgroups may be in a state that crun refuses.
START = """set -e
mount -t tmpfs none /sys/fs/cgroup 2>/dev/null || true
mount --bind / "$1/rootfs"
exec crun --root "$1/state" --cgroup-manager=disabled run --bundle "$1" "$2"
"""


# The same in a user namespace that has been given its ids: says that it is there, and waits for them. The mounts that are
# there it can only take together.
START_ROOTLESS = """echo made >&"$3"; read mapped <&"$4"
""" + START.replace("--bind", "--rbind")


def seccomp():
    masked = [{"names": ["clone"], "action": "SCMP_ACT_ERRNO",
               "args": [{"index": 0, "value": flag, "valueTwo": flag, "op": "SCMP_CMP_MASKED_EQ"}]} for flag in NAMESPACE_FLAGS]
    return {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
            "syscalls": [{"names": REFUSED, "action": "SCMP_ACT_ERRNO"},
                         {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": ENOSYS}] + masked}


def spec(command, env, user, capabilities, writable, masked, namespaces):
    options = ["nosuid", "noexec", "nodev"]
    held = {kind: capabilities for kind in (["bounding", "effective", "permitted"] if user == 0 else ["bounding"])}
    mounts = [{"destination": "/proc", "type": "proc", "source": "proc", "options": options},
              {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "strictatime", "mode=755"]},
              {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": options + ["mode=1777"]},
              {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": options + ["ro"]},
              {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", "mode=1777"]}]
    mounts += [{"destination": path, "type": "none", "source": path, "options": ["rbind", "rw"]} for path in writable]
    return {"ociVersion": "1.0.2",
            "process": {"terminal": False, "user": {"uid": user, "gid": user}, "args": command, "cwd": writable[0],
                        "env": ["%s=%s" % pair for pair in env.items()], "capabilities": held},
            "root": {"path": "rootfs", "readonly": True},
            "hostname": "container",
            "mounts": mounts,
            "linux": {"namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")],
                      **({} if namespaces else {"seccomp": seccomp()}),
                      "maskedPaths": ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware", *masked],
                      "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]}}


def give(directory, user):
    """What root has in the directory becomes the user's. The rest stays as it is: chown(2) takes set-user-ID bits away."""
    if user != 0:
        subprocess.run(["chown", "-hR", "--from=0", "%d:%d" % (user, user), directory], check=True)


def start_rootless(bundle, name):
    """A Popen of the container in `bundle` as a rootless Podman or Docker would make it, with 65,536 ids."""
    made, say_made = os.pipe()
    mapped, say_mapped = os.pipe()
    process = subprocess.Popen(["unshare", "-U", "-m", "--propagation", "private", "sh", "-c", START_ROOTLESS, "sh", bundle, name,
                                str(say_made), str(mapped)], pass_fds=(say_made, mapped), **STREAMS)
    os.close(say_made)
    os.close(mapped)
    with os.fdopen(made) as said:
        said.readline()
    for ids in ("uid_map", "gid_map"):
        with open("/proc/%d/%s" % (process.pid, ids), "w") as file:
            file.write("0 0 65536")
    with os.fdopen(say_mapped, "w") as file:
        file.write("mapped\n")
    return process


def start_in_container(bundle, name, command, env, writable, user=0, capabilities=CAPABILITIES, masked=(), namespaces=False,
                       rootless=False):
    """A Popen of the container, which has the network of the machine. `writable`: directories; the rest can be read only.
    `namespaces`: user namespaces are allowed in it, and mounts in them. `rootless`: its root is root of a user namespace."""
    os.makedirs(os.path.join(bundle, "rootfs"), exist_ok=True)
    with open(os.path.join(bundle, "config.json"), "w") as file:
        json.dump(spec(command, env, user, capabilities, writable, masked, namespaces), file)
    if rootless:
        return start_rootless(bundle, name)
    return subprocess.Popen(["unshare", "-m", "--propagation", "private", "sh", "-c", START, "sh", bundle, name], **STREAMS)


class InContainer:
    """For a SlipwayCase: its slipway runs in such a container, as the user `inside`, started by the program `wrapper`."""
    inside = 0
    capabilities = CAPABILITIES
    wrapper = ()
    masked = ()
    namespaces = False
    bundles = 0

    def start(self, *args, env=None, **_):
        self.bundles += 1
        bundle = "%s-bundle-%d" % (self.dir, self.bundles)
        os.mkdir(bundle)
        self.addCleanup(subprocess.run, ["rm", "-rf", bundle], check=False)
        give(self.dir, self.inside)
        program = self.path("slipway")
        if not os.path.exists(program):
            shutil.copy(SLIPWAY, program)
        name = "slipway-test-%d-%d" % (os.getpid(), self.bundles)
        return start_in_container(bundle, name, [*self.wrapper, program, *args], self.environment(env), [self.dir],
                                  user=self.inside, capabilities=self.capabilities, masked=self.masked,
                                  namespaces=self.namespaces)
