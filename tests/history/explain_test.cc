#include "history/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "history/step_match.h"

namespace slipway {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Kind = Cause::Kind;

Cause cause(Kind kind, std::string subject = {}, std::string before = {}, std::string after = {}) {
  return {
      .kind = kind, .subject = std::move(subject), .before = std::move(before), .after = std::move(after)};
}

/// FROM, RUN, COPY in a chain, all done; keys follow from parts and what is below, as real ones do.
class ExplainTest : public testing::Test {
 protected:
  static StepRecord step(const std::string& name, const std::string& kind, std::vector<KeyPart> parts) {
    return {.id = name, .name = name, .kind = kind, .platforms = {"linux/amd64"}, .parts = std::move(parts)};
  }
  static KeyPart part(const std::string& name, const std::string& value) {
    return {.name = name, .value = value, .hidden = false};
  }
  static BuildRecord build(std::vector<StepRecord> steps, const std::string& end = "done") {
    static int count = 0;
    BuildRecord record{.id = "build" + std::to_string(++count), .context = "/c", .outcome = "succeeded"};
    std::string below;
    for (StepRecord& given : steps) {
      const std::size_t index = record.steps.size();
      if (index > 0) given.inputs = {index - 1};
      given.key = below + ";" + given.key;
      for (const KeyPart& p : given.parts) given.key += p.name + "=" + p.value + ",";
      for (const ContextRead& read : given.reads) given.key += read.digest;
      below = given.key;
      given.end = end;
      record.steps.push_back(given);
    }
    return record;
  }
  static BuildRecord usual(const std::string& base = "sha256:1", const std::string& v = "1",
                           const std::string& content = "one") {
    StepRecord copy = step("[3/3] COPY . /", "files", {});
    copy.reads = {{.context = "context", .source = "/", .digest = content, .manifest = content}};
    return build(
        {step("[1/3] FROM b@" + base, "source", {part("image", "b"), part("base image digest", base)}),
         step("[2/3] RUN make " + v, "run", {part("ARG V", v), part("command", "make")}), copy});
  }
  std::vector<Cause> causes(const BuildRecord& now, const std::vector<BuildRecord>& earlier,
                            std::size_t step) {
    return explain(now, earlier, manifests_).at(step).causes;
  }
  std::map<std::string, FileList> lists_ = {
      {"one", {{"same", "100644 1"}, {"old", "100644 2"}, {"edited", "100644 3"}}},
      {"two", {{"same", "100644 1"}, {"new", "100644 2"}, {"edited", "100644 4"}}}};
  ManifestReader manifests_ = [this](const std::string& name) -> std::optional<FileList> {
    const auto found = lists_.find(name);
    return found == lists_.end() ? std::nullopt : std::optional(found->second);
  };
};

TEST_F(ExplainTest, HitsNeedNoCause) {
  BuildRecord now = usual();
  for (StepRecord& s : now.steps) s.end = "cached";
  for (const StepExplanation& told : explain(now, {}, manifests_)) {
    EXPECT_TRUE(told.hit);
    EXPECT_THAT(told.causes, IsEmpty());
  }
}

TEST_F(ExplainTest, WithoutAnEarlierBuildItWasNeverBuilt) {
  EXPECT_THAT(causes(usual(), {}, 0), ElementsAre(cause(Kind::NeverBuilt)));
}

TEST_F(ExplainTest, FilesThatDifferAreNamed) {
  EXPECT_THAT(causes(usual("sha256:1", "1", "two"), {usual()}, 2),
              ElementsAre(cause(Kind::FileChanged, "edited", "100644 3", "100644 4"),
                          cause(Kind::FileAdded, "new", "", "100644 2"),
                          cause(Kind::FileRemoved, "old", "100644 2", "")));
}

TEST_F(ExplainTest, AFileWhoseDigestAnOlderSlipwayCutShortIsTheSameOne) {
  const std::string cut = "100644 0123456789abcdef", whole = cut + std::string(48, '0');
  lists_["one"] = {{"same", cut}, {"edited", cut}, {"mode", cut}};
  lists_["two"] = {
      {"same", whole}, {"edited", "100644 1" + std::string(63, '0')}, {"mode", "100755 " + whole.substr(7)}};
  std::vector<std::string> subjects;
  for (const Cause& one : causes(usual("sha256:1", "1", "two"), {usual()}, 2))
    subjects.push_back(one.subject);
  EXPECT_THAT(subjects, ElementsAre("edited", "mode"));
}

TEST_F(ExplainTest, WithoutTheListOfFilesTheContentIsSaidToDiffer) {
  EXPECT_THAT(causes(usual("sha256:1", "1", "three"), {usual()}, 2),
              ElementsAre(cause(Kind::Field, "content of / in the context", "one", "three")));
}

TEST_F(ExplainTest, AnArgumentIsNamedAndWhatFollowsPointsAtItsStep) {
  const BuildRecord now = usual("sha256:1", "2");
  EXPECT_THAT(causes(now, {usual()}, 1), ElementsAre(cause(Kind::Field, "ARG V", "1", "2")));
  EXPECT_THAT(causes(now, {usual()}, 2), ElementsAre(cause(Kind::Parent, "[2/3] RUN make 2")));
}

TEST_F(ExplainTest, ABaseImageIsTheFirstCauseOfAllAboveIt) {
  const BuildRecord now = usual("sha256:2");
  EXPECT_THAT(causes(now, {usual()}, 0),
              ElementsAre(cause(Kind::Field, "base image digest", "sha256:1", "sha256:2")));
  EXPECT_THAT(causes(now, {usual()}, 1), ElementsAre(cause(Kind::Parent, "[1/3] FROM b@sha256:2")));
  EXPECT_THAT(causes(now, {usual()}, 2), ElementsAre(cause(Kind::Parent, "[1/3] FROM b@sha256:2")));
}

TEST_F(ExplainTest, TheSameContentOfADirectoryThatIsCalledOtherwiseIsNoCause) {
  BuildRecord now = usual("sha256:2");
  now.steps[2].reads[0].manifest = "listed by other names";
  StepRecord above = step("[4/4] RUN more", "run", {});
  above.inputs = {2};
  above.key = "above";
  above.end = "done";
  now.steps.push_back(above);
  BuildRecord before = usual();
  above.key = "above before";
  before.steps.push_back(above);
  EXPECT_THAT(causes(now, {before}, 3), ElementsAre(cause(Kind::Parent, "[1/3] FROM b@sha256:2")));
}

TEST_F(ExplainTest, OfAFirstCauseThatIsAHitItIsToldWhatDiffers) {
  BuildRecord now = usual("sha256:2");
  now.steps[0].end = "cached";
  EXPECT_THAT(causes(now, {usual()}, 0), IsEmpty());
  EXPECT_THAT(causes(now, {usual()}, 1),
              ElementsAre(cause(Kind::Parent, "[1/3] FROM b@sha256:2"),
                          cause(Kind::Field, "base image digest", "sha256:1", "sha256:2")));
}

TEST_F(ExplainTest, AKnownKeyMeansThatTheResultIsGoneOrWasNeverThere) {
  const BuildRecord before = usual();
  EXPECT_THAT(causes(usual(), {before}, 1), ElementsAre(cause(Kind::ResultGone, before.id)));
  BuildRecord failed = usual();
  failed.steps[1].end = "failed";
  failed.steps[2].end = "skipped";
  EXPECT_THAT(causes(usual(), {failed}, 1), ElementsAre(cause(Kind::NotFinished, failed.id, "failed")));
  EXPECT_THAT(causes(usual(), {failed, before}, 1), ElementsAre(cause(Kind::ResultGone, before.id)));
}

TEST_F(ExplainTest, AResultThatIsThereAndNotTakenIsNotCalledGone) {
  BuildRecord now = usual();
  now.steps[1].passed_over = "it is not good enough";
  EXPECT_THAT(causes(now, {usual()}, 1), ElementsAre(cause(Kind::NotTaken, "it is not good enough")));
}

TEST_F(ExplainTest, NoCacheIsTheCauseWhateverElseDiffers) {
  BuildRecord now = usual("sha256:1", "2");
  now.steps[1].no_cache = true;
  EXPECT_THAT(causes(now, {usual()}, 1), ElementsAre(cause(Kind::NoCache)));
}

TEST_F(ExplainTest, TheMostSimilarBuildIsTheOneComparedWith) {
  const BuildRecord similar = usual("sha256:1", "1"), newer = usual("sha256:9", "9");
  EXPECT_EQ(explain(usual("sha256:1", "2"), {newer, similar}, manifests_).at(1).compared_with, similar.id);
}

TEST_F(ExplainTest, AnInsertedStepIsNewAndCausesWhatFollows) {
  const auto from = step("[1/2] FROM b", "source", {part("image", "b")});
  const auto last = [&](const char* name) { return step(name, "run", {part("command", "c")}); };
  const BuildRecord before = build({from, last("[2/2] RUN c")});
  const BuildRecord now =
      build({from, step("[2/3] RUN b", "run", {part("command", "b")}), last("[3/3] RUN c")});
  EXPECT_THAT(causes(now, {before}, 1), ElementsAre(cause(Kind::NewStep)));
  EXPECT_THAT(causes(now, {before}, 2), ElementsAre(cause(Kind::Parent, "[2/3] RUN b")));
  EXPECT_THAT(causes(before, {now}, 1), ElementsAre(cause(Kind::Order, "", "[2/3] RUN b", "[1/2] FROM b")));
}

TEST_F(ExplainTest, AHiddenValueIsSuspectedOnlyIfNothingElseDiffers) {
  const auto with_token = [&](const std::string& salt) {
    StepRecord run = step("[1/1] RUN x", "run", {{.name = "ARG TOKEN", .value = "***", .hidden = true}});
    run.key = salt;
    return build({run});
  };
  EXPECT_THAT(causes(with_token("b"), {with_token("a")}, 0),
              ElementsAre(cause(Kind::HiddenField, "ARG TOKEN")));
}

TEST_F(ExplainTest, KeysThatDifferWithoutAnyReasonAreSaidSo) {
  const auto salted = [&](const std::string& salt) {
    StepRecord run = step("[1/1] RUN x", "run", {});
    run.key = salt;
    return build({run});
  };
  EXPECT_THAT(causes(salted("b"), {salted("a")}, 0), ElementsAre(cause(Kind::Unknown)));
}

TEST(StepMatch, APlaceIsTheSameWhateverThePlatforms) {
  EXPECT_EQ(place_of("[linux/arm64 build 2/3] RUN make"), "build 2");
  EXPECT_EQ(place_of("[build 2/4] RUN make"), "build 2");
  EXPECT_EQ(place_of("[internal] load build context"), "");
  EXPECT_EQ(instruction_of("[linux/arm64 build 2/3] RUN make"), "RUN make");
}

TEST_F(ExplainTest, AStepThatChangedItselfIsACauseBesideWhatChangedBelowIt) {
  const BuildRecord before = usual("sha256:1", "1"), after = usual("sha256:2", "2");
  EXPECT_THAT(causes(after, {before}, 2), ElementsAre(cause(Kind::Parent, "[1/3] FROM b@sha256:2"),
                                                      cause(Kind::Parent, "[2/3] RUN make 2")));
}

TEST_F(ExplainTest, AStepUponOneThatWasMadeAnewSaysSo) {
  BuildRecord again = usual();
  again.steps[0].end = "cached";
  again.steps[1].no_cache = true;
  EXPECT_THAT(causes(again, {usual()}, 2), ElementsAre(cause(Kind::NoCache, "[2/3] RUN make 1")));
}

TEST_F(ExplainTest, FieldsInAnotherOrderAreToldByIt) {
  const auto run = [](std::vector<KeyPart> parts) {
    return build({step("[1/1] RUN make", "run", std::move(parts))});
  };
  const BuildRecord before = run({part("command", "make"), part("ENV A", "1"), part("ENV B", "1"),
                                  part("network", "default")}),
                    after = run({part("command", "make"), part("ENV B", "1"), part("ENV A", "1"),
                                 part("network", "default")});
  EXPECT_THAT(causes(after, {before}, 0),
              ElementsAre(cause(Kind::Field, "order of fields", "ENV A, ENV B", "ENV B, ENV A")));
}

TEST_F(ExplainTest, AStepThatFollowsNoneAnyMoreIsToldSo) {
  BuildRecord after = usual();
  after.steps[2].inputs.clear();
  after.steps[2].key = "alone";
  EXPECT_THAT(causes(after, {usual()}, 2), ElementsAre(cause(Kind::Order, "", "[2/3] RUN make 1", "")));
}

}  // namespace
}  // namespace slipway
