"""RUN --mount, --network, --security and --device, with real steps."""
import json
import os
import re
import shutil
import subprocess
import threading

from harness import AMD64, SlipwayCase, main, need_program, run
from steps_test import places_of

WITHOUT_RANGE = 54321


class Agent:
    """A real ssh-agent with a key of its own."""

    def __init__(self, directory, user=None):
        self.socket = os.path.join(directory, "agent.sock")
        as_user = {} if user is None else {"user": user, "group": user, "extra_groups": []}
        self.process = subprocess.Popen(["ssh-agent", "-D", "-a", self.socket], stdout=subprocess.PIPE, text=True, **as_user)
        self.process.stdout.readline()  # it says where it listens once it does
        self.env = {"SSH_AUTH_SOCK": self.socket}
        self.options = as_user

    def run(self, *command):
        return run(command, env={**os.environ, **self.env}, **self.options)

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()


class Mounts:
    """Whoever the user is."""

    def setUp(self):
        super().setUp()
        self.import_busybox()

    def built(self, dockerfile, files=None, *args, **options):
        """The files of the result."""
        self.build(self.context(dockerfile, files), "-o", self.path("out"), *args, platforms=AMD64, **options)
        return self.path("out")

    def test_bind_of_the_context(self):
        out = self.built(
            "FROM busybox\n"
            "RUN --mount=target=/src --mount=source=sub/f,target=/one test ! -e /src/secret.env && "
            "cat /src/sub/f /one > /out && stat -c %u:%g /src/sub/f >> /out && ! touch /src/x 2>/dev/null\n",
            {"sub/f": "text\n", "secret.env": "", ".dockerignore": "secret.env\n"})
        self.assertEqual("text\ntext\n0:0\n", self.read(out, "out"))
        self.assertFalse(os.path.exists(os.path.join(out, "src")))
        self.assertFalse(os.path.exists(os.path.join(out, "one")))

    def test_changed_context_runs_the_step_again(self):
        dockerfile = "FROM busybox\nRUN --mount=source=a,target=/a cat /a > /out\n"
        self.built(dockerfile, {"a": "1", "b": "1"})
        again = self.build(self.context(dockerfile, {"a": "1", "b": "2"}), "-o", self.path("out"), platforms=AMD64)
        self.assertRegex(again.err, r"CACHED")
        self.assertEqual("1", self.read(self.path("out"), "out"))
        self.assertEqual("2", self.read(self.built(dockerfile, {"a": "2", "b": "2"}), "out"))

    def test_writes_to_a_bind_are_dropped(self):
        out = self.built("FROM busybox\nCOPY f /f\nRUN --mount=target=/src,rw echo new > /src/f && echo made > /src/g && cat /src/f /src/g > /out\n"
                         "RUN --mount=target=/src cat /src/f >> /out; test ! -e /src/g\n", {"f": "old\n"})
        self.assertEqual("new\nmade\nold\n", self.read(out, "out"))
        self.assertEqual("old\n", self.read(self.path("context"), "f"))

    def test_bind_of_a_stage_and_of_an_image(self):
        out = self.built("FROM busybox AS made\nRUN mkdir -p /d/e && echo text > /d/e/f && ln -s /d/e /link\n"
                         "FROM busybox\nRUN --mount=from=made,source=/link,target=/x --mount=from=busybox,target=/image "
                         "cat /x/f > /out && test -x /image/bin/sh\n")
        self.assertEqual("text\n", self.read(out, "out"))
        self.assertFalse(os.path.exists(os.path.join(out, "x")))

    def test_mounts_in_mounts(self):
        for access in ("ro", "rw"):
            with self.subTest(access):
                out = self.built("FROM busybox\n"
                                 "RUN --mount=target=/src,%s --mount=type=cache,target=/src/deep/cache --mount=type=tmpfs,target=/src/tmp "
                                 "touch /src/deep/cache/a /src/tmp/b && cat /src/f > /out\n" % access, {"f": access})
                self.assertEqual(access, self.read(out, "out"))
                self.assertFalse(os.path.exists(self.path("context", "deep")))

    def test_source_that_is_not_there(self):
        result = self.build(self.context("FROM busybox\nRUN --mount=source=none,target=/x true\n"), platforms=AMD64, expect=1)
        self.assertIn("none", result.err)
        self.assertIn("Dockerfile:2", result.err)
        self.check_store()

    def test_source_cannot_leave_the_context(self):
        context = self.context("FROM busybox\nRUN --mount=source=link/passwd,target=/x cat /x\n")
        os.symlink("/etc", os.path.join(context, "link"))
        self.build(context, platforms=AMD64, expect=1)

    def test_cache_survives_builds_and_is_in_no_layer(self):
        dockerfile = "FROM busybox\nARG N\nRUN --mount=type=cache,id=c,target=/c echo $N >> /c/log && cat /c/log > /out\n"
        for n, log in (("1", "1\n"), ("2", "1\n2\n")):
            out = self.built(dockerfile, {}, "--build-arg", "N=" + n)
            self.assertEqual(log, self.read(out, "out"))
            self.assertFalse(os.path.exists(os.path.join(out, "c")))
        self.check_store()

    def test_cache_starts_as_its_source_and_with_its_mode(self):
        out = self.built("FROM busybox AS seed\nRUN mkdir /s && echo seed > /s/f\nFROM busybox\n"
                         "RUN --mount=type=cache,id=a,target=/a,from=seed,source=/s --mount=type=cache,id=b,target=/b,mode=0700 "
                         "cat /a/f > /out && stat -c %a /b >> /out\n")
        self.assertEqual("seed\n700\n", self.read(out, "out"))

    def test_read_only_cache(self):
        self.built("FROM busybox\nRUN --mount=type=cache,id=c,target=/c,ro ! touch /c/x 2>/dev/null\n")

    def test_locked_cache_makes_builds_wait(self):
        """The first holds the cache until the second has said that it waits."""
        waits = threading.Event()
        gate = self.gate(lambda: self.assertTrue(waits.wait(60)))
        started = threading.Event()
        entered = self.gate(started.set)
        first = self.context("FROM busybox\nRUN --mount=type=cache,id=l,sharing=locked,target=/c echo first > /c/f && "
                             "wget -q -O - http://%s/ && wget -q -O - http://%s/ && sync && echo over >> /c/f\n" % (entered.host, gate.host), name="first")
        second = self.context("FROM busybox\nRUN --mount=type=cache,id=l,sharing=locked,target=/c cat /c/f > /out\n", name="second")
        one = self.start("build", "--platform", AMD64, "--progress", "plain", first)
        self.assertTrue(started.wait(60))
        two = self.start("build", "--platform", AMD64, "--progress", "plain", "-o", self.path("out"), second)
        for line in two.stderr:
            if 'waiting for the cache mount "l"' in line:
                waits.set()
                break
        self.assertEqual(0, self.end(one), "first")
        self.assertEqual(0, self.end(two), "second")
        self.assertEqual("first\nover\n", self.read(self.path("out"), "out"))

    def test_private_caches_are_apart_while_both_are_used(self):
        met = threading.Barrier(2)
        gate = self.gate(lambda: met.wait(60))
        contexts = [self.context("FROM busybox\nRUN --mount=type=cache,id=p,sharing=private,target=/c wget -q -O - http://%s/ && "
                                 "touch /c/%d && ls /c > /out\n" % (gate.host, n), name="c%d" % n) for n in (1, 2)]
        builds = [self.start("build", "--platform", AMD64, "-o", self.path("out%d" % n), context) for n, context in enumerate(contexts, 1)]
        for build in builds:
            self.assertEqual(0, self.end(build))
        self.assertEqual(["1\n", "2\n"], [self.read(self.path("out%d" % n), "out") for n in (1, 2)])

    def end(self, process):
        process.stdout.read(), process.stderr.read()
        process.stdout.close(), process.stderr.close()
        return process.wait(120)

    def test_tmpfs_has_its_size(self):
        self.built("FROM busybox\nRUN --mount=type=tmpfs,target=/t,size=1m head -c 900000 /dev/zero > /t/fits && "
                   "! head -c 2000000 /dev/zero > /t/more 2>/dev/null\n")

    def test_secrets_are_nowhere_but_in_the_step(self):
        value = "very-" + os.urandom(8).hex()
        lines = ["line-" + os.urandom(8).hex() for _ in range(3)]
        many = self.write("many", "\n".join(lines) + "\n")
        big = self.write("big", os.urandom(200000).hex())
        context = self.context(
            "FROM busybox\n"
            "RUN --mount=type=secret,id=one,required --mount=type=secret,id=many,target=/etc/many,mode=0440 --mount=type=secret,id=big "
            "cat /run/secrets/one /etc/many && stat -c %a /etc/many && wc -c < /run/secrets/big\n"
            "RUN --mount=type=secret,id=one,env=TOKEN for c in 1 2; do echo \"$TOKEN\"; echo \"$TOKEN\" >&2; done; "
            "printf '%s' \"${TOKEN%??????}\"; printf '%s\\n' \"${TOKEN#${TOKEN%??????}}\"\n")
        secrets = ["--secret", "id=one,env=ONE", "--secret", "id=many,src=" + many, "--secret", "id=big,src=" + big]
        for progress in ("plain", "rawjson"):
            result = self.build(context, "-t", "x", "--progress", progress, "--no-cache", "-o", "type=oci,dest=" + self.path("x.tar"),
                                "--metadata-file", self.path("metadata.json"), *secrets, platforms=AMD64, env={"ONE": value})
            for text in [value, value.encode().hex(), *lines]:
                self.assertNotIn(text, result.err)
            if progress == "plain":
                self.assertIn("***", result.err)
                self.assertIn(" 440", result.err)
                self.assertIn(" 400000", result.err)
            else:
                self.no_secret_in_json(result.err, [value, *lines])
        self.nowhere([value, *lines])

    def no_secret_in_json(self, text, values):
        import base64
        for line in text.splitlines():
            if not line.startswith("{"):
                continue
            for log in json.loads(line).get("logs", []):
                data = base64.b64decode(log["data"]).decode(errors="replace")
                for value in values:
                    self.assertNotIn(value, data)

    def nowhere(self, values):
        for value in values:
            self.assertEqual([], places_of(value, self.root))
            for name in ("x.tar", "metadata.json"):
                if os.path.exists(self.path(name)):
                    with open(self.path(name), "rb") as file:
                        self.assertNotIn(value.encode(), file.read())

    def test_secret_in_a_failure_is_hidden(self):
        value = "very-" + os.urandom(8).hex()
        context = self.context("FROM busybox\nRUN --mount=type=secret,id=one,env=TOKEN echo cannot use $TOKEN; exit 3\n")
        result = self.build(context, "--metadata-file", self.path("metadata.json"), "--secret", "id=one,env=ONE", platforms=AMD64,
                            env={"ONE": value}, expect=1)
        self.assertNotIn(value, result.err + result.out)
        self.assertIn("cannot use ***", result.err)
        self.nowhere([value])

    def test_required_secret_that_is_missing(self):
        context = self.context("FROM busybox\nRUN --mount=type=secret,id=one,required true\n")
        result = self.build(context, platforms=AMD64, expect=1)
        self.assertIn('requires the secret "one"', result.err)
        self.assertIn("--secret id=one", result.err)
        self.build(self.context("FROM busybox\nRUN --mount=type=secret,id=one test ! -e /run/secrets/one\n"), platforms=AMD64)

    def test_network_none(self):
        out = self.built("FROM busybox\nRUN --network=none ls /sys/class/net > /out\n")
        self.assertEqual("lo\n", self.read(out, "out"))

    def test_network_of_the_host_must_be_allowed(self):
        context = self.context("FROM busybox\nRUN --network=host true\n")
        refused = self.build(context, platforms=AMD64, expect=1)
        self.assertIn("--allow network.host", refused.err)
        self.assertIn("Dockerfile:2", refused.err)
        self.build(context, "--allow", "network.host", platforms=AMD64)

    def test_insecure_step_must_be_allowed(self):
        context = self.context("FROM busybox\nRUN --security=insecure mkdir /m && mount -t tmpfs none /m && mount -t tmpfs none /sys/fs && umount /m && rmdir /m\n")
        self.assertIn("--allow security.insecure", self.build(context, platforms=AMD64, expect=1).err)
        self.build(context, "--allow", "security.insecure", platforms=AMD64)
        self.build(self.context("FROM busybox\nRUN ! mount -t tmpfs none /mnt 2>/dev/null\n"), platforms=AMD64)

    def test_device_that_is_not_there(self):
        context = self.context("FROM busybox\nRUN --device=example.com/none=0,required true\n")
        refused = self.build(context, "--allow", "device", platforms=AMD64, expect=1)
        self.assertIn("example.com/none=0", refused.err)
        self.assertIn("/etc/cdi", refused.err)
        self.build(self.context("FROM busybox\nRUN --device=example.com/none=0 true\n"), platforms=AMD64)

    def agent(self):
        need_program("ssh-agent")
        agent = Agent(self.dir, self.user)
        self.addCleanup(agent.close)
        return agent

    def key(self, name="key", passphrase=""):
        need_program("ssh-keygen")
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "test", "-f", self.path(name)])
        if self.user is not None:
            os.chown(self.path(name), self.user, self.user)
        return self.path(name)

    def client(self, name="context"):
        """The host's ssh-add with its libraries, in a context: busybox has nothing that speaks to agents."""
        program = shutil.which("ssh-add")
        libraries = re.findall(r"(/\S+) \(0x", run(["ldd", program]))
        os.makedirs(self.path(name, "ssh"), exist_ok=True)
        for path in (program, *libraries):
            shutil.copy(path, self.path(name, "ssh"))
        loader = next(os.path.basename(path) for path in libraries if os.path.basename(path).startswith("ld-"))
        return "LD_LIBRARY_PATH=/ssh /ssh/%s /ssh/ssh-add" % loader

    def with_client(self, line):
        """A step that has the client and an agent."""
        return "RUN --mount=source=ssh,target=/ssh --mount=type=ssh,%s\n" % line

    def test_agent_is_forwarded_but_cannot_be_changed(self):
        agent = self.agent()
        agent.run("ssh-add", "-q", self.key())
        add = self.client()
        out = self.built("FROM busybox\n" + self.with_client(
            "mode=0600 (%s -l; %s -D; %s -l) > /out 2>&1; stat -c %%a $SSH_AUTH_SOCK >> /out" % (add, add, add)),
            {}, "--ssh", "default", env=agent.env)
        said = self.read(out, "out").splitlines()
        self.assertIn("ED25519", said[0])
        self.assertEqual(["Failed to remove all identities.", said[0], "600"], said[1:])
        self.assertFalse(os.path.exists(os.path.join(out, "run/buildkit")))
        self.assertIn("ED25519", agent.run("ssh-add", "-l"))

    def test_agent_around_key_files(self):
        need_program("ssh-agent")
        add = self.client()
        dockerfile = "FROM busybox\n" + self.with_client("id=git,required %s -l > /out" % add)
        out = self.built(dockerfile, {}, "--ssh", "git=%s,%s" % (self.key("a"), self.key("b")))
        self.assertEqual(2, self.read(out, "out").count("ED25519"))
        bad = self.build(self.context(dockerfile), "--no-cache", "--ssh", "git=" + self.key("locked", "secret"), platforms=AMD64, expect=2)
        self.assertIn("passphrase", bad.err)

    def test_required_agent_that_is_missing(self):
        context = self.context("FROM busybox\nRUN --mount=type=ssh,required true\n")
        result = self.build(context, platforms=AMD64, expect=1)
        self.assertIn('requires the ssh agent "default"', result.err)
        self.assertIn("--ssh default", result.err)
        self.build(self.context("FROM busybox\nRUN --mount=type=ssh test ! -e /run/buildkit\n"), platforms=AMD64)


