"""Checks of the Dockerfile: in builds, alone (--check), as JSON; outlines and targets. Nothing here needs a base image."""
import base64
import json

from harness import SlipwayCase, main

BAD = "FROM scratch as Base\nWORKDIR app\nCOPY a /$DEST/\n"


class Check(SlipwayCase):
    def check(self, dockerfile, *args, expect, files=None):
        return self.slipway("build", "--check", *args, self.context(dockerfile, {"a": "", **(files or {})}), expect=expect)

    def check_json(self, dockerfile, *args, expect):
        context = self.context(dockerfile, {"a": ""})
        return json.loads(self.slipway("build", "--call=check,format=json", *args, context, expect=expect).out)

    def test_hits_are_shown_with_their_lines(self):
        result = self.check(BAD, expect=1)
        for text in ("Dockerfile:1:14: FromAsCasing: ", "Dockerfile:1:17: StageNameCasing: ",
                     "Dockerfile:2:9: WorkdirRelativePath: ",
                     "Dockerfile:3:9: UndefinedVar: the variable $DEST is not defined\n"
                     "  3 | COPY a /$DEST/\n"
                     "    |         ^\n", "Check complete, 4 warnings found."):
            self.assertIn(text, result.out)
        self.assertEqual("", result.err)

    def test_a_clean_file_is_success(self):
        self.assertEqual("Check complete, no warnings found.\n",
                         self.check("FROM scratch\nCOPY a /\n", expect=0).out)

    def test_nothing_is_built(self):
        self.check("FROM scratch\nCOPY a /\n", "-t", "none", expect=0)
        self.assertNotIn("none", self.slipway("images").out)

    def test_json_has_the_fields_of_buildkit(self):
        found = self.check_json(BAD, expect=1)
        last = found["warnings"][-1]
        self.assertEqual("UndefinedVar", last["ruleName"])
        self.assertIn("$DEST", last["detail"])
        self.assertEqual([{"start": {"line": 3}, "end": {"line": 3}}], last["location"]["ranges"])
        self.assertEqual(("Dockerfile", BAD),
                         (found["sources"][0]["filename"], base64.b64decode(found["sources"][0]["data"]).decode()))
        self.assertNotIn("buildError", found)

    def test_an_error_is_told_after_the_hits(self):
        bad = "FROM scratch as a\nRUNN x\n"
        self.assertIn("unknown instruction: RUNN", self.check(bad, expect=1).err)
        late = "FROM scratch as a\nENV A=${B:?why}\n"
        result = self.check(late, expect=1)
        self.assertIn("FromAsCasing", result.out)
        self.assertIn("ERROR: Dockerfile:2:7: B: why", result.err)
        found = self.check_json(late, expect=1)
        self.assertEqual("B: why", found["buildError"]["message"])
        self.assertEqual(2, found["buildError"]["location"]["ranges"][0]["start"]["line"])

    def test_stages_that_a_build_leaves_out_are_looked_at(self):
        two = "FROM scratch AS a\nENV A=$B\nFROM scratch\nCOPY a /\n"
        self.assertIn("UndefinedVar", self.check(two, expect=1).out)
        self.check(two, "--target", "1", expect=0)
        built = self.slipway("build", "--progress=plain", self.context(two, {"a": ""}))
        self.assertNotIn("UndefinedVar", built.err)

    def test_directives_choose(self):
        self.check("# check=skip=all\n" + BAD, expect=0)
        self.check(BAD, "--build-arg", "BUILDKIT_DOCKERFILE_CHECK=skip=all", expect=0)
        result = self.check("# check=skip=StageNamCasing\n" + BAD, expect=1)
        self.assertIn('there is no rule "StageNamCasing" (did you mean StageNameCasing?)', result.err)

    def test_a_malformed_argument_is_a_usage_error(self):
        result = self.check("FROM scratch\n", "--build-arg", "BUILDKIT_DOCKERFILE_CHECK=nonsense", expect=2)
        self.assertIn('"nonsense" is none of', result.err)

    def test_an_image_that_cannot_be_had_is_noted(self):
        address = self.unused_address()
        result = self.check("FROM %s/x:1\nENV A=$HOME\n" % address, expect=0)
        self.assertIn("note: cannot read the image %s/x:1" % address, result.err)
        self.assertIn("no warnings", result.out)

    def test_what_the_ignore_file_leaves_out_is_told_of(self):
        result = self.check("FROM scratch\nCOPY a b /\n", expect=1, files={".dockerignore": "b\n", "b": ""})
        self.assertIn("Dockerfile:2:8: CopyIgnoredFile: ", result.out)


