#include "build/step_estimates.h"

#include <gmock/gmock.h>

#include "content/store_fixture.h"

namespace slipway {
namespace {

class StepEstimatesTest : public testing_support::StoreTest {
 protected:
  static Vertex vertex(const std::string& command, const std::string& input = "base") {
    ExecOp exec{.args = {"/bin/sh", "-c", command}};
    exec.mounts.push_back({.input = 0, .dest = "/", .output = 0});
    return {.digest = Digest::of(command + input),
            .op = {.inputs = {{Digest::of(input)}}, .what = std::move(exec), .platform = {}},
            .info = {.name = "[linux/amd64 1/1] RUN " + command},
            .lanes = {}};
  }
  std::unique_ptr<StepEstimates> next_build(const std::vector<const Vertex*>& vertices) {
    auto estimates = std::make_unique<StepEstimates>(StepCosts(store_->database()));
    estimates->look_up(vertices);
    return estimates;
  }
  std::unique_ptr<Store> store_ = open();
};

TEST_F(StepEstimatesTest, AreOfTheSameStepWhateverItReads) {
  const Vertex make = vertex("make"), rebuilt = vertex("make", "another base"), test = vertex("make test");
  StepEstimates first{StepCosts(store_->database())};
  first.measured(make, {.seconds = 60, .memory = std::uint64_t{1} << 30});
  first.record();
  const auto second = next_build({&rebuilt, &test});
  EXPECT_EQ(second->seconds(rebuilt, 10), 60);
  EXPECT_EQ(second->memory(rebuilt), std::uint64_t{1} << 30);
  EXPECT_EQ(second->seconds(test, 10), 10);
  EXPECT_EQ(second->memory(test), 0U);
}

TEST_F(StepEstimatesTest, LittleMemoryIsNone) {
  const Vertex make = vertex("make");
  StepEstimates first{StepCosts(store_->database())};
  first.measured(make, {.seconds = 1, .memory = std::uint64_t{100} << 20});
  first.record();
  EXPECT_EQ(next_build({&make})->memory(make), 0U);
}

}  // namespace
}  // namespace slipway
