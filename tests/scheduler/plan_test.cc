#include "scheduler/plan.h"

namespace slipway {

inline void PrintTo(StepId id, std::ostream* out) { *out << "step " << id.value; }

namespace {

using testing::ElementsAre;
using testing::IsEmpty;

template <class Outcome>
bool ended(const Plan& plan, StepId id) {
  return plan.finished(id) && std::holds_alternative<Outcome>(plan.outcome(id));
}

TEST(Plan, EmptyPlanIsDone) {
  Plan plan;
  EXPECT_TRUE(plan.done());
  EXPECT_THAT(plan.take_ready(), IsEmpty());
  EXPECT_THAT(plan.cancel_waiting(), IsEmpty());
}

TEST(Plan, StepWaitsForAllItsInputs) {
  Plan plan;
  const StepId a = plan.add({.name = "a"});
  const StepId b = plan.add({.name = "b"});
  const StepId both = plan.add({.name = "both", .after = {a, b}});

  EXPECT_THAT(plan.take_ready(), ElementsAre(a, b));
  plan.finish(a, Succeeded{});
  EXPECT_THAT(plan.take_ready(), IsEmpty());
  plan.finish(b, Succeeded{});
  EXPECT_THAT(plan.take_ready(), ElementsAre(both));
  plan.finish(both, Succeeded{});
  EXPECT_TRUE(plan.done());
}

TEST(Plan, AnInputNamedTwiceCountsOnce) {
  Plan plan;
  const StepId a = plan.add({.name = "a"});
  const StepId b = plan.add({.name = "b", .after = {a, a}});
  plan.take_ready();
  plan.finish(a, Succeeded{});
  EXPECT_THAT(plan.take_ready(), ElementsAre(b));
}

TEST(Plan, LongestWayToTheEndStartsFirst) {
  Plan plan;
  const StepId lint = plan.add({.name = "lint", .cost = 5});
  const StepId fetch = plan.add({.name = "fetch", .cost = 1});
  plan.add({.name = "compile", .after = {fetch}, .cost = 10});
  const StepId docs = plan.add({.name = "docs", .cost = 7});
  EXPECT_THAT(plan.take_ready(), ElementsAre(fetch, docs, lint));
}

TEST(Plan, EqualPathsStartInOrderOfTheirIds) {
  Plan plan;
  const StepId a = plan.add({.name = "a"});
  const StepId b = plan.add({.name = "b"});
  const StepId c = plan.add({.name = "c"});
  EXPECT_THAT(plan.take_ready(), ElementsAre(a, b, c));
}

TEST(Plan, StepThatBecomesReadyTakesItsPlaceAmongThoseThatWait) {
  Plan plan;
  const StepId first = plan.add({.name = "first", .cost = 9});
  const StepId small = plan.add({.name = "small", .cost = 1});
  const StepId large = plan.add({.name = "large", .after = {first}, .cost = 4});
  EXPECT_THAT(plan.take_ready(1), ElementsAre(first));
  plan.finish(first, Succeeded{});
  EXPECT_THAT(plan.take_ready(), ElementsAre(large, small));
}

TEST(Plan, TakesNoMoreThanTheSlots) {
  Plan plan;
  const StepId a = plan.add({.name = "a"});
  const StepId b = plan.add({.name = "b"});
  const StepId c = plan.add({.name = "c"});
  EXPECT_THAT(plan.take_ready(0), IsEmpty());
  EXPECT_THAT(plan.take_ready(2), ElementsAre(a, b));
  EXPECT_EQ(plan.running(), 2u);
  EXPECT_THAT(plan.take_ready(2), ElementsAre(c));
}

TEST(Plan, FailedStepSkipsItsDependents) {
  Plan plan;
  const StepId base = plan.add({.name = "base"});
  const StepId app = plan.add({.name = "app", .after = {base}});
  const StepId image = plan.add({.name = "image", .after = {app}});
  const StepId other = plan.add({.name = "other"});

  EXPECT_THAT(plan.take_ready(), ElementsAre(base, other));
  EXPECT_THAT(plan.finish(base, Failed{"exit 1"}), ElementsAre(app, image));

  EXPECT_THAT(plan.take_ready(), IsEmpty());
  EXPECT_TRUE(ended<Skipped>(plan, app));
  EXPECT_TRUE(ended<Skipped>(plan, image));
  EXPECT_FALSE(plan.finished(other));
  EXPECT_FALSE(plan.done());
}

TEST(Plan, StepSkippedByOneInputIsNotStartedByTheOther) {
  Plan plan;
  const StepId bad = plan.add({.name = "bad"});
  const StepId good = plan.add({.name = "good"});
  const StepId both = plan.add({.name = "both", .after = {bad, good}});
  plan.take_ready();
  EXPECT_THAT(plan.finish(bad, Failed{"exit 1"}), ElementsAre(both));
  EXPECT_THAT(plan.finish(good, Succeeded{}), IsEmpty());
  EXPECT_THAT(plan.take_ready(), IsEmpty());
  EXPECT_TRUE(plan.done());
}

TEST(Plan, EachStepIsSkippedOnce) {
  Plan plan;
  const StepId a = plan.add({.name = "a"});
  const StepId b = plan.add({.name = "b"});
  const StepId both = plan.add({.name = "both", .after = {a, b}});
  plan.take_ready();
  EXPECT_THAT(plan.finish(a, Failed{"exit 1"}), ElementsAre(both));
  EXPECT_THAT(plan.finish(b, Failed{"exit 2"}), IsEmpty());
}

TEST(Plan, CancelledStepCancelsItsDependents) {
  Plan plan;
  const StepId base = plan.add({.name = "base"});
  const StepId app = plan.add({.name = "app", .after = {base}});
  plan.take_ready();
  EXPECT_THAT(plan.finish(base, StepCancelled{}), ElementsAre(app));
  EXPECT_TRUE(ended<StepCancelled>(plan, app));
}

TEST(Plan, CancelWaitingLeavesRunningStepsAlone) {
  Plan plan;
  const StepId running = plan.add({.name = "running", .cost = 2});
  const StepId ready = plan.add({.name = "ready"});
  const StepId waiting = plan.add({.name = "waiting", .after = {running}});
  EXPECT_THAT(plan.take_ready(1), ElementsAre(running));

  EXPECT_THAT(plan.cancel_waiting(), ElementsAre(ready, waiting));
  EXPECT_THAT(plan.take_ready(), IsEmpty());
  EXPECT_FALSE(plan.done());
  EXPECT_THAT(plan.finish(running, Succeeded{}), IsEmpty());
  EXPECT_TRUE(plan.done());
  EXPECT_TRUE(ended<Succeeded>(plan, running));
}

TEST(Plan, StepsMayBeAddedWhileOthersRun) {
  Plan plan;
  const StepId a = plan.add({.name = "a"});
  plan.take_ready();
  const StepId b = plan.add({.name = "b", .after = {a}});
  plan.finish(a, Succeeded{});
  const StepId c = plan.add({.name = "c", .after = {a}, .cost = 5});
  EXPECT_THAT(plan.take_ready(), ElementsAre(c, b));
}

TEST(Plan, StepAddedAfterItsInputFailedIsSkipped) {
  Plan plan;
  const StepId a = plan.add({.name = "a"});
  plan.take_ready();
  plan.finish(a, Failed{"exit 1"});
  const StepId b = plan.add({.name = "b", .after = {a}});
  EXPECT_TRUE(ended<Skipped>(plan, b));
  EXPECT_TRUE(plan.done());
}

TEST(PlanDeathTest, InputMustBeAddedBefore) {
  Plan plan;
  plan.add({.name = "a"});
  EXPECT_DEATH(plan.add({.name = "self", .after = {StepId{1}}}), "no cycle");
}

TEST(PlanDeathTest, StepFinishesOnce) {
  Plan plan;
  const StepId a = plan.add({.name = "a"});
  plan.take_ready();
  plan.finish(a, Succeeded{});
  EXPECT_DEATH(plan.finish(a, Succeeded{}), "only once");
}

}  // namespace
}  // namespace slipway
