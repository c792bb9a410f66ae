"""A case: a directory of data, read and made ready to be built. README.md says what each file is for."""
import fnmatch
import glob
import json
import os
import re
import shutil
import subprocess
import tomllib
import zlib

from images import CONTEXT_MTIME, RECENT

HERE = os.path.dirname(os.path.realpath(__file__))
KEYS = {"why", "flags", "env", "setup", "context", "stdin", "dockerfile", "platforms", "base", "since", "pending", "says", "oracle"}
OWN_FILES = {"Dockerfile", "case.toml", "config.json", "tree", "error"}
SETUP_ENV = {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@test", "GIT_AUTHOR_DATE": "1700000000 +0000", "GIT_COMMITTER_NAME": "A",
             "GIT_COMMITTER_EMAIL": "a@test", "GIT_COMMITTER_DATE": "1700000000 +0000", "GIT_CONFIG_GLOBAL": "/dev/null",
             "GIT_CONFIG_COUNT": "2", "GIT_CONFIG_KEY_0": "init.defaultBranch", "GIT_CONFIG_VALUE_0": "main",
             "GIT_CONFIG_KEY_1": "protocol.file.allow", "GIT_CONFIG_VALUE_1": "always", "LC_ALL": "C.UTF-8"}


class Case:
    def __init__(self, directory):
        self.directory = directory
        self.name = os.path.relpath(directory, os.path.join(HERE, "cases"))
        path = os.path.join(directory, "case.toml")
        self.spec = {}
        if os.path.exists(path):
            with open(path, "rb") as file:
                self.spec = tomllib.load(file)
        unknown = set(self.spec) - KEYS
        if unknown:
            raise AssertionError("%s: unknown keys %s" % (path, sorted(unknown)))
        self.platforms = self.spec.get("platforms", ["linux/amd64"])

    def get(self, key, default=None):
        return self.spec.get(key, default)

    def expectation(self, name):
        path = os.path.join(self.directory, name)
        if not os.path.exists(path):
            return None
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()

    def accept(self, files):
        """Replaces what is expected by `files`: {name: text}."""
        for name in os.listdir(self.directory):
            if name == "error" or re.match(r"(tree|config)(\.|$)", name):
                os.unlink(os.path.join(self.directory, name))
        for name, text in files.items():
            with open(os.path.join(self.directory, name), "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
                file.write(text)

    def file_names(self):
        """[(platform, name of the tree, name of the configuration)]; the first platform's have the plain names."""
        return [(p, "tree", "config.json") if i == 0 else (p, "tree." + p.split("/")[1], "config.%s.json" % p.split("/")[1])
                for i, p in enumerate(self.platforms)]


class KnownDifference:
    """What known_differences.toml says of a case: `ours` if slipway means to differ from BuildKit, not just from docker's old one."""

    def __init__(self, entry):
        self.patterns, self.reason, self.ours = entry["cases"], entry["reason"], entry.get("ours", False)


def known_differences(case):
    with open(os.path.join(HERE, "known_differences.toml"), "rb") as file:
        entries = map(KnownDifference, tomllib.load(file)["difference"])
    return [entry for entry in entries if any(fnmatch.fnmatchcase(case.name, p) for p in entry.patterns)]


def load_all(patterns=()):
    """All cases, or those whose name has one of the patterns in it."""
    paths = sorted(glob.glob(os.path.join(HERE, "cases", "*", "*", "")))
    cases = [Case(path.rstrip("/")) for path in paths]
    return [case for case in cases if not patterns or any(pattern in case.name for pattern in patterns)]


class Prepared:
    """A case made ready in WORK/GROUP/CASE, which is where its build runs."""

    def __init__(self, case, work, registry_host, files_host):
        self.case, self.directory = case, os.path.join(work, case.name)
        own = "|".join(map(re.escape, case.get("base", {}))) or r"(?!)"
        self.substitutions = [(r"registry\.test/(?=(%s)\b)" % own, "%s/%s/" % (registry_host, case.name)),
                              (r"registry\.test", registry_host), (r"files\.test(?=/)", "%s/%s" % (files_host, case.name)),
                              (r"files\.test", files_host)]
        self.names = [("%s/%s" % (registry_host, case.name), "registry.test"), (registry_host, "registry.test"),
                      ("%s/%s" % (files_host, case.name), "files.test"), (files_host, "files.test"), (self.directory, "")]
        self.prepare()

    def real(self, text):
        for pattern, value in self.substitutions:
            text = re.sub(pattern, value, text)
        return text

    def portable(self, text):
        """Undoes `real`, in what a build said."""
        for value, name in self.names:
            text = text.replace(value, name)
        return text

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def prepare(self):
        os.makedirs(self.path("context"))
        for name in os.listdir(self.case.directory):
            source = os.path.join(self.case.directory, name)
            if os.path.isdir(source):
                shutil.copytree(source, self.path(name), symlinks=True, dirs_exist_ok=True)
            elif name not in OWN_FILES and not re.match(r"(tree|config)\.", name):
                shutil.copy(source, self.path(name))
        dockerfile = os.path.join(self.case.directory, "Dockerfile")
        if os.path.exists(dockerfile):
            with open(dockerfile, encoding="utf-8", newline="") as file:
                text = file.read()
            place = self.path("context", self.case.get("dockerfile", "Dockerfile"))
            if self.case.get("dockerfile") == "-":
                place = self.path("Dockerfile")
            os.makedirs(os.path.dirname(place), exist_ok=True)
            with open(place, "w", encoding="utf-8", newline="") as file:
                file.write(self.real(text))
        self.settle_modes()
        if self.case.get("setup"):
            done = subprocess.run(["sh", "-ec", "umask 022\n" + self.real(self.case.get("setup"))], cwd=self.path("context"), env={
                "PATH": os.environ["PATH"], "HOME": self.directory, **SETUP_ENV}, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise AssertionError("setup of %s: %s%s" % (self.case.name, done.stdout, done.stderr))
        self.settle_times()

    def everything(self):
        for folder, directories, files in os.walk(self.directory):
            yield folder
            yield from (os.path.join(folder, name) for name in directories + files if name != ".git")

    def settle_modes(self):
        """A checkout's modes are its umask's."""
        for path in self.everything():
            if not os.path.islink(path):
                executable = os.path.isdir(path) or os.stat(path).st_mode & 0o100
                os.chmod(path, 0o755 if executable else 0o644)

    def settle_times(self):
        """One time for all files, but those that `setup` gave another. A build client that remembers the files of the
        last context by name, size and time must not take this case's for those of another: nanoseconds tell them apart."""
        nanoseconds = zlib.crc32(self.directory.encode()) % 10**9
        for path in self.everything():
            seconds = int(os.lstat(path).st_mtime)
            if seconds >= RECENT:
                seconds = CONTEXT_MTIME
            os.utime(path, ns=(0, seconds * 10**9 + nanoseconds), follow_symlinks=False)

    def arguments(self):
        """The command line after `build`, without output flags."""
        dockerfile = self.case.get("dockerfile")
        words = [self.real(word) for word in self.case.get("flags", [])]
        if dockerfile:
            words += ["-f", "-" if dockerfile == "-" else "context/" + dockerfile]
        words += ["--platform", ",".join(self.case.platforms)]
        return words + [self.real(self.case.get("context", "context"))]

    def stdin(self):
        name = self.case.get("stdin") or ("Dockerfile" if self.case.get("dockerfile") == "-" else None)
        if not name:
            return b""
        with open(self.path(name), "rb") as file:
            return file.read()

    def push_bases(self, bases):
        for name, config in self.case.get("base", {}).items():
            config = dict(config)
            bases.push("%s/%s" % (self.case.name, name), json.loads(self.real(json.dumps(config))), config.pop("platforms", None))