class Build(SlipwayCase):
    def test_hits_are_told_below_the_steps(self):
        result = self.slipway("build", "--progress=plain", self.context("FROM scratch as a\nCOPY a /\n", {"a": ""}))
        self.assertIn("WARNING: Dockerfile:1:14: FromAsCasing: ", result.err)
        self.assertGreater(result.err.index("WARNING: "), result.err.index("naming the image"))
        self.assertEqual(1, result.err.count("WARNING: "))

    def test_hits_are_told_once_for_two_platforms(self):
        context = self.context("FROM scratch as a\nCOPY a /\n", {"a": ""})
        result = self.slipway("build", "--progress=plain", "--platform=linux/amd64,linux/arm64", context)
        self.assertEqual(1, result.err.count("WARNING: "))

    def test_rawjson_carries_rule_and_place(self):
        result = self.slipway("build", "--progress=rawjson", self.context("FROM scratch as a\nCOPY a /\n", {"a": ""}))
        warnings = [w for line in result.err.splitlines() for w in json.loads(line).get("warnings", [])]
        self.assertEqual([("FromAsCasing", "Dockerfile", 1)], [(w["rule"], w["file"], w["line"]) for w in warnings])

    def test_error_makes_hits_fail_the_build(self):
        context = self.context("# check=error=true\nFROM scratch as A\nCOPY a /\n", {"a": ""})
        result = self.slipway("build", "--progress=plain", "-t", "none", context, expect=1)
        for text in ("FromAsCasing: ", "StageNameCasing: ", "ERROR: ", "error=true: FromAsCasing, StageNameCasing"):
            self.assertIn(text, result.err)
        self.assertNotIn("COPY", result.err)
        self.assertNotIn("none", self.slipway("images").out)


class Calls(SlipwayCase):
    TEXT = ("# VERSION which release\nARG VERSION=1\n# base what others stand on\nFROM scratch AS base\n"
            "FROM base AS app\nARG VERSION\n# MODE how\nARG MODE=fast\n"
            "RUN --mount=type=secret,id=token,required=true x\n")

    def call(self, method, *args, expect=0):
        return self.slipway("build", "--call=" + method, *args, self.context(self.TEXT), expect=expect).out

    def test_targets(self):
        self.assertEqual("TARGET         BASE     PLATFORM  DESCRIPTION\n"
                         "base           scratch            what others stand on\n"
                         "app (default)  base\n", self.call("targets"))
        found = json.loads(self.call("targets,format=json"))["targets"]
        self.assertEqual({"name": "base", "description": "what others stand on", "base": "scratch",
                          "location": {"ranges": [{"start": {"line": 4}, "end": {"line": 4}}]}}, found[0])
        self.assertEqual((True, "base"), (found[1]["default"], found[1]["base"]))

    def test_outline(self):
        self.assertEqual("TARGET:      app\n\n"
                         "BUILD ARG  VALUE  DESCRIPTION\n"
                         "VERSION    1      which release\n"
                         "MODE       fast   how\n\n"
                         "SECRET  REQUIRED\n"
                         "token   true\n", self.call("outline"))
        found = json.loads(self.call("outline,format=json", "--build-arg=MODE=slow"))
        self.assertEqual([("VERSION", "1"), ("MODE", "slow")], [(arg["name"], arg["value"]) for arg in found["args"]])
        self.assertEqual(("token", True), (found["secrets"][0]["name"], found["secrets"][0]["required"]))
        self.assertEqual("base", json.loads(self.call("outline,format=json", "--target=base"))["name"])

    def test_unknown_ones_are_refused(self):
        for call in ("outlin", "check,format=xml", "check,colour=red"):
            self.slipway("build", "--call=" + call, self.context(self.TEXT), expect=2)


if __name__ == "__main__":
    main()
