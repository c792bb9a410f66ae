#include "graph/definition.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/strings.h"
#include "graph/codec.h"

namespace slipway {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// Hand-made wire form: field numbers are the contract.
std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes += static_cast<char>(value);
}
std::string field(unsigned number, std::string_view bytes) {
  return concat(varint(number << 3 | 2), varint(bytes.size()), bytes);
}
std::string number_field(unsigned number, std::uint64_t value) {
  return concat(varint(number << 3), varint(value));
}
std::string input(const Digest& digest) { return field(1, field(1, digest.str())); }
std::string source(const std::string& identifier) { return field(3, field(1, identifier)); }
/// A definition of these operations, which ends in a pointer to the last.
std::string definition_of(const std::vector<std::string>& ops) {
  std::string bytes;
  for (const std::string& op : ops) bytes += field(1, op);
  return bytes + field(1, input(Digest::of(ops.back())));
}
std::string refusal(const std::string& bytes) {
  try {
    decode_definition(bytes);
  } catch (const InvalidInput& e) {
    return e.what();
  }
  ADD_FAILURE() << "taken";
  return {};
}

Op image() {
  return {.inputs = {},
          .what = SourceOp{.identifier = "docker-image://docker.io/library/busybox:latest", .attrs = {}},
          .platform = Platform::parse("linux/arm64")};
}
Op step_on(const Digest& base) {
  ExecOp exec{.args = {"/bin/sh", "-c", "make"}};
  exec.mounts.push_back({.input = 0, .dest = "/", .output = 0});
  return {.inputs = {{base}}, .what = exec, .platform = Platform::parse("linux/arm64")};
}

// A definition is 1 def (bytes, repeated); its last op has no body, only an input (1) with the result's
// digest (1).
TEST(DefinitionCodec, EndsInAPointerToTheResult) {
  Graph graph;
  const Digest result = graph.add(image(), {.name = "[1/1] FROM alpine"}, {});
  const std::string bytes = encode_definition(graph, {result}, {});
  const std::string op = encode_op(image());
  EXPECT_TRUE(bytes.starts_with(field(1, op)));
  EXPECT_THAT(bytes, HasSubstr(field(1, input(result))));
  EXPECT_THAT(bytes, HasSubstr("[1/1] FROM alpine"));
}

TEST(DefinitionCodec, NamesPlacesAndTheWishToRunSurviveTheWayThereBesideTheOperations) {
  const SourceText text{.name = "Dockerfile", .text = "FROM busybox\nRUN make\n", .language = "Dockerfile"};
  Graph graph;
  const Digest base = graph.add(image(), {.name = "from"}, {});
  const SourceLocation place{.file = "Dockerfile", .line = 2, .column = 5, .line_text = "RUN make"};
  const Digest result =
      graph.add(step_on(base), {.name = "run", .location = place, .ignore_cache = true}, {});
  const std::string bytes = encode_definition(graph, {result}, {text});

  const Definition back = decode_definition(bytes);
  EXPECT_EQ(back.result, result);
  EXPECT_THAT(back.sources, ElementsAre(text));
  const Vertex& step = back.graph.at(result);
  EXPECT_EQ(step.info.name, "run");
  EXPECT_EQ(step.info.location, place);
  EXPECT_TRUE(step.info.ignore_cache);
  EXPECT_EQ(back.graph.at(base).info.name, "from");
  EXPECT_EQ(encode_definition(back.graph, {back.result, back.result_index}, back.sources), bytes);
}

// OpMetadata: 1 ignore_cache, 2 description, 5 caps, 6 progress group.
TEST(DefinitionCodec, DescriptionsCapabilitiesAndGroupsAreHandedOn) {
  const std::string from = source("docker-image://docker.io/library/busybox:latest");
  const std::string group = field(6, field(1, "group-1"));
  const std::string beside = field(2, field(1, "note") + field(2, "mine")) +
                             field(5, field(1, "source.image") + number_field(2, 1)) + group;
  const Definition read = decode_definition(
      definition_of({from}) + field(2, field(1, Digest::of(from).str()) + field(2, beside)));
  const std::string again = encode_definition(read.graph, {read.result}, read.sources);
  EXPECT_THAT(again, AllOf(HasSubstr("mine"), HasSubstr("source.image"), HasSubstr(group)));
  const Definition twice = decode_definition(again);
  EXPECT_EQ(encode_definition(twice.graph, {twice.result}, twice.sources), again);
}

// Source: 1 locations, 2 infos; Location: 1 source_index, 2 ranges; SourceInfo: 1 filename, 2 data, 3
// definition.
TEST(DefinitionCodec, AllPlacesOfAnOperationAndWhereTheTextsAreFromAreHandedOn) {
  const std::string from = source("docker-image://docker.io/library/busybox:latest");
  const auto range = [](unsigned line, unsigned end) {
    return field(2, field(1, number_field(1, line)) + field(2, number_field(1, end)));
  };
  const std::string places = field(1, number_field(1, 1) + range(2, 4)) + field(1, range(7, 8));
  const std::string first = field(2, field(1, "a") + field(2, "one\n") + field(3, definition_of({from})));
  const std::string second = field(2, field(1, "b") + field(2, "one\ntwo\n"));
  const Definition read = decode_definition(
      definition_of({from}) +
      field(3, field(1, field(1, Digest::of(from).str()) + field(2, places)) + first + second));
  const auto& at = read.graph.at(read.result).info.location;
  ASSERT_TRUE(at);
  EXPECT_EQ(at->file + " " + at->line_text, "b two");
  const std::string again = encode_definition(read.graph, {read.result}, read.sources);
  EXPECT_THAT(again, AllOf(HasSubstr(places), HasSubstr(first.substr(2)), HasSubstr(second.substr(2))));
  const std::string without = encode_definition(read.graph, {read.result}, {read.sources.front()});
  EXPECT_THAT(without, AllOf(Not(HasSubstr(places)), HasSubstr(range(7, 8)))) << "of texts that are there";
}

