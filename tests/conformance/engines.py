"""Who builds a case: slipway, or docker buildx as the one to compare with."""
import os
import subprocess
import sys
import time

from images import Layout, config_text

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../integration"))
from harness import SLIPWAY, private_binfmt  # noqa: E402

DEADLINE = 120  # seconds for one build


class Outcome:
    """What came of a build: `files` ({expectation's name: text}) if it succeeded, its words in any case."""

    def __init__(self, code, said, files, seconds):
        self.code, self.said, self.files, self.seconds = code, said, files, seconds


class Engine:
    name = None

    def command(self, prepared, out):
        raise NotImplementedError

    def environment(self):
        return {"PATH": os.environ["PATH"] + ":/usr/sbin:/sbin", "LC_ALL": "C.UTF-8"}

    def build(self, prepared, base_layers):
        out = prepared.path("out-" + self.name)
        began = time.time()
        env = {**self.environment(), "HOME": prepared.directory, **prepared.case.get("env", {})}
        try:
            done = subprocess.run(self.command(prepared, out), cwd=prepared.directory, input=prepared.stdin(), env=env,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=DEADLINE, check=False)
            code, said = done.returncode, done.stdout.decode(errors="replace")
        except subprocess.TimeoutExpired as error:
            code, said = -1, "no end after %d s\n%s" % (DEADLINE, (error.stdout or b"").decode(errors="replace"))
        files = {}
        if code == 0:
            images = Layout(out, base_layers).manifests()
            for platform, tree_name, config_name in prepared.case.file_names():
                found = [images[p] for p in (platform, platform + "/v8") if p in images]
                if not found:
                    code, said = -1, "the image has no %s, only %s\n%s" % (platform, sorted(images), said)
                    break
                manifest, config = found[0]
                files[tree_name] = prepared.portable(Layout(out, base_layers).tree(manifest, config))
                files[config_name] = prepared.portable(config_text(config))
        return Outcome(code, prepared.portable(said), files, time.time() - began)


class Slipway(Engine):
    name = "slipway"

    def __init__(self, store):
        self.store = store

    def environment(self):
        return {**super().environment(), "SLIPWAY_ROOT": self.store, **({"SLIPWAY_PRIVATE_BINFMT": "1"} if private_binfmt() else {})}

    def command(self, prepared, out):
        return [os.path.realpath(SLIPWAY), "build", "--no-cache", "--progress=plain", "-o", "type=oci,tar=false,dest=" + out, *prepared.arguments()]


class Buildx(Engine):
    """`command`: the words that call docker buildx, up to `build`. What other cases left in its cache does not count."""
    name = "docker"

    def __init__(self, command):
        self.words = command

    def command(self, prepared, out):
        environment = ["%s=%s" % item for item in prepared.case.get("env", {}).items()]
        return [*(["env", *environment] if environment else []), *self.words, "build", "--no-cache", "--progress=plain", "--provenance=false",
                "--network=host", "-o", "type=oci,tar=false,dest=" + out, *prepared.arguments()]
