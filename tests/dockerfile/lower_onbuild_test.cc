// ONBUILD: what a base says is to be done in images built on it.
#include <gmock/gmock.h>

#include "dockerfile/lowering.h"

namespace slipway::testing {
namespace {

using dockerfile::Lowered;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Words = std::vector<std::string>;

/// usual_images() and "base", which has these triggers.
FakeImageResolver with_triggers(const Words& triggers) {
  FakeImageResolver out = usual_images();
  RuntimeConfig config;
  config.env = {"PATH=/bin"};
  config.on_build = triggers;
  out.add("base", {"linux/amd64", "linux/arm64"}, config);
  return out;
}

Lowered lower_on(const Words& triggers, std::string_view text) {
  return lower_text(text, options_for({"linux/amd64"}), with_triggers(triggers));
}

TEST(LowerOnbuild, TriggersAreKeptForLater) {
  const ImageConfig config = config_of("FROM alpine\nONBUILD RUN a\nONBUILD COPY . /b\n");
  EXPECT_EQ(config.config.on_build, (Words{"RUN a", "COPY . /b"}));
  EXPECT_THAT(history_of(config), ElementsAre("ADD rootfs.tar")) << "they are no instructions of this image";
}

TEST(LowerOnbuild, TriggersOfAnImageRunFirstAndOnce) {
  const Lowered lowered =
      lower_on({"ENV A=1", "RUN echo $A", "WORKDIR /w"}, "FROM base\nRUN own\nFROM 0\nRUN last\n");
  EXPECT_THAT(
      names_of(lowered),
      ElementsAre(HasSubstr("[stage-0 1/4] FROM docker.io/library/base"), "[stage-0 2/4] ONBUILD RUN echo 1",
                  "[stage-0 3/4] ONBUILD WORKDIR /w", "[stage-0 4/4] RUN own", "[stage-1 1/1] RUN last"));
  const ImageConfig& config = lowered.lanes[0].config;
  EXPECT_THAT(config.config.on_build, IsEmpty());
  EXPECT_EQ(config.config.working_dir, "/w");
  EXPECT_THAT(history_of(config),
              ElementsAre("ADD rootfs.tar", "ENV A=1", "RUN /bin/sh -c echo $A # slipway", "WORKDIR /w",
                          "RUN /bin/sh -c own # slipway", "RUN /bin/sh -c last # slipway"));
}

TEST(LowerOnbuild, TriggersOfAStageRunInStagesOnIt) {
  const Lowered lowered = lower_text("FROM alpine AS a\nONBUILD RUN t\nFROM a AS b\nFROM b\nENV E=1\n");
  EXPECT_EQ(ops_of<ExecOp>(lowered).size(), 1U);
  EXPECT_THAT(lowered.lanes[0].config.config.on_build, IsEmpty());
}

TEST(LowerOnbuild, TriggersMayNeedStages) {
  const Lowered lowered =
      lower_on({"COPY --from=tools /t /t", "RUN --mount=from=golang,target=/g x"},
               "FROM alpine AS tools\nRUN make\nFROM alpine AS unused\nRUN u\nFROM base\n");
  EXPECT_EQ(ops_of<ExecOp>(lowered).size(), 2U);
  const auto names = names_of(lowered);
  EXPECT_THAT(names, Contains("[tools 2/2] RUN make"));
  EXPECT_THAT(names, Contains(HasSubstr("[internal] FROM docker.io/library/golang")));
}

TEST(LowerOnbuild, TriggersCopyTheContext) {
  const Lowered lowered = lower_on({"COPY package.json ./", "COPY <<EOF /x\nbody $A\nEOF"}, "FROM base\n");
  EXPECT_THAT(names_of(lowered), Contains("[internal] load build context"));
  EXPECT_EQ(lowered.lanes[0].config.history.back().created_by, "COPY <<EOF /x # slipway");
}

TEST(LowerOnbuild, ImagesOfUnusedStagesAreNotResolved) {
  FakeImageResolver images = with_triggers({"RUN x"});
  const auto file = dockerfile::parse("Dockerfile", "FROM nowhere AS unused\nFROM base\nFROM alpine\n");
  dockerfile::lower(file, options_for({"linux/amd64"}), images, {});
  EXPECT_THAT(images.asked, ElementsAre("alpine:latest linux/amd64"));
}

TEST(LowerOnbuild, ErrorsNameTheImageAndTheFrom) {
  const auto refusal = [](const Words& triggers, std::string_view text) {
    return refusal_of(text, options_for({"linux/amd64"}), with_triggers(triggers));
  };
  for (const char* trigger : {"RNU x", "COPY --from=1 a b", "RUN --mount=type=x y", "USER ${A:?is missing}",
                              "FROM alpine", "ONBUILD RUN x", "RUN a\nRUN b", "", "COPY --chown=: a b"}) {
    const InvalidInput error = refusal({trigger}, "FROM alpine AS x\n\nFROM base\n");
    ASSERT_TRUE(error.location()) << trigger;
    EXPECT_EQ(error.location()->line, 3) << trigger;
    EXPECT_EQ(error.location()->column, 6) << trigger;
    EXPECT_THAT(error.what(), HasSubstr("base has the instruction \"ONBUILD ")) << trigger;
  }
  EXPECT_EQ(refusal({"COPY --from=toosl a b"}, "FROM alpine AS tools\nFROM base\n").hint(),
            "did you mean the stage \"tools\"?");
}

TEST(LowerOnbuild, ArgsOfTriggersAreUsedArgs) {
  auto options = options_for({"linux/amd64"});
  options.build_args = {{"VERSION", "2"}};
  const Lowered lowered =
      lower_text("FROM base\nLABEL v=$VERSION\n", options, with_triggers({"ARG VERSION=1"}));
  EXPECT_THAT(lowered.warnings, IsEmpty());
  EXPECT_EQ(lowered.lanes[0].config.config.labels.at("v"), "2");
}

}  // namespace
}  // namespace slipway::testing
