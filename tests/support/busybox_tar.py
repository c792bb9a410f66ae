#!/usr/bin/env python3
"""busybox_tar.py BUSYBOX OUT.tar: a root file system of one static program and its links, the same bytes each time."""
import io
import sys
import tarfile

APPLETS = """[ ash awk base64 basename cat chmod chown cmp cp cut date dd df diff dirname du echo egrep env expr false fgrep
find fold grep gunzip gzip head hostname id install kill ln ls md5sum mkdir mkfifo mknod mktemp more mount mv nproc od paste pidof
printf ps pwd readlink realpath rm rmdir sed seq sh sha1sum sha256sum sleep sort split stat sync tac tail tar tee test time
timeout touch tr true truncate umount uname uniq usleep vi wc wget which whoami xargs xxd yes zcat ip""".split()


def main(busybox, out):
    with tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as tar:
        def add(name, kind, data=b"", mode=0o755, link=""):
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.size, info.linkname, info.mtime = kind, mode, len(data), link, 1700000000
            tar.addfile(info, io.BytesIO(data))

        for name in ["bin", "dev", "etc", "home", "proc", "root", "run", "sys", "usr", "usr/bin", "var", "var/tmp"]:
            add(name + "/", tarfile.DIRTYPE)
        add("tmp/", tarfile.DIRTYPE, mode=0o1777)
        with open(busybox, "rb") as program:
            add("bin/busybox", tarfile.REGTYPE, program.read())
        for applet in APPLETS:
            add("bin/" + applet, tarfile.SYMTYPE, mode=0o777, link="busybox")
        add("usr/bin/env", tarfile.SYMTYPE, mode=0o777, link="../../bin/busybox")
        add("etc/passwd", tarfile.REGTYPE, b"root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home:/bin/sh\n", 0o644)
        add("etc/group", tarfile.REGTYPE, b"root:x:0:\napp:x:1000:\n", 0o644)


if __name__ == "__main__":
    main(*sys.argv[1:])