class AsRoot(Mounts, SlipwayCase):
    def test_owners_of_secrets_caches_and_sockets(self):
        agent = self.agent()
        agent.run("ssh-add", "-q", self.key())
        out = self.built("FROM busybox\nUSER app\n" + self.with_client(
            "uid=1000 --mount=type=secret,id=one,uid=1000,mode=0400 --mount=type=cache,id=c,uid=1000,gid=1000,target=/c "
            "cat /run/secrets/one && touch /c/f && %s -l > /tmp/out" % self.client()), {},
            "--secret", "id=one,env=ONE", "--ssh", "default", env={"ONE": "value", **agent.env})
        self.assertIn("ED25519", self.read(out, "tmp/out"))

    def test_foreign_platform_has_all_of_it(self):
        context = self.context("FROM busybox\nRUN --mount=target=/src --mount=type=cache,id=f,target=/c --mount=type=secret,id=one "
                               "--mount=type=tmpfs,target=/t test $(cat /src/f) = text && touch /c/$(uname -m) /t/x && cat /run/secrets/one\n", {"f": "text"})
        self.build(context, "--secret", "id=one,env=ONE", env={"ONE": "value"})

    def test_device_of_a_specification(self):
        directory = "/etc/cdi"
        existed = os.path.isdir(directory)
        os.makedirs(directory, exist_ok=True)
        path = os.path.join(directory, "slipway-test-%d.json" % os.getpid())
        self.addCleanup(lambda: existed or os.rmdir(directory))
        self.addCleanup(os.unlink, path)
        kind = "slipway.test/d%d" % os.getpid()
        with open(path, "w") as file:
            json.dump({"cdiVersion": "0.6.0", "kind": kind, "devices": [
                {"name": "zero", "containerEdits": {"env": ["DEVICE=zero"], "deviceNodes": [{"path": "/dev/mine", "hostPath": "/dev/zero"}]}}]}, file)
        context = self.context("FROM busybox\nRUN --device=%s=zero head -c 3 /dev/mine | od -An -tx1 > /out && echo $DEVICE >> /out\n" % kind)
        self.assertIn("--allow device=" + kind, self.build(context, platforms=AMD64, expect=1).err)
        self.build(context, "--allow", "device=" + kind, "-o", self.path("out"), platforms=AMD64)
        self.assertEqual("000000zero", "".join(self.read(self.path("out"), "out").split()))


class AsOneUser(Mounts, SlipwayCase):
    """An ordinary user with a single id."""
    user = WITHOUT_RANGE


if __name__ == "__main__":
    main()
