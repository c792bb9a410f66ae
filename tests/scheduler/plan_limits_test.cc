#include "scheduler/plan.h"

namespace slipway {

inline void PrintTo(StepId id, std::ostream* out) { *out << "step " << id.value; }

namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(PlanLimits, PoolsHaveSlotsOfTheirOwn) {
  Plan plan;
  plan.set_limits({.slots = {1, 2}});
  const StepId a = plan.add({.name = "a", .cost = 9});
  const StepId b = plan.add({.name = "b", .cost = 8});
  const StepId c = plan.add({.name = "c", .cost = 7, .pool = 1});
  const StepId d = plan.add({.name = "d", .cost = 6, .pool = 1});
  const StepId e = plan.add({.name = "e", .cost = 5, .pool = 1});
  const StepId anywhere = plan.add({.name = "anywhere", .pool = 2});
  EXPECT_THAT(plan.take_ready(), ElementsAre(a, c, d, anywhere));
  plan.finish(d, Succeeded{});
  EXPECT_THAT(plan.take_ready(), ElementsAre(e));
  plan.finish(a, Succeeded{});
  EXPECT_THAT(plan.take_ready(), ElementsAre(b));
}

TEST(PlanLimits, SlotsOfZeroCountAsOne) {
  Plan plan;
  plan.set_limits({.slots = {0}});
  const StepId a = plan.add({.name = "a"});
  plan.add({.name = "b"});
  EXPECT_THAT(plan.take_ready(), ElementsAre(a));
}

TEST(PlanLimits, StepsStartWhileTheirMemoryFits) {
  Plan plan;
  plan.set_limits({.slots = {}, .memory = 10});
  const StepId a = plan.add({.name = "a", .cost = 3, .memory = 6});
  const StepId b = plan.add({.name = "b", .cost = 2, .memory = 4});
  const StepId c = plan.add({.name = "c", .cost = 1, .memory = 1});
  EXPECT_THAT(plan.take_ready(), ElementsAre(a, b));
  plan.finish(b, Succeeded{});
  EXPECT_THAT(plan.take_ready(), ElementsAre(c));
}

TEST(PlanLimits, StepWithoutRoomHoldsBackThoseThatNeedMemoryToo) {
  Plan plan;
  plan.set_limits({.slots = {}, .memory = 10});
  const StepId a = plan.add({.name = "a", .cost = 9, .memory = 6});
  const StepId large = plan.add({.name = "large", .cost = 8, .memory = 9});
  const StepId small = plan.add({.name = "small", .cost = 7, .memory = 1});
  const StepId none = plan.add({.name = "none", .cost = 6});
  EXPECT_THAT(plan.take_ready(), ElementsAre(a, none));
  plan.finish(a, Succeeded{});
  EXPECT_THAT(plan.take_ready(), ElementsAre(large, small));
}

TEST(PlanLimits, OneAlwaysRunsHoweverMuchItNeeds) {
  Plan plan;
  plan.set_limits({.slots = {}, .memory = 10});
  const StepId a = plan.add({.name = "a", .cost = 2, .memory = 50});
  const StepId b = plan.add({.name = "b", .memory = 20});
  EXPECT_TRUE(plan.memory_matters());
  EXPECT_THAT(plan.take_ready(), ElementsAre(a));
  EXPECT_FALSE(plan.memory_matters());
  EXPECT_THAT(plan.take_ready(), IsEmpty());
  plan.finish(a, Failed{"exit 1"});
  EXPECT_THAT(plan.take_ready(), ElementsAre(b));
}

TEST(PlanLimits, MemoryOfMoreThanThereCanBeIsNoReasonToOverflow) {
  Plan plan;
  plan.set_limits({.slots = {}, .memory = 10});
  const StepId a = plan.add({.name = "a", .cost = 2, .memory = 1});
  plan.add({.name = "b", .memory = ~std::uint64_t{0}});
  EXPECT_THAT(plan.take_ready(), ElementsAre(a));
}

TEST(PlanLimits, PostponedStepGivesItsPlaceToOthersAndComesBackInOrder) {
  Plan plan;
  plan.set_limits({.slots = {1}, .memory = 10});
  const StepId first = plan.add({.name = "first", .cost = 9, .memory = 10});
  const StepId second = plan.add({.name = "second", .cost = 8, .memory = 10});
  const StepId third = plan.add({.name = "third", .cost = 7});
  EXPECT_THAT(plan.take_ready(), ElementsAre(first));
  plan.postpone(first);
  EXPECT_EQ(plan.running(), 0U);
  EXPECT_THAT(plan.take_ready(), ElementsAre(second));
  plan.resume(first);
  plan.finish(second, Succeeded{});
  EXPECT_THAT(plan.take_ready(), ElementsAre(first));
  plan.finish(first, Succeeded{});
  EXPECT_THAT(plan.take_ready(), ElementsAre(third));
}

TEST(PlanLimits, PostponedStepMayEndWithoutComingBack) {
  Plan plan;
  const StepId a = plan.add({.name = "a"});
  const StepId b = plan.add({.name = "b", .after = {a}});
  plan.take_ready();
  plan.postpone(a);
  EXPECT_THAT(plan.cancel_waiting(), ElementsAre(b));
  EXPECT_FALSE(plan.done());
  plan.finish(a, StepCancelled{});
  EXPECT_TRUE(plan.done());
  EXPECT_EQ(plan.running(), 0U);
}

}  // namespace
}  // namespace slipway
