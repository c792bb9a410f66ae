"""Base images for accelerated builds: one program of one version for two platforms, as dpkg has it."""
import hashlib
import io
import json
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
        status, files, programs = "", dict(more or {}), {}
        for package, of_package in packages.items():
            status += ("Package: %s\nStatus: install ok installed\nArchitecture: %s\nVersion: %s\n"
                       "Description: made up\n\n" % (package, port, VERSION))
            stem = "/var/lib/dpkg/info/%s." % package
            files[stem + "list"] = "".join("%s\n" % where for where in of_package).encode()
            files[stem + "md5sums"] = "".join("%s  %s\n" % (hashlib.md5(content).hexdigest(), where.lstrip("/"))
                                              for where, content in of_package.items()).encode()
            programs.update(of_package)
        files["/var/lib/dpkg/status"] = status.encode()
        return self.tar_of(name, programs, links, files, os.path.join(CACHE, "busybox-%s.tar" % port))

    def tar_of(self, name, programs, links=(), files=None, base=None):
        """An archive of these {path: bytes}, on top of what the archive `base` has."""
        path = self.path(name + ".tar")
        with tarfile.open(path, "w") as out:
            if base:
                with tarfile.open(base) as below:
                    for member in below:
                        out.addfile(member, below.extractfile(member) if member.isreg() else None)
            for mode, of_mode in ((0o755, programs), (0o644, files or {})):
                for where, content in of_mode.items():
                    member = tarfile.TarInfo(where.lstrip("/"))
                    member.size, member.mode = len(content), mode
                    out.addfile(member, io.BytesIO(content))
            for where, to in links:
                member = tarfile.TarInfo(where.lstrip("/"))
                member.type, member.linkname = tarfile.SYMTYPE, to
                out.addfile(member)
        return path

    def target_program(self):
        """A busybox for arm64."""
        # A static one has its loader's directories in it, and what names its machine has no twin.
        return self.read_bytes(CACHE, "arm64/busybox").replace(b"aarch64", b"machine")

    def import_pair(self, twin="/usr/bin/cat", libraries=("libc.so.6", "ld-linux-x86-64.so.2"), host=AMD64, more=None, packages=None):
        """`twin`: this machine's program that is called /usr/bin/cat in the amd64 image. `more`: {path: bytes} of both. `packages`:
        {package: {path: bytes}} of arm64's alone."""
        for port in ("amd64", "arm64"):
            need(os.path.exists(os.path.join(CACHE, "busybox-%s.tar" % port)), "no busybox for " + port)
        arm64 = self.tar("arm64", "arm64", {"coreutils": {"/usr/bin/cat": self.target_program()}, "libc6": {}, **(packages or {})}, more=more)
        amd64 = self.tar("amd64", "amd64",
                         {"coreutils": {"/usr/bin/cat": self.read_bytes(twin)},
                          "libc6": {LIBRARIES + name: self.read_bytes(LIBRARIES + name) for name in libraries}},
                         [("/lib64/ld-linux-x86-64.so.2", LIBRARIES + "ld-linux-x86-64.so.2")], more)
        if host:
            self.slipway("import", amd64, arm64, "--platform", BOTH, "-t", "pair")
        else:
            self.slipway("import", arm64, "--platform", ARM64, "-t", "pair")

    def import_pack(self, version=VERSION, target="/usr/bin/cat"):
        """A toolchain pack with this machine's cat for `target` of coreutils in the arm64 image of import_pair()."""
        foreign = self.read_bytes(CACHE, "arm64/busybox").replace(b"aarch64", b"machine")
        manifest = {"format": 1, "platform": ARM64, "machine": "aarch64",
                    "programs": [{"target": target, "package": "coreutils", "version": version,
                                  "sha256": hashlib.sha256(foreign).hexdigest(), "twin": "/usr/bin/cat"}]}
        files = {LIBRARIES + name: self.read_bytes(LIBRARIES + name) for name in ("libc.so.6", "ld-linux-x86-64.so.2")}
        files["/usr/bin/cat"] = self.read_bytes("/usr/bin/cat")
        files["/usr/share/slipway/accel.json"] = json.dumps(manifest).encode()
        pack = self.tar("pack", "amd64", {"pack": files}, [("/lib64/ld-linux-x86-64.so.2", LIBRARIES + "ld-linux-x86-64.so.2")])
        self.slipway("import", pack, "--platform", AMD64, "-t", "pack")

    @staticmethod
    def read_bytes(*parts):
        with open(os.path.join(*parts), "rb") as file:
            return file.read()
