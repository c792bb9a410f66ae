#include "build/definition_lowering.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "build/frontend.h"
#include "support/fake_image_resolver.h"

namespace slipway {
namespace {

using dockerfile::Lowered;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

const Platform kArm = Platform::parse("linux/arm64");

class DefinitionLowering : public ::testing::Test {
 protected:
  DefinitionLowering() { resolver_.add("busybox", {"linux/arm64"}); }
  Digest add(decltype(Op::what) what, std::vector<Input> inputs = {}, bool has_platform = true) {
    Op op{.inputs = std::move(inputs), .what = std::move(what), .platform = {}};
    if (has_platform) op.platform = kArm;
    return last_ = graph_.add(std::move(op), {.name = "the step"}, {});
  }
  Digest add_image(const std::string& name = "docker.io/library/busybox:latest") {
    return add(SourceOp{.identifier = concat("docker-image://", name), .attrs = {}});
  }
  Digest add_local(std::map<std::string, std::string> attrs = {}) {
    return add(SourceOp{.identifier = "local://src", .attrs = std::move(attrs)}, {}, false);
  }
  static ExecOp exec() {
    ExecOp exec{.args = {"/bin/true"}};
    exec.mounts.push_back({.input = 0, .dest = "/", .output = 0});
    return exec;
  }
  Definition definition(int index = 0) {
    return {.graph = graph_, .result = last_, .result_index = index, .sources = {}};
  }
  Lowered lower() { return lower_definition(definition(), {.platform = {}, .layouts = {}}, resolver_, {}); }
  std::string refusal(int index = 0) {
    try {
      lower_definition(definition(index), {.platform = {}, .layouts = {}}, resolver_, {});
    } catch (const UsageError& e) {
      return describe(e);
    }
    ADD_FAILURE() << "taken";
    return {};
  }

