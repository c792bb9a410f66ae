"""Definitions (LLB) printed, and built."""
import hashlib
import json
import os
import shutil
import tarfile
import time

from harness import AMD64, ARM64, SlipwayCase, main, step_lines, wait_until

DOCKERFILE = """FROM busybox AS build
ARG V=1
WORKDIR /src
COPY src .
RUN --mount=type=cache,target=/c --mount=type=tmpfs,target=/t echo $V > /out
FROM busybox
COPY --link --from=build /out /linked
COPY --from=extra extra /extra
RUN cat /linked > /seen
"""


def varint(number):
    out = b""
    while number >= 0x80:
        out, number = out + bytes([number & 0x7F | 0x80]), number >> 7
    return out + bytes([number])


def field(number, value):
    """A field of LLB's protobuf messages: bytes, a text, or a number."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value & (1 << 64) - 1)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def digest(op):
    return "sha256:" + hashlib.sha256(op).hexdigest()


def op(body, *inputs):
    return b"".join(field(1, field(1, digest(one))) for one in inputs) + body


def source(identifier, **attributes):
    entries = b"".join(field(2, field(1, name.replace("_", ".")) + field(2, value)) for name, value in attributes.items())
    return op(field(3, field(1, identifier) + entries))


def files(*actions, base=None):
    """Each action is (kind, fields), done to what the one before made; the first to `base`, or to nothing."""
    inputs = [] if base is None else [base]
    encoded, at = b"", len(inputs) - 1
    for i, (kind, body) in enumerate(actions):
        last = i + 1 == len(actions)
        encoded += field(2, field(1, at) + field(2, -1) + field(3, 0 if last else -1) + field(kind, body))
        at = len(inputs) + i
    return op(field(4, encoded), *inputs)


def mkfile(path, text):
    return 5, field(1, path) + field(2, 0o644) + field(3, text) + field(5, -1)


def mkdir(path):
    return 6, field(1, path) + field(2, 0o755) + field(5, 10**18)


def symlink(target, path):
    return 8, field(1, target) + field(2, path) + field(4, -1)


def rm(path):
    return 7, field(1, path)


def copy(src, dest, *flags):
    """From input 0. The flags are numbers of fields: 6 the directory's contents, 8 make the destination, 9 wildcards."""
    return field(1, src) + field(2, dest) + field(4, -1) + b"".join(field(flag, 1) for flag in flags) + field(11, -1)


def copied_from(source_op, *fields):
    return op(field(4, field(2, field(1, -1) + field(2, 0) + field(3, 0) + field(4, copy(*fields)))), source_op)


def merge(*inputs):
    return op(field(6, b"".join(field(1, field(1, i)) for i in range(len(inputs)))), *inputs)


def diff(lower, upper):
    return op(field(7, field(1, field(1, 0)) + field(2, field(1, 1))), lower, upper)


def definition(*ops):
    return b"".join(field(1, one) for one in ops) + field(1, op(b"", ops[-1]))


