"""Base images for accelerated builds: one program of one version for two platforms, as dpkg has it."""
import hashlib
import io
import os
import platform
import tarfile

from harness import AMD64, ARM64, BOTH, CACHE, SlipwayCase, need, private_binfmt

VERSION = "1-made-up"
LIBRARIES = "/lib/x86_64-linux-gnu/"


class PairedImages(SlipwayCase):
    """Base images with a dpkg database that says: /usr/bin/cat is of one version in both. arm64's is a busybox."""

    def setUp(self):
        super().setUp()
        need(private_binfmt(), "no private binfmt table")
        need(platform.machine() == "x86_64" and os.path.exists(LIBRARIES + "libc.so.6"), "twins here are of Debian's amd64")

    def tar(self, name, port, packages, links=(), more=None):
        """busybox with these {package: {path: bytes}} installed, and `more` {path: bytes} of no package."""
        status, path = "", self.path(name + ".tar")
        with tarfile.open(os.path.join(CACHE, "busybox-%s.tar" % port)) as base, tarfile.open(path, "w") as out:
            for member in base:
                out.addfile(member, base.extractfile(member) if member.isreg() else None)

            def add(where, content, mode=0o644):
                member = tarfile.TarInfo(where.lstrip("/"))
                member.size, member.mode = len(content), mode
                out.addfile(member, io.BytesIO(content))

            for where, content in (more or {}).items():
                add(where, content)
            for package, files in packages.items():
                status += ("Package: %s\nStatus: install ok installed\nArchitecture: %s\nVersion: %s\n"
                           "Description: made up\n\n" % (package, port, VERSION))
                for where, content in files.items():
                    add(where, content, 0o755)
                stem = "/var/lib/dpkg/info/%s." % package
                add(stem + "list", "".join("%s\n" % where for where in files).encode())
                add(stem + "md5sums", "".join("%s  %s\n" % (hashlib.md5(content).hexdigest(), where.lstrip("/"))
                                              for where, content in files.items()).encode())
            add("/var/lib/dpkg/status", status.encode())
            for where, to in links:
                member = tarfile.TarInfo(where.lstrip("/"))
                member.type, member.linkname = tarfile.SYMTYPE, to
                out.addfile(member)
        return path

    def import_pair(self, twin="/usr/bin/cat", libraries=("libc.so.6", "ld-linux-x86-64.so.2"), host=AMD64, more=None):
        """`twin`: this machine's program that is called /usr/bin/cat in the amd64 image. `more`: {path: bytes} of both."""
        for port in ("amd64", "arm64"):
            need(os.path.exists(os.path.join(CACHE, "busybox-%s.tar" % port)), "no busybox for " + port)
        # A static one has its loader's directories in it, and what names its machine has no twin.
        foreign = self.read_bytes(CACHE, "arm64/busybox").replace(b"aarch64", b"machine")
        arm64 = self.tar("arm64", "arm64", {"coreutils": {"/usr/bin/cat": foreign}, "libc6": {}}, more=more)
        amd64 = self.tar("amd64", "amd64",
                         {"coreutils": {"/usr/bin/cat": self.read_bytes(twin)},
                          "libc6": {LIBRARIES + name: self.read_bytes(LIBRARIES + name) for name in libraries}},
                         [("/lib64/ld-linux-x86-64.so.2", LIBRARIES + "ld-linux-x86-64.so.2")], more)
        if host:
            self.slipway("import", amd64, arm64, "--platform", BOTH, "-t", "pair")
        else:
            self.slipway("import", arm64, "--platform", ARM64, "-t", "pair")

    @staticmethod
    def read_bytes(*parts):
        with open(os.path.join(*parts), "rb") as file:
            return file.read()
