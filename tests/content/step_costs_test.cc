#include "content/step_costs.h"

#include "content/database.h"
#include "content/store_fixture.h"

namespace slipway {
namespace {

class StepCostsTest : public testing_support::StoreTest {
 protected:
  const Digest make_ = Digest::of("RUN make"), test_ = Digest::of("RUN test");
};

TEST_F(StepCostsTest, AreKnownToTheNextBuild) {
  StepCosts(open()->database()).record({{make_, {.seconds = 2.5, .memory = 7}}});
  const auto store = open();
  const auto found = StepCosts(store->database()).find({make_, test_});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found.at(make_), (StepCost{.seconds = 2.5, .memory = 7}));
}

TEST_F(StepCostsTest, NewDurationCountsHalfAndMemoryIsTheLast) {
  const auto store = open();
  StepCosts costs(store->database());
  costs.record({{make_, {.seconds = 2, .memory = 7}}});
  costs.record({{make_, {.seconds = 4, .memory = 5}}});
  EXPECT_EQ(costs.find({make_}).at(make_), (StepCost{.seconds = 3, .memory = 5}));
}

TEST_F(StepCostsTest, OldestAreForgotten) {
  const auto store = open();
  store->database().put_step_costs({{make_, {.seconds = 1}}}, 2);
  store->database().put_step_costs({{test_, {.seconds = 1}}}, 2);
  store->database().put_step_costs({{make_, {.seconds = 1}}}, 2);  // used again
  store->database().put_step_costs({{Digest::of("third"), {.seconds = 1}}}, 2);
  EXPECT_FALSE(store->database().find_step_cost(test_));
  EXPECT_TRUE(store->database().find_step_cost(make_));
}

}  // namespace
}  // namespace slipway
