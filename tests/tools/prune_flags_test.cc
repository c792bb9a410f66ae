#include "slipway/prune_flags.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace slipway {
namespace {

TEST(PruneFlags, DurationsAreSecondsOrHaveUnits) {
  EXPECT_EQ(parse_keep_duration("90", "--keep-duration"), 90);
  EXPECT_EQ(parse_keep_duration("2h", "--keep-duration"), 7200);
  EXPECT_EQ(parse_keep_duration("7d", "--keep-duration"), 7 * 86'400);
  for (const char* text : {"", "-1", "-1s", "soon", "0x", "99999999999999999999"})
    EXPECT_THROW(parse_keep_duration(text, "--keep-duration"), UsageError) << text;
}

TEST(PruneFlags, ADurationOfNothingKeepsNothingForItsAge) {
  for (const char* text : {"0", "0s", "00s", "0ms", "0m", "0h", "0d"})
    EXPECT_EQ(parse_keep_duration(text, "--keep-duration"), std::nullopt) << text;
}

}  // namespace
}  // namespace slipway
