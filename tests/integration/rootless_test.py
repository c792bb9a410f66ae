"""An unprivileged user with nothing but user namespaces: RUN, COPY, several stages, a foreign platform."""
import os
import subprocess

from harness import AMD64, ARM64, SlipwayCase, main, need_program, run, step_lines

WITHOUT_RANGE = 54321

DOCKERFILE = """FROM busybox AS build
WORKDIR /src
COPY a.txt .
RUN cat a.txt > b.txt && uname -m >> b.txt && test $(id -u) = 0
FROM busybox
COPY --from=build /src/b.txt /b.txt
RUN test -w / && echo done >> /b.txt
"""


def lines_of(path):
    with open(path) as file:
        return file.readlines()


class Rootless:
    def test_two_platforms(self):
        self.import_busybox()
        context = self.context(DOCKERFILE, {"a.txt": "text\n"})
        self.build(context, "-t", "x", "-o", "type=oci,tar=false,dest=" + self.path("layout"), "--metadata-file", self.path("meta.json"))
        shown = {each["platform"]: each for each in self.read_json(self.path("meta.json"))["slipway"]["platforms"]}
        self.assertEqual({AMD64: "oci", ARM64: "oci"}, {platform: each["isolation"] for platform, each in shown.items()})
        self.assertEqual("native", shown[AMD64]["mode"])
        self.assertRegex(shown[ARM64]["mode"], r"^emulated by qemu-aarch64 \d")
        self.assertRegex(self.slipway("version").out, r"steps    oci, by .*crun, rootless\n")
        for platform, machine in ((AMD64, "x86_64"), (ARM64, "aarch64")):
            root = self.unpack(self.path("layout"), platform)
            with open(os.path.join(root, "b.txt")) as file:
                self.assertEqual("text\n%s\ndone\n" % machine, file.read())
        steps = step_lines(self.build(context, "-t", "x").err)
        self.assertEqual(12, len(steps), steps)  # FROM, WORKDIR, COPY, RUN, COPY, RUN on each platform
        self.assertEqual({}, {name: said for name, said in steps.items() if said != ["CACHED"]})
        self.check_store()

    def test_runc_runs_steps_too(self):
        need_program("runc")
        self.import_busybox()
        context = self.context("FROM busybox\nWORKDIR /src\nRUN echo on-$(uname -m)-in-$(pwd)\n")
        result = self.build(context, "--progress=plain", "--oci-runtime", "runc")
        for machine in ("x86_64", "aarch64"):
            self.assertRegex(result.err, r"#\d+ [0-9.]+ on-%s-in-/src\n" % machine)

    def test_store_belongs_to_the_user(self):
        self.import_busybox()
        self.assertEqual(self.user, os.stat(os.path.join(self.root, "slipway.db")).st_uid)

    def test_removed_files_and_replaced_directories(self):
        self.import_busybox()
        context = self.context("FROM busybox\nRUN mkdir /d && touch /d/old /gone\nRUN rm -r /d /gone && mkdir /d && touch /d/new\n")
        self.build(context, "-t", "x", "-o", "type=oci,tar=false,dest=" + self.path("layout"), platforms=AMD64)
        root = self.unpack(self.path("layout"), AMD64)
        self.assertEqual(["new"], os.listdir(os.path.join(root, "d")))
        self.assertFalse(os.path.exists(os.path.join(root, "gone")))


class OneId(Rootless, SlipwayCase):
    """No range in /etc/subuid: one id is mapped."""
    user = WITHOUT_RANGE

    def test_owners_that_cannot_be_given_become_root_and_that_is_said(self):
        self.import_busybox()
        context = self.context("FROM busybox\nCOPY --chown=1000:1000 a.txt /a.txt\nRUN stat -c '%u:%g' /a.txt\n", {"a.txt": "text\n"})
        result = self.build(context, "--progress=plain", platforms=AMD64)
        self.assertIn("what is to belong to 1000:1000 becomes root's", result.err)
        self.assertIn(" 0:0\n", result.err)
        context = self.context("FROM busybox\nUSER 1000\nRUN id\n", name="as-user")
        result = self.build(context, platforms=AMD64, expect=3)
        self.assertIn("/etc/subuid", result.err)


class UserWithRange:
    """Makes an account with a range in /etc/subuid, which newuidmap reads, for the time of a class's tests."""
    user, name, first = 54322, "slipwaytest", 2000000

    made_user = False
    made_ranges = []

    @classmethod
    def setUpClass(cls):
        need_program("newuidmap")
        cls.range_line = "%s:%d:65536\n" % (cls.name, cls.first)
        cls.addClassCleanup(cls.remove_user)
        if subprocess.run(["id", cls.name], capture_output=True).returncode != 0:
            run(["useradd", "--uid", str(cls.user), "--user-group", "--no-create-home", "--no-log-init", cls.name])
            cls.made_user = True  # with it go the ranges that useradd may have given it
        cls.made_ranges = []
        for path in ("/etc/subuid", "/etc/subgid"):
            if not any(line.startswith(cls.name + ":") for line in lines_of(path)):
                with open(path, "a") as file:
                    file.write(cls.range_line)
                cls.made_ranges.append(path)

    @classmethod
    def remove_user(cls):
        for path in cls.made_ranges:
            kept = [line for line in lines_of(path) if line != cls.range_line]
            with open(path, "w") as file:
                file.writelines(kept)
        if cls.made_user:
            run(["userdel", cls.name])


class ManyIds(UserWithRange, Rootless, SlipwayCase):
    """A range in /etc/subuid, used by newuidmap."""

    def test_steps_may_be_other_users(self):
        self.import_busybox()
        context = self.context("FROM busybox\nCOPY --chown=app a /a\nUSER app\nRUN test $(stat -c %u /a) = 1000 && test $(id -u) = 1000\n",
                               {"a": ""})
        self.build(context)


if __name__ == "__main__":
    main()