class Llb(SlipwayCase):
    def build_llb(self, llb, *args, **options):
        path = self.path("definition")
        with open(path, "wb") as file:
            file.write(llb)
        return self.slipway("build", "--llb", path, "--progress", "plain", *args, **options)

    def tree(self, llb, *args):
        """{path: text} of what a definition makes."""
        shutil.rmtree(self.path("out"), ignore_errors=True)
        self.build_llb(llb, "-o", self.path("out"), *args)
        found = {}
        for directory, _, names in os.walk(self.path("out")):
            for name in names:
                path = os.path.join(directory, name)
                text = os.readlink(path) if os.path.islink(path) else self.read(path)
                found[os.path.relpath(path, self.path("out"))] = text
        return found

    def layers(self, name, platform=AMD64):
        manifest, config = self.layout_image(self.path(name), platform)
        return [layer["digest"] for layer in manifest["layers"]], config

    def test_what_is_printed_is_what_was_built(self):
        self.import_busybox()
        context = self.context(DOCKERFILE, {"src/a": "a\n", "src/ignored": "x\n", ".dockerignore": "src/ignored\n"})
        self.write("more/extra", "extra\n")
        args = ["--build-context", "extra=" + self.path("more")]
        both = [*args, "--platform", AMD64 + "," + ARM64]
        output = "type=oci,tar=false,dest="
        self.slipway("build", *args, "-o", output + self.path("one"), context)
        layers, _ = self.layers("one")

        with self.subTest("the same layers, and nothing runs again"):
            self.slipway("build", *args, "--print-llb=" + self.path("llb"), context)
            built = self.slipway("build", "--llb", self.path("llb"), *args, "--build-arg", "BUILDKIT_INLINE_CACHE=0", "--progress", "plain",
                                 "-o", output + self.path("two"), context)
            again, config = self.layers("two")
            self.assertEqual(layers, again)
            self.assertEqual(len(layers), len(config["history"]))
            steps = step_lines(built.err)
            self.assertEqual(8, len(steps), built.err)
            self.assertEqual({("CACHED",)}, {tuple(said) for said in steps.values()})

        with self.subTest("each platform has its own"):
            self.slipway("build", *both, "--print-llb=" + self.path("llb"), context)
            self.assertTrue(os.path.exists(self.path("llb.linux_amd64")))
            self.assertEqual(self.operations("llb"), self.operations("llb.linux_amd64"))
            self.assertNotEqual(self.operations("llb"), self.operations("llb.linux_arm64"))
            self.slipway("build", *both, "--print-llb", context, expect=2)

        with self.subTest("for people"):
            shown = json.loads(self.slipway("build", *both, "--print-llb=json", context).out)["definitions"]
            self.assertEqual([AMD64, ARM64], [one["platform"] for one in shown])
            last = shown[0]["operations"][-1]
            self.assertEqual(shown[0]["result"], last["digest"])
            self.assertIn({"name": "command", "value": "cat /linked > /seen"}, last["fields"])
            self.assertEqual({"file": "Dockerfile", "line": 9, "column": 1}, last["location"])

        with self.subTest("for people, without what is secret by its name"):
            secret = self.context("FROM busybox\nENV PASSWORD=geheimnis\nRUN true\n", name="secret")
            text = self.slipway("build", *both, "--print-llb=json", secret).out
            self.assertIn("ENV PASSWORD=***", text)
            self.assertNotIn("geheimnis", text)

        with self.subTest("from stdin to stdout"):
            with open(self.path("llb"), "rb") as file:
                given = self.slipway("build", "--llb", "-", "--print-llb=json", stdin=file)
            self.assertEqual(self.operations("llb"), self.digests(given))
            self.assertEqual(self.operations("llb"), [one["digest"] for one in shown[0]["operations"]])

        with self.subTest("a failing step is shown where it is written"):
            failing = self.context("FROM busybox\nRUN exit 7\n", name="failing")
            self.slipway("build", "--print-llb=" + self.path("failing.llb"), failing)
            failed = self.slipway("build", "--llb", self.path("failing.llb"), expect=1)
            self.assertIn("Dockerfile:2", failed.err)
            self.assertIn("2 | RUN exit 7", failed.err)

    @staticmethod
    def digests(printed):
        return [one["digest"] for one in json.loads(printed.out)["definitions"][0]["operations"]]

    def operations(self, name):
        return self.digests(self.slipway("build", "--llb", self.path(name), "--print-llb=json"))

    def test_definitions_by_hand(self):
        base = files(mkdir("/d"), mkfile("/d/a", "a"), mkfile("/d/b", "b"), symlink("a", "/d/l"))
        upper = files(mkfile("/d/c", "c"), rm("/d/b"), base=base)
        changes = diff(base, upper)
        other = files(mkdir("/d"), mkfile("/d/b", "other"), mkfile("/e", "e"))
        local = source("local://src", local_excludepatterns='["*.o"]')
        self.write("src/f.c", "c\n")
        self.write("src/f.o", "o\n")

        with self.subTest("file actions"):
            self.assertEqual({"d/a": "a", "d/b": "b", "d/l": "a"}, self.tree(definition(base)))
        with self.subTest("a diff alone"):
            self.assertEqual({"d/c": "c"}, self.tree(definition(base, upper, changes)))
        with self.subTest("a diff over something else deletes there"):
            merged = merge(other, changes)
            self.assertEqual({"d/c": "c", "e": "e"}, self.tree(definition(base, upper, changes, other, merged)))
        with self.subTest("a diff of trees that have nothing in common"):
            self.assertEqual({"d/b": "other", "e": "e"}, self.tree(definition(base, other, diff(base, other))))
        with self.subTest("a local source as the result"):
            given = ["--build-context", "src=" + self.path("src")]
            self.assertEqual({"f.c": "c\n"}, self.tree(definition(local), *given))
            missing = self.build_llb(definition(local), expect=2)
            self.assertIn("--build-context src=DIRECTORY", missing.err)

    def test_a_wildcard_that_finds_another_directory(self):
        """The copy of before put things where this one must not; so many files that it could be amended."""
        local = source("local://src")
        names = ["f%03d" % i for i in range(300)]
        for name in names:
            self.write("src/one/" + name, name)
        whole = definition(local, copied_from(local, "/o*", "/to/", 8, 9))

        def copied():
            wait_until(lambda: time.time() > os.stat(self.path("src", os.listdir(self.path("src"))[0])).st_ctime + 2.1)
            self.build_llb(whole, "--build-context", "src=" + self.path("src"), "-o", "type=oci,tar=false,dest=" + self.path("out"))
            [layer], _ = self.layers("out")
            with tarfile.open(os.path.join(self.path("out"), "blobs", *layer.split(":"))) as tar:
                return {os.path.dirname(entry.name) for entry in tar if entry.isfile()}
        self.assertEqual({"to/one"}, copied())
        os.rename(self.path("src/one"), self.path("src/other"))
        self.assertEqual({"to/other"}, copied())

    def test_a_process_with_other_exit_codes(self):
        self.import_busybox(platforms=AMD64)
        image = source("docker-image://docker.io/library/busybox:latest")
        root = field(2, field(3, "/"))

        def step(codes):
            meta = field(1, "/bin/sh") + field(1, "-c") + field(1, "echo ran > /ran; exit 3")
            return op(field(2, field(1, meta + b"".join(field(12, code) for code in codes)) + root), image)
        self.build_llb(definition(image, step([])), "--platform", AMD64, expect=1)
        self.build_llb(definition(image, step([0, 3])), "--platform", AMD64)

    def test_what_is_no_definition_is_refused_in_a_sentence(self):
        absent = op(field(3, field(1, "local://x")), b"absent")
        cases = {
            "empty": b"",
            "no LLB definition": b"noise",
            "no operation before it": definition(absent),
            "kind that slipway does not know": definition(op(field(5, b""))),
            "ftp://": definition(source("ftp://x")),
            "input 8589934592": definition(source("local://x"), op(field(2, field(2, field(1, 1 << 33))), source("local://x"))),
        }
        for words, llb in cases.items():
            with self.subTest(words):
                refused = self.build_llb(llb, expect=2)
                self.assertIn(words, refused.err)
                self.assertEqual(1, len([line for line in refused.err.splitlines() if line.startswith("ERROR:")]))
        self.slipway("build", "--llb", self.path("nowhere"), expect=2)
        self.slipway("build", "--llb", self.path("definition"), "--target", "x", expect=2)
        self.slipway("build", "--llb", self.path("definition"), "--build-arg", "V=1", expect=2)
        self.slipway("build", expect=2)


if __name__ == "__main__":
    main()
