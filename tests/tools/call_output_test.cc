#include "slipway/call_output.h"

#include <gtest/gtest.h>

namespace slipway {
namespace {

CheckResult one_hit() {
  CheckResult result{.filename = "Dockerfile", .text = "FROM x\nWORKDIR a\n"};
  result.hits.push_back({.rule = &dockerfile::rules::kWorkdirRelativePath,
                         .message = "it is \x1b[31mrelative",
                         .where = {"Dockerfile", 2, 9, "WORKDIR a"},
                         .first_line = 2,
                         .last_line = 2});
  return result;
}

TEST(CheckOutput, ShowsEachHitAndTheirNumber) {
  EXPECT_EQ(check_text(one_hit()),
            "WARNING: Dockerfile:2:9: WorkdirRelativePath: it is relative\n"
            "  2 | WORKDIR a\n"
            "    |         ^\n"
            "\n"
            "Check complete, 1 warning found.\n");
  EXPECT_EQ(check_text({}), "Check complete, no warnings found.\n");
}

TEST(CheckOutput, JsonHasBuildKitsFields) {
  EXPECT_EQ(check_json(one_hit()), R"({
  "warnings": [
    {
      "ruleName": "WorkdirRelativePath",
      "description": "The first WORKDIR is absolute, so that it does not depend on the base image",
      "detail": "it is \u001b[31mrelative",
      "location": {
        "ranges": [
          {
            "start": {
              "line": 2
            },
            "end": {
              "line": 2
            }
          }
        ]
      }
    }
  ],
  "sources": [
    {
      "filename": "Dockerfile",
      "language": "Dockerfile",
      "data": "RlJPTSB4CldPUktESVIgYQo="
    }
  ]
}
)");
}

TEST(CheckOutput, AnErrorIsInTheJsonWithItsPlace) {
  CheckResult result{.filename = "Dockerfile"};
  result.error = std::make_exception_ptr(InvalidInput("bad", {"Dockerfile", 7, 1, "x"}));
  EXPECT_NE(check_json(result).find(
                "\"buildError\": {\n    \"message\": \"bad\",\n    \"location\": {\n      \"ranges\": ["),
            std::string::npos);
  EXPECT_FALSE(result.clean());
}

TEST(OutlineOutput, ListsWhatThereIs) {
  dockerfile::Outline outline{.name = "app", .description = "the program"};
  outline.args.push_back({"VERSION", "which", "1.0", {2, 2}});
  outline.args.push_back({"X", "", "", {3, 3}});
  outline.secrets.push_back({"token", true, {4, 5}});
  outline.caches.push_back({"/root/.cache", false, {4, 5}});
  EXPECT_EQ(outline_text(outline),
            "TARGET:      app\n"
            "DESCRIPTION: the program\n"
            "\n"
            "BUILD ARG  VALUE  DESCRIPTION\n"
            "VERSION    1.0    which\n"
            "X\n"
            "\n"
            "SECRET  REQUIRED\n"
            "token   true\n"
            "\n"
            "CACHE MOUNT\n"
            "/root/.cache\n");
  EXPECT_EQ(outline_text({}), "TARGET:      (default)\n");
}

TEST(TargetsOutput, MarksTheDefault) {
  EXPECT_EQ(targets_text(
                {{.name = "a", .description = "first", .base = "alpine", .platform = "$P", .lines = {1, 1}},
                 {.is_default = true, .base = "a", .lines = {3, 3}}}),
            "TARGET     BASE    PLATFORM  DESCRIPTION\n"
            "a          alpine  $P        first\n"
            "(default)  a\n");
}

}  // namespace
}  // namespace slipway
