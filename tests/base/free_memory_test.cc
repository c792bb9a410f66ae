#include "base/free_memory.h"

namespace slipway {
namespace {

TEST(FreeMemory, IsWhatTheKernelSaysIsAvailable) {
  EXPECT_EQ(parse_available_memory("MemTotal:       16000 kB\nMemFree:  1 kB\nMemAvailable:    2048 kB\n"),
            2048U * 1024);
}

TEST(FreeMemory, AnyAmountIfItDoesNotSay) {
  EXPECT_EQ(parse_available_memory(""), kAnyMemory);
  EXPECT_EQ(parse_available_memory("MemAvailable: much kB\n"), kAnyMemory);
  EXPECT_EQ(parse_available_memory("MemAvailable: 99999999999999999999 kB\n"), kAnyMemory);
  EXPECT_EQ(parse_available_memory("MemAvailable: 18446744073709551615 kB\n"), kAnyMemory);
}

TEST(FreeMemory, ThisMachineHasSome) { EXPECT_GT(available_memory(), 0U); }

}  // namespace
}  // namespace slipway
