#!/usr/bin/env python3
"""Makes the two Debian 12 trees that tests/accel/real_siblings_test.cc looks for twins in: amd64 and arm64, minimal, with
make and the tools of a build. Needs root, mmdebstrap, qemu-user-static, a package mirror, and some four minutes.

The foreign packages' maintainer scripts run under a QEMU that is registered in a user namespace's own binfmt_misc
(Linux 6.7), so the host's table stays as it is.
"""
import ctypes
import os
import subprocess
import sys

PACKAGES = "make,patch,m4,gawk,mawk,xz-utils,bzip2,zstd,cpio,bsdextrautils"
CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID = 0x10000000, 0x20000, 0x20000000
REGISTRATION = (rb":slipway-arm64:M::\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:"
                rb"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:"
                rb"/usr/bin/qemu-aarch64-static:F")


def bootstrap(architecture, directory):
    subprocess.run(["mmdebstrap", "--variant=minbase", "--mode=root", "--include=" + PACKAGES,
                    "--architectures=" + architecture, "bookworm", directory], check=True)


def in_namespaces(action):
    """Runs `action` in a child that is root of a user namespace with all of the host's first 65536 ids."""
    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID) != 0:
            os._exit(1)
        os.write(ready[1], b"x")
        os.read(go[0], 1)
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
        inner = os.fork()
        if inner == 0:
            try:
                action()
                os._exit(0)
            except Exception as error:
                print(error, file=sys.stderr)
                os._exit(1)
        os._exit(os.waitstatus_to_exitcode(os.waitpid(inner, 0)[1]))
    os.read(ready[0], 1)
    for name in ("uid_map", "gid_map"):
        with open("/proc/%d/%s" % (child, name), "w") as out:
            out.write("0 0 65536\n")
    os.write(go[1], b"x")
    if os.waitpid(child, 0)[1] != 0:
        sys.exit("the arm64 tree could not be made")


def foreign(directory):
    for command in (["mount", "--make-rprivate", "/"], ["mount", "-t", "proc", "proc", "/proc"],
                    ["mount", "-t", "binfmt_misc", "none", "/proc/sys/fs/binfmt_misc"]):
        subprocess.run(command, check=True)
    with open("/proc/sys/fs/binfmt_misc/register", "wb", buffering=0) as register:
        register.write(REGISTRATION)
    bootstrap("arm64", directory)


def main():
    trees = sys.argv[1] if len(sys.argv) > 1 else "/var/cache/slipway-test/siblings"
    os.makedirs(trees, exist_ok=True)
    bootstrap("amd64", trees + "/amd64")
    in_namespaces(lambda: foreign(trees + "/arm64"))


if __name__ == "__main__":
    main()
