#include "history/record.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace slipway {
namespace {

BuildRecord example() {
  BuildRecord record{.id = "0123456789ab", .started_ms = 1000, .seconds = 1.5, .platforms = {"linux/amd64"}};
  record.tags = {"app:1"};
  record.context = "/src";
  record.outcome = "failed";
  record.error = "no";
  const std::vector<KeyPart> parts = {{.name = "ENV A", .value = "1", .hidden = false},
                                      {.name = "ARG TOKEN", .value = "***", .hidden = true}};
  record.steps.push_back({.id = "a",
                          .name = "[1/2] FROM x",
                          .kind = "source",
                          .platforms = {"linux/amd64"},
                          .end = "cached",
                          .key = "k1",
                          .parts = parts});
  record.steps.push_back({.id = "b",
                          .name = "[2/2] RUN y",
                          .kind = "run",
                          .platforms = {"linux/amd64"},
                          .end = "failed",
                          .seconds = 0.5,
                          .mode = "native",
                          .error = "exit 1",
                          .log = "1-run-y.log",
                          .key = "k2",
                          .no_cache = true,
                          .passed_over = "it is not good enough",
                          .parts = parts,
                          .inputs = {0},
                          .reads = {{.context = "context", .source = "/a", .digest = "d", .manifest = "m"}}});
  return record;
}

TEST(BuildRecord, IsReadAsItWasWritten) { EXPECT_EQ(parse_build_record(to_json(example())), example()); }

TEST(BuildRecord, HoldsPartsOfSeveralStepsOnce) {
  const std::string text = to_json(example());
  EXPECT_EQ(text.find("ENV A"), text.rfind("ENV A"));
}

TEST(BuildRecord, RefusesWhatIsNone) {
  EXPECT_THROW(parse_build_record(""), InvalidInput);
  EXPECT_THROW(parse_build_record("{}"), InvalidInput);
  EXPECT_THROW(parse_build_record(R"({"schemaVersion":99,"parts":[],"steps":[]})"), InvalidInput);
  EXPECT_THROW(parse_build_record(R"({"schemaVersion":1,"parts":[],"steps":[{"parts":[7]}]})"), InvalidInput);
  EXPECT_THROW(parse_build_record(R"({"schemaVersion":1,"parts":[],"steps":[{"parts":[],"inputs":[0]}]})"),
               InvalidInput);
}

TEST(Manifest, KeepsAnyName) {
  const FileList expected = {{"a b", "100644 0123"}, {"new\nline\\", "120777 -"}};
  EXPECT_EQ(
      parse_file_list(manifest_line("a b", 0100644, "0123") + manifest_line("new\nline\\", 0120777, "")),
      expected);
}

}  // namespace
}  // namespace slipway
