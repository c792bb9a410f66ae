"""What an attacker from inside a step is up against: attempts/ built, a place outside with what must not be reached, and the
Dockerfile that lets the attempts loose."""
import ctypes
import io
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import tarfile

from harness import AMD64, CACHE, DEBIAN_NAME, SlipwayCase, need, need_program

ATTEMPTS = os.path.join(os.path.dirname(os.path.realpath(__file__)), "attempts")
HELPERS = ("attempt", "opens_for_writing")  # functions of attempts.sh that are none themselves
# Char and block devices, with the numbers of Linux: none of them is a step's.
NODES = {"kmsg": (tarfile.CHRTYPE, 1, 11), "mem": (tarfile.CHRTYPE, 1, 1), "loop0": (tarfile.BLKTYPE, 7, 0),
         "null": (tarfile.CHRTYPE, 1, 3)}
IPC_RMID, IPC_CREAT = 0, 0o1000


def names_of_attempts(compiled):
    """Every attempt there is, so that none can be left out unnoticed."""
    names = set()
    for name in os.listdir(ATTEMPTS):
        with open(os.path.join(ATTEMPTS, name)) as file:
            text = file.read()
        if name.endswith(".sh"):
            names.update(re.findall(r"^([a-z_]+)\(\) {", text, re.MULTILINE))
        elif compiled:
            names.update(re.findall(r'{"([a-z0-9-]+)", [a-z_0-9]+}', text))
    return names - set(HELPERS)


def compile_attempts(path):
    need_program("gcc")
    names = sorted(name for name in os.listdir(ATTEMPTS) if name.endswith(".c") and not name.endswith(".so.c"))
    sources = [os.path.join(ATTEMPTS, name) for name in names]
    subprocess.run(["gcc", "-static", "-O1", "-Wall", "-Wextra", "-Werror", "-o", path, *sources], check=True)


def compile_library(path):
    need_program("gcc")
    source = os.path.join(ATTEMPTS, "preloaded.so.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o", path, source], check=True)


def pattern_of(text):
    """Matches the text and not itself."""
    return "[%s]%s" % (text[0], text[1:])


CHANGED_RUNTIME = """#!%s
import json, os, sys
if "--bundle" in sys.argv:
    path = os.path.join(sys.argv[sys.argv.index("--bundle") + 1], "config.json")
    with open(path) as file:
        spec = json.load(file)
    %s
    with open(path, "w") as file:
        json.dump(spec, file)
os.execv("%s", ["crun", *sys.argv[1:]])
"""


class SharedMemory:
    """A System V segment of the machine's ipc namespace."""

    def __init__(self):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.key = int.from_bytes(os.urandom(3), "little") + 1
        self.id = self.libc.shmget(self.key, 4096, IPC_CREAT | 0o666)
        if self.id < 0:
            raise OSError(ctypes.get_errno(), "shmget")

    def close(self):
        self.libc.shmctl(self.id, IPC_RMID, None)


