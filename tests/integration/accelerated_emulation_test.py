"""Accelerated emulation of whole builds: a right twin, a wrong one that verify finds, and what people are told when there is none."""
import json
import tarfile

from harness import ARM64, main
from paired_images import LIBRARIES, VERSION, PairedImages

TWO_LINES = "FROM pair\nRUN printf 'one\\ntwo\\n' > /lines && /usr/bin/cat /lines > /out\n"
RIGHT, WRONG = "one\ntwo\n", "two\none\n"  # by cat, by tac
NO_COUNTERPART = "its base image has no linux/amd64 counterpart"


class AcceleratedEmulation(PairedImages):
    def build_by(self, policy, *args, dockerfile=TWO_LINES, **options):
        return self.build(self.context(dockerfile), "--no-cache", "--progress", "plain", "--emulation", policy, *args,
                          "--metadata-file", self.path("meta.json"), platforms=ARM64, **options)

    def built(self, policy, *args, expect=0):
        """What TWO_LINES writes by a build that takes what is known."""
        made = self.path("made")
        result = self.build(self.context(TWO_LINES.replace("pair", "pair AS made") + "FROM scratch\nCOPY --from=made /out /\n"),
                            "--progress", "plain", "--emulation", policy, "-o", made, *args, platforms=ARM64, expect=expect)
        return result if expect else self.read(made, "out")

    def planned(self, policy):
        """{instruction: causes} of the steps that a build would run."""
        told = json.loads(self.slipway("explain", "--format", "json", "--plan", "--platform", ARM64, "--emulation", policy,
                                       self.path("context")).out)
        return {step["step"].split("] ", 1)[1].split(" ")[0]: [(cause["kind"], cause.get("subject")) for cause in step["causes"]]
                for step in told["steps"] if step["status"] == "miss"}

    def platform_record(self):
        return self.read_json(self.path("meta.json"))["slipway"]["platforms"][0]

    def twins(self):
        return [(twin["program"], twin["version"], twin["count"]) for twin in self.platform_record().get("twins", [])]

    def test_right_twin_runs_and_is_verified(self):
        self.import_pair()
        self.build_by("accelerated")
        self.assertEqual([("/usr/bin/cat", VERSION, 1)], self.twins())
        self.build_by("verify")
        self.assertEqual([("/usr/bin/cat", VERSION, 1)], self.twins())
        self.build_by("qemu")
        self.assertEqual([], self.twins())

    def test_record_of_a_cached_build_says_whether_twins_had_a_part(self):
        self.import_pair()
        context = self.context(TWO_LINES)
        for policy, word in ("qemu", "emulator"), ("verify", "both"), ("auto", "both"):
            self.build(context, "--emulation", policy, "--metadata-file", self.path("meta.json"), platforms=ARM64)
            self.assertEqual({ARM64: word}, self.platform_record()["emulation"])
        for cached in False, True:
            self.build(context, "--emulation", "auto", *([] if cached else ["--no-cache"]), "--metadata-file", self.path("meta.json"), platforms=ARM64)
            self.assertEqual({ARM64: "twins"}, self.platform_record()["emulation"])
            self.assertEqual(cached, "twins" not in self.platform_record())

    def test_step_meets_no_other_root_in_its_own(self):
        """What the base has on both sides is there once: a step can find it and remove it."""
        self.import_pair(more={"/srv/of-both": b"one\n"})
        dockerfile = ("FROM pair\nRUN find / -type f -name of-both -exec rm -f {} + && test ! -e /srv/of-both\n"
                      "RUN find /dev/.slipway/tree ! -type d | sort > /seen; printf '1\\n' | /usr/bin/cat > /out\n")
        layers = {}
        for policy in ("qemu", "auto"):
            out = self.path(policy)
            self.build_by(policy, "--build-arg", "SOURCE_DATE_EPOCH=1", "-o", "type=oci,tar=false,rewrite-timestamp=true,dest=" + out,
                          dockerfile=dockerfile)
            layers[policy] = self.layout_image(out, ARM64)[0]["layers"]
        self.assertEqual([("/usr/bin/cat", VERSION, 1)], self.twins())
        self.assertEqual(layers["qemu"][1], layers["auto"][1])
        with tarfile.open(self.blob_path(self.path("auto"), layers["auto"][2]["digest"])) as layer:
            seen = layer.extractfile("seen").read().decode().split()
        names = [LIBRARIES + name for name in ("ld-linux-x86-64.so.2", "libc.so.6")] + ["/usr/bin/cat"]
        self.assertEqual(["/dev/.slipway/tree/0" + name for name in names], seen)

    def test_verify_finds_a_twin_that_writes_something_else(self):
        self.import_pair(twin="/usr/bin/tac")
        result = self.build_by("verify", expect=3)
        self.assertIn("the step gave other results with native twins than without: /out (content)", result.err)
        self.assertIn("--emulation=qemu", result.err)

    def test_verify_finds_a_twin_that_ends_otherwise(self):
        self.import_pair(twin="/usr/bin/false")
        result = self.build_by("verify", expect=3, dockerfile="FROM pair\nRUN /usr/bin/cat /dev/null\n")
        self.assertIn("exit codes 1 and 0", result.err)

    def test_verified_step_that_fails_both_ways_fails_as_ever(self):
        self.import_pair()
        result = self.build_by("verify", expect=1, dockerfile="FROM pair\nRUN /usr/bin/cat /dev/null; exit 7\n")
        self.assertIn("did not complete successfully: exit code: 7", result.err)

    def test_program_that_the_step_replaced_is_the_emulators(self):
        self.import_pair(twin="/usr/bin/tac")
        self.build_by("verify", dockerfile="FROM pair\nRUN cp /usr/bin/cat /cat && mv /cat /usr/bin/cat && "
                                           "printf '1\\n2\\n' > /lines && /usr/bin/cat /lines > /out\n")

    def test_twin_without_its_library_is_none(self):
        self.import_pair(libraries=("ld-linux-x86-64.so.2",))
        result = self.build_by("accelerated", expect=3)
        self.assertIn("nothing of linux/arm64 can be accelerated in this step: ", result.err)
        self.assertIn("/usr/bin/cat: twin: its library libc.so.6 is missing", result.err)
        self.build_by("auto")
        self.assertEqual([], self.twins())

    def test_image_of_one_platform_has_no_twins(self):
        self.import_pair(host=None)
        result = self.build_by("accelerated", expect=3)
        self.assertIn(NO_COUNTERPART, result.err)
        self.assertIn("--emulation=auto", result.err)
        self.build_by("auto")

    def test_verify_says_of_what_it_compared_nothing(self):
        self.import_pair(host=None)
        result = self.build_by("verify", dockerfile="FROM pair\nRUN true\nRUN true again\n")
        self.assertEqual(1, result.err.count("WARNING: linux/arm64: --emulation=verify compared nothing of "))
        self.assertEqual(2, result.err.count("nothing was compared, there is no native twin: " + NO_COUNTERPART))
        self.assertNotIn("compared", self.build_by("auto").err)

    def test_verify_says_where_no_twin_ran(self):
        self.import_pair()
        both = "no native twin ran in this step"
        self.assertIn(both, self.build_by("verify", dockerfile="FROM pair\nRUN true\n").err)
        self.assertNotIn(both, self.build_by("verify").err)

    def test_result_of_twins_is_not_taken_where_none_are_wanted(self):
        self.import_pair(twin="/usr/bin/tac")
        self.assertEqual(WRONG, self.built("auto"))
        reason = ("not-taken", "its result was made with native twins, which --emulation=qemu does not take")
        self.assertEqual({"RUN": [reason], "COPY": [reason]}, self.planned("qemu"))
        self.assertEqual({}, self.planned("auto"))
        self.assertEqual(RIGHT, self.built("qemu"))
        told = json.loads(self.slipway("explain", "--format", "json").out)["steps"]
        self.assertIn([reason[1]], [[cause.get("subject") for cause in step.get("causes", [])] for step in told])
        self.assertEqual({}, self.planned("qemu"))
        self.assertEqual(RIGHT, self.built("auto"), "what QEMU made has taken its place")

    def test_verify_takes_no_result_that_was_not_verified(self):
        self.import_pair(twin="/usr/bin/tac")
        self.assertEqual(RIGHT, self.built("qemu"))
        result = self.built("verify", expect=3)
        self.assertIn("the step gave other results with native twins than without: /out (content)", result.err)

    def test_what_was_verified_is_taken(self):
        self.import_pair()
        self.assertEqual(RIGHT, self.built("verify"))
        for policy in "verify", "qemu", "auto":
            self.assertEqual({}, self.planned(policy))

    def test_verify_compares_runs_that_find_the_same_in_cache_mounts(self):
        self.import_pair(twin="/usr/bin/tac")
        dockerfile = ("FROM pair\nRUN printf 'one\\ntwo\\n' > /lines\n"
                      "RUN --mount=type=cache,target=/c test -e /c/out || /usr/bin/cat /lines > /c/out; cp /c/out /out\n")
        result = self.build_by("verify", expect=3, dockerfile=dockerfile)
        self.assertIn("the step gave other results with native twins than without: /out (content)", result.err)
        self.build_by("auto", "-o", self.path("made"), dockerfile=dockerfile)
        self.assertEqual(RIGHT, self.read(self.path("made"), "out"), "what is kept is QEMU's")

    def test_step_with_a_mount_in_the_way_cannot_be_accelerated(self):
        self.import_pair()
        dockerfile = TWO_LINES.replace("RUN", "RUN --mount=type=tmpfs,target=/dev/.slipway")
        result = self.build_by("accelerated", expect=3, dockerfile=dockerfile)
        self.assertIn("the step's own mount at /dev/.slipway is where they would be", result.err)
        self.build_by("auto", dockerfile=dockerfile)
        self.assertEqual([], self.twins())

    def test_pack_runs_in_a_step(self):
        self.import_pair(host=None)
        self.import_pack()
        result = self.build_by("accelerated", "--accel-pack", "pack")
        self.assertEqual([("/usr/bin/cat", VERSION, 1)], self.twins())
        self.assertNotIn("--accel-pack", result.err)

    def test_pack_of_another_version_is_told_of(self):
        self.import_pair()
        self.import_pack(version="other")
        reason = "the pack pack:latest: /usr/bin/cat: it is for coreutils other, the root has coreutils %s" % VERSION
        result = self.build_by("auto", "--accel-pack", "pack", dockerfile=TWO_LINES + "RUN true\n")
        self.assertEqual(1, result.err.count("WARNING: --accel-pack pack:latest gave no step a native twin: " + reason))
        self.assertEqual([("/usr/bin/cat", VERSION, 1)], self.twins(), "the base image's")
        result = self.build_by("accelerated", "--accel-pack", "pack", expect=3)
        self.assertIn("a toolchain pack has no twin for this step: " + reason, result.err)

    def test_pack_for_what_the_root_has_not_is_no_error(self):
        self.import_pair()
        self.import_pack(target="/usr/bin/gcc")
        result = self.build_by("accelerated", "--accel-pack", "pack")
        self.assertIn("--accel-pack pack:latest gave no step a native twin: no root has a program that it is for", result.err)

    def test_pack_that_cannot_be_had_or_is_none_is_an_error(self):
        self.import_pair()
        result = self.build_by("auto", "--accel-pack", "pair", expect=1)
        self.assertIn("toolchain pack pair:latest: there is no /usr/share/slipway/accel.json in it", result.err)


if __name__ == "__main__":
    main()