  slipway::testing::FakeImageResolver resolver_;
  Graph graph_;
  Digest last_ = Digest::of("");
};

TEST_F(DefinitionLowering, PinnedOperationsStayWhatTheyAre) {
  const ImageRef pinned = resolver_.resolve(ImageRef::parse("busybox"), kArm, {}).pinned;
  resolver_.add_pinned(pinned, kArm);
  const Digest step = add(exec(), {{add_image(pinned.str())}});
  const Lowered lowered = lower();
  ASSERT_THAT(lowered.lanes, SizeIs(1));
  EXPECT_EQ(lowered.lanes[0].platform, kArm);
  EXPECT_EQ(lowered.lanes[0].result, step);
}

TEST_F(DefinitionLowering, CachesAreAskedForThePlatformOfItsSteps) {
  add(exec(), {{add_image()}});
  EXPECT_THAT(platforms_of(lower()), ElementsAre(kArm)) << "nobody said which on the command line";
}

TEST_F(DefinitionLowering, AnImageByItsTagIsPinnedAndWhatStandsOnItFollows) {
  const Digest image = add_image();
  const Digest step = add(exec(), {{image}});
  const Lowered lowered = lower();
  EXPECT_NE(*lowered.lanes[0].result, step);
  EXPECT_THAT(std::get<SourceOp>(lowered.graph.vertices()[0].op.what).identifier, HasSubstr("@sha256:"));
  EXPECT_THAT(lowered.graph.at(*lowered.lanes[0].result).lanes, ElementsAre(kArm));
}

TEST_F(DefinitionLowering, ImagesAreExpectedBeforeAnyIsAskedFor) {
  resolver_.add("debian", {"linux/arm64"});
  const Digest busybox = add_image(), debian = add_image("docker.io/library/debian:latest");
  add(MergeOp{}, {{busybox}, {debian}}, false);
  lower();
  std::ranges::sort(resolver_.expected);
  EXPECT_THAT(resolver_.expected, ElementsAre("busybox:latest linux/arm64", "debian:latest linux/arm64"));
}

TEST_F(DefinitionLowering, OperationsThatTheResultDoesNotNeedAreLeftOut) {
  add_image("example.com/nowhere");
  add_local();
  EXPECT_THAT(resolver_.asked, SizeIs(0));
  EXPECT_THAT(lower().graph.vertices(), SizeIs(2)) << "the local source and its copy";
}

TEST_F(DefinitionLowering, ALocalSourceThatIsChangedIsCopiedFirst) {
  const Digest local = add_local();
  add(exec(), {{local}});
  const Lowered lowered = lower();
  const Op& step = lowered.graph.at(*lowered.lanes[0].result).op;
  const Op& tree = lowered.graph.at(step.inputs[0].vertex).op;
  EXPECT_EQ(std::get<CopyAction>(std::get<FileOp>(tree.what).actions.at(0)).src, "/");
  EXPECT_EQ(tree.inputs, std::vector<Input>{{local}});
}

TEST_F(DefinitionLowering, PlacesOfMountsAreSettledAgainstTheWorkingDirectory) {
  ExecOp step = exec();
  step.cwd = "work/";
  step.mounts.push_back({.type = MountType::Tmpfs, .dest = "a/../../tmp//b/"});
  add(step, {{add_image()}});
  const Lowered lowered = lower();
  const auto& settled = std::get<ExecOp>(lowered.graph.at(*lowered.lanes[0].result).op.what);
  EXPECT_EQ(settled.cwd, "/work");
  EXPECT_EQ(settled.mounts[1].dest, "/tmp/b");
}

TEST_F(DefinitionLowering, PatternsOfLocalSourcesAreThoseOfAnIgnoreFile) {
  add_local({{"local.includepattern", R"(["src"])"}, {"local.excludepatterns", R"(["*.o"])"}});
  EXPECT_THAT(local_sources(definition()).at("src"), ElementsAre("**", "!src", "*.o"));
}

TEST_F(DefinitionLowering, RefusesWhatItCannotDoAndNamesTheStep) {
  struct Row {
    const char* word;
    std::function<void()> make;
  };
  const auto with = [this](const std::function<void(ExecOp&)>& change) {
    return [this, change] {
      ExecOp step = exec();
      change(step);
      add(step, {{add_image()}});
    };
  };
  const Row rows[] = {
      {"no sources like", [&] { add(SourceOp{.identifier = "ftp://x", .attrs = {}}); }},
      {"git.bundle",
       [&] {
         add(SourceOp{.identifier = "git://x/y", .attrs = {{"git.bundle", "b"}}});
       }},
      {"this machine",
       [&] {
         add(SourceOp{.identifier = "git://x/y", .attrs = {{"git.fullurl", "file:///etc"}}});
       }},
      {"list of patterns",
       [&] {
         add_local({{"local.excludepatterns", "{"}});
       }},
      {"OCI layout", [&] { add(SourceOp{.identifier = "oci-layout://x@sha256:0", .attrs = {}}); }},
      {"no program", with([](ExecOp& step) { step.args.clear(); })},
      {"zero byte", with([](ExecOp& step) { step.args.push_back(std::string("a\0b", 3)); })},
      {"no name", with([](ExecOp& step) { step.env.push_back("nonsense"); })},
      {"control character", with([](ExecOp& step) {
         step.extra_hosts.push_back({"a\nb", "1.2.3.4"});
       })},
      {"control group", with([](ExecOp& step) { step.cgroup_parent = "/x"; })},
      {"one root", with([](ExecOp& step) { step.mounts.push_back({.dest = "/a/.."}); })},
      {"one root", with([](ExecOp& step) { step.mounts.clear(); })},
      {"result 0", with([](ExecOp& step) { step.mounts[0].readonly = true; })},
      {"does not say",
       with([](ExecOp& step) { step.mounts.push_back({.type = MountType::Secret, .dest = "/s"}); })},
      {"replaces directories", [&] { add(FileOp{{CopyAction{.always_replace = true}}}); }},
  };
  for (const Row& row : rows) {
    graph_ = Graph();
    row.make();
    const std::string told = [&] {
      try {
        local_sources(definition());
      } catch (const UsageError& e) {
        return describe(e);
      }
      return refusal();
    }();
    EXPECT_THAT(told, ::testing::AllOf(HasSubstr(row.word), HasSubstr("\"the step\"")));
  }
}

TEST_F(DefinitionLowering, RefusesAResultThatIsNotTheRoots) {
  add(exec(), {{add_image()}});
  EXPECT_THAT(refusal(1), HasSubstr("result 1"));
}

}  // namespace
}  // namespace slipway
