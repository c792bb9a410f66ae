#include "manifest/json_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace slipway {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::string problem_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const InvalidInput& error) {
    return error.what();
  }
  return "none";
}

TEST(JsonReader, NullCountsAsAbsent) {
  const JsonDocument document(R"({"a":null,"b":["x"]})", "thing");
  EXPECT_FALSE(document.root().find("a"));
  EXPECT_THAT(document.root().strings_or_empty("a"), ElementsAre());
  EXPECT_THAT(document.root().strings_or_empty("b"), ElementsAre("x"));
}

TEST(JsonReader, WrongTypeNamesThePath) {
  const JsonDocument document(R"({"a":[{"b":1},{"b":true}]})", "thing");
  EXPECT_EQ(problem_of([&] { document.root().at("a").elements().at(1).at("b").string(); }),
            "thing: $.a[1].b: expected a string, found a boolean");
  EXPECT_EQ(problem_of([&] { document.root().at("c"); }), "thing: $.c: missing");
}

TEST(JsonReader, NumbersAreChecked) {
  const JsonDocument document(R"({"n":-1,"f":1.5,"big":18446744073709551615,"ok":7})", "thing");
  EXPECT_THAT(problem_of([&] { document.root().at("n").unsigned_integer(); }), HasSubstr("negative"));
  EXPECT_THAT(problem_of([&] { document.root().at("f").integer(); }), HasSubstr("expected an integer"));
  EXPECT_THAT(problem_of([&] { document.root().at("big").integer(); }), HasSubstr("too large"));
  EXPECT_EQ(document.root().at("ok").integer(), 7);
}

TEST(JsonReader, OutOfRangeNumberIsNotACrash) {
  EXPECT_THAT(problem_of([] { JsonDocument(R"({"huge":1e400})", "thing"); }), HasSubstr("thing: not valid JSON"));
}

TEST(JsonReader, DeepNestingIsRefused) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_EQ(problem_of([&] { JsonDocument(nested(64), "thing"); }), "none");
  EXPECT_THAT(problem_of([&] { JsonDocument(nested(65), "thing"); }), HasSubstr("nested deeper than 64"));
  EXPECT_THAT(problem_of([&] { JsonDocument(std::string(1'000'000, '['), "thing"); }), HasSubstr("nested deeper"));
}

TEST(JsonReader, BracketsInStringsDoNotCount) {
  const std::string text = "{\"a\\\"[[\":\"" + std::string(500, '[') + "\"}";
  EXPECT_EQ(problem_of([&] { JsonDocument(text, "thing"); }), "none");
}

TEST(JsonReader, LargeDocumentIsRefused) {
  EXPECT_THAT(problem_of([] { JsonDocument(std::string((4 << 20) + 1, ' '), "thing"); }), HasSubstr("are refused"));
}

TEST(JsonReader, InvalidUtf8IsRefused) {
  EXPECT_THAT(problem_of([] { JsonDocument("{\"a\":\"\xff\xfe\"}", "thing"); }), HasSubstr("not valid JSON"));
}

TEST(JsonReader, ErrorsDoNotQuoteTheDocument) {
  EXPECT_THAT(problem_of([] { JsonDocument(R"({"auth": hunter2})", "thing"); }), Not(HasSubstr("hunter")));
}

TEST(JsonReader, TrailingBytesAreRefused) {
  EXPECT_THAT(problem_of([] { JsonDocument("{} {}", "thing"); }), HasSubstr("not valid JSON"));
}

}  // namespace
}  // namespace slipway