class AttackedCase(SlipwayCase):
    """`outside`: a directory that no step may reach, with a file and a process of the builder's own user."""
    compiled = True
    platform = AMD64

    def setUp(self):
        super().setUp()
        self.token = os.urandom(12).hex()
        self.mark = "MARK" + os.urandom(6).hex()
        self.marker = self.write("outside/marker", self.token + "\n")
        self.give(self.path("outside"), self.marker)
        self.listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(self.listener.close)
        self.abstract = "slipway-test-" + self.token[:8]
        self.listener.bind("\0" + self.abstract)
        self.listener.listen()
        self.segment = SharedMemory()
        self.addCleanup(self.segment.close)
        self.shared_file = "/dev/shm/slipway-test-" + self.token[:8]
        with open(self.shared_file, "w") as file:
            file.write(self.token)
        self.addCleanup(os.unlink, self.shared_file)
        self.victim = self.start_victim()

    def give(self, *paths):
        """To the user who builds, if that is not us."""
        for path in paths if self.user is not None else ():
            os.chown(path, self.user, self.user)

    def as_builder(self):
        return {} if self.user is None else {"user": self.user, "group": self.user, "extra_groups": []}

    def start_victim(self):
        victim = subprocess.Popen(["sleep", "1000"], env={"OUTSIDE": self.token}, **self.as_builder())

        def end():
            victim.kill()
            victim.wait()

        self.addCleanup(end)
        return victim

    def environment(self, extra=None):
        return super().environment({"OUTSIDE": self.token, "SLIPWAY_OUTSIDE": self.token, **(extra or {})})

    def import_base(self, name="busybox", links=(), **options):
        """Busybox with device nodes, and with symbolic links instead of what it has at these paths."""
        original = os.path.join(CACHE, "busybox-%s.tar" % DEBIAN_NAME[self.platform])
        need(os.path.exists(original), original + " is missing: run tests/support/test_bases.sh")
        tar = self.path(name + ".tar")
        links = dict(links)
        with tarfile.open(original) as old, tarfile.open(tar, "w") as new:
            for entry in old:
                path = "/" + entry.name.removeprefix("./").strip("/")
                if not any(path == link or path.startswith(link + "/") for link in links):
                    new.addfile(entry, old.extractfile(entry) if entry.isfile() else None)
            for path, target in links.items():
                new.addfile(self.entry(path, type=tarfile.SYMTYPE, linkname=target))
            new.addfile(self.entry("/nodes", type=tarfile.DIRTYPE, mode=0o755))
            for node, (kind, major, minor) in NODES.items():
                new.addfile(self.entry("/nodes/" + node, type=kind, devmajor=major, devminor=minor, mode=0o666))
            text = b"#!/bin/sh\nid -u\n"
            new.addfile(self.entry("/nodes-setuid", size=len(text), mode=0o6755), io.BytesIO(text))
        self.give(tar)
        self.slipway("import", tar, "--platform", self.platform, "-t", name, **options)

    @staticmethod
    def entry(path, **fields):
        entry = tarfile.TarInfo(path.lstrip("/"))
        for field, value in fields.items():
            setattr(entry, field, value)
        return entry

    def facts(self, victim=None):
        values = {"VICTIM": victim or self.victim.pid, "MARKER": self.marker, "TOKEN": pattern_of(self.token),
                  "MARK": pattern_of(self.mark), "ABSTRACT": self.abstract, "SHARED_MEMORY": self.segment.key,
                  "SHARED_FILE": os.path.basename(self.shared_file), "CACHE_MARK": "cache-" + self.mark}
        return "".join("%s='%s'\n" % pair for pair in values.items())

    def attack_context(self, flags="", before="", dockerfile=None, name="context", victim=None):
        """Of a Dockerfile whose result is the file /out, where the attempts say how they went."""
        dockerfile = dockerfile or ("FROM busybox AS attack\nENV M=%s\n%sRUN touch /out && chmod 666 /out && mkdir -m 777 /att\n"
                                    "RUN %s --mount=target=/x sh /x/attempts.sh > /out\n"
                                    "FROM scratch\nCOPY --from=attack /out /out\n" % (self.mark, before, flags))
        context = self.context(dockerfile, {"facts": self.facts(victim)}, name)
        shutil.copy(os.path.join(ATTEMPTS, "attempts.sh"), context)
        if self.compiled:
            compile_attempts(os.path.join(context, "attempts"))
        return context

    def attack(self, flags="", *args, before="", victim=None, **options):
        """{name of an attempt: what it reached, or ""}. All that there are have been made."""
        context = self.attack_context(flags, before, victim=victim)
        self.slipway("build", "--platform", self.platform, "-o", self.path("out"), *args, context, **options)
        return self.results(self.read(self.path("out"), "out"))

    def without_guard(self, change):
        """The environment for builds by a crun whose config.json goes through `change` first, Python that may change `spec`."""
        text = CHANGED_RUNTIME % (sys.executable, change.strip().replace("\n", "\n    "), shutil.which("crun"))
        return {"SLIPWAY_OCI_RUNTIME": self.write("crun", text, 0o755)}

    def found_outside(self, names, *wrapper, **env):
        """Those of the compiled attempts that succeed without any step around them, started by `wrapper`."""
        program = self.path("unguarded")
        if not os.path.exists(program):
            compile_attempts(program)
        text = subprocess.run([*wrapper, program, "--only", *sorted(names)], cwd=self.dir, capture_output=True, text=True, check=True,
                              env={"PATH": os.environ["PATH"], **env}).stdout
        found = dict(re.findall(r"^([a-z0-9-]+): (held|BROKEN)", text, re.MULTILINE))
        self.assertEqual(set(names), set(found), text)
        return {name for name, what in found.items() if what == "BROKEN"}

    def results(self, text):
        found = dict(re.findall(r"^([a-z0-9_-]+): (?:held|BROKEN (.*))$", text, re.MULTILINE))
        self.assertEqual(names_of_attempts(self.compiled), set(found), text)
        return found

    def outside(self):
        """What is outside, in a form that can be compared."""
        entries = {}
        for directory, _, files in os.walk(self.path("outside")):
            for path in (directory, *(os.path.join(directory, file) for file in files)):
                status = os.lstat(path)
                content = self.read(path) if stat.S_ISREG(status.st_mode) else ""
                entries[path] = (status.st_mode, status.st_uid, content)
        return entries