TEST(DefinitionCodec, WhatNobodyNamedIsNamedForWhatItDoes) {
  const std::string from = source("local://context");
  EXPECT_EQ(decode_definition(definition_of({from})).graph.at(Digest::of(from)).info.name, "local://context");
}

// Platform {os = 2, architecture = 1} in the other order, which encode_op() does not write.
// The pointer to the result is none of them.
TEST(DefinitionCodec, AHundredThousandOperationsMayBeInIt) {
  const std::vector<std::string> most(100'000, "no operation");
  EXPECT_THAT(refusal(definition_of(most)), Not(HasSubstr("more than")));
  std::vector<std::string> more = most;
  more.push_back(most.back());
  EXPECT_THAT(refusal(definition_of(more)), HasSubstr("more than 100000 operations"));
}

TEST(DefinitionCodec, DigestsAreOfTheBytesThatCame) {
  const std::string op =
      concat(source("docker-image://busybox"), field(10, concat(field(2, "linux"), field(1, "arm64"))));
  const std::string bytes = definition_of({op});
  const Definition definition = decode_definition(bytes);
  EXPECT_EQ(definition.result, Digest::of(op));
  EXPECT_EQ(definition.graph.at(definition.result).op.platform, Platform::parse("linux/arm64"));
  EXPECT_THAT(encode_definition(definition.graph, {definition.result}, {}), HasSubstr(op));
}

struct Refused {
  const char* name;
  std::string bytes;
  std::vector<std::string> words;
};
std::vector<Refused> refused() {
  const std::string from = source("local://context");
  const Digest absent = Digest::of("absent");
  const auto exec = [&](const std::string& body) { return concat(input(Digest::of(from)), field(2, body)); };
  const std::string named_metadata =
      field(2, concat(field(1, Digest::of(field(5, "")).str()),
                      field(2, field(2, concat(field(1, "llb.customname"), field(2, "the step"))))));
  return {
      {"Nothing", "", {"empty"}},
      {"Noise", "\xff\xff\xff", {"no LLB definition"}},
      {"NoOperations", field(2, ""), {"no LLB definition"}},
      {"NoEnd", field(1, from), {"only names the result"}},
      {"TwoResults",
       field(1, from) + field(1, input(Digest::of(from)) + input(Digest::of(from))),
       {"only names"}},
      {"ResultThatIsNotThere", field(1, from) + field(1, input(absent)), {"none of its operations"}},
      {"ResultThatIsNoDigest",
       field(1, from) + field(1, field(1, field(1, "sha256:x"))),
       {"the result", "sha256:x"}},
      {"MissingInput",
       definition_of({concat(input(absent), source("local://x"))}),
       {"operation 1", absent.str()}},
      {"InputThatComesLater", definition_of({exec(""), from}), {"operation 1", Digest::of(from).str()}},
      {"BuildOperation", definition_of({field(5, "")}), {"operation 1", "kind"}},
      {"TheNameOfWhatIsRefused", definition_of({field(5, "")}) + named_metadata, {"the step"}},
      {"UnknownField",
       definition_of({from, exec(field(1, field(30, "x")))}),
       {"operation 2", "field 30", "Meta"}},
      {"MountOfNoInput",
       definition_of({from, exec(field(2, number_field(1, 1)))}),
       {"operation 2", "input 1"}},
      {"MountOfAHugeInput",
       definition_of({from, exec(field(2, number_field(1, std::uint64_t{1} << 32)))}),
       {"input 4294967296"}},
      {"MountOfUnknownKind", definition_of({from, exec(field(2, number_field(6, 9)))}), {"mount type 9"}},
      {"ActionOfNoTree",
       definition_of(
           {field(4, field(2, concat(number_field(1, 1), number_field(2, static_cast<std::uint64_t>(-1)),
                                     field(6, field(1, "/d")))))}),
       {"operation 1", "tree 1"}},
      {"FileOperationOfNothing", definition_of({field(4, "")}), {"without actions"}},
      {"MergeOutOfOrder",
       definition_of({from, concat(input(Digest::of(from)), field(6, field(1, number_field(1, 1))))}),
       {"merge"}},
      {"DiffOfNoInput", definition_of({field(7, field(1, number_field(1, 3)))}), {"input 3"}},
      {"PlatformThatIsAPath",
       definition_of({concat(from, field(10, concat(field(1, "../x"), field(2, "linux"))))}),
       {"platform"}},
  };
}

class RefusedDefinition : public testing::TestWithParam<Refused> {};

TEST_P(RefusedDefinition, IsToldInOneSentence) {
  const std::string told = refusal(GetParam().bytes);
  for (const std::string& word : GetParam().words) EXPECT_THAT(told, HasSubstr(word));
  EXPECT_LT(told.size(), 400U);
}

INSTANTIATE_TEST_SUITE_P(Definitions, RefusedDefinition, testing::ValuesIn(refused()),
                         [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace slipway
