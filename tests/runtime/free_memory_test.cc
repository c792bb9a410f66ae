#include "runtime/free_memory.h"

#include <filesystem>

#include "base/files.h"
#include "base/strings.h"

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

/// A directory that looks like a mounted cgroup file system.
class MemoryLeftInGroups : public testing::Test {
 protected:
  void file(const std::string& group, const std::string& name, const std::string& text) {
    std::filesystem::create_directories(dir_.path() / group);
    write_file_atomic(dir_.path() / group / name, text);
  }
  std::uint64_t left(const std::string& own, const std::string& type,
                     const std::string& options = "rw") const {
    return memory_left_in_groups(
        own, concat("30 23 0:26 / ", dir_.path().native(), " rw - ", type, " ", type, " ", options, "\n"));
  }
  TempDir dir_;
};

TEST_F(MemoryLeftInGroups, IsWhatTheTightestOfTheGroupsLeaves) {
  file("pod", "memory.max", "1000\n");
  file("pod", "memory.current", "700\n");
  file("pod/job", "memory.max", "900\n");
  file("pod/job", "memory.current", "100\n");
  EXPECT_EQ(left("0::/pod/job\n", "cgroup2"), 300U);
  EXPECT_EQ(left("0::/other\n", "cgroup2"), kAnyMemory);
}

TEST_F(MemoryLeftInGroups, CountsWhatCanBeDroppedAsFree) {
  file("pod", "memory.max", "1000\n");
  file("pod", "memory.current", "1000\n");
  file("pod", "memory.stat", "anon 300\ninactive_file 600\nactive_file 100\n");
  EXPECT_EQ(left("0::/pod\n", "cgroup2"), 600U);
}

TEST_F(MemoryLeftInGroups, IsOfVersionOneToo) {
  file("docker/x", "memory.limit_in_bytes", "1000\n");
  file("docker/x", "memory.usage_in_bytes", "900\n");
  file("docker/x", "memory.stat", "inactive_file 1\ntotal_inactive_file 50\n");
  file("", "memory.limit_in_bytes", "9223372036854771712\n");
  file("", "memory.usage_in_bytes", "5000\n");
  EXPECT_EQ(left("4:memory:/docker/x\n", "cgroup", "rw,memory"), 150U);
  EXPECT_EQ(left("4:memory:/docker/x\n", "cgroup", "rw,cpu"), kAnyMemory);
}

TEST_F(MemoryLeftInGroups, IsNotLimitedByWhatSaysSo) {
  file("pod", "memory.max", "max\n");
  file("pod", "memory.current", "1000\n");
  EXPECT_EQ(left("0::/pod\n", "cgroup2"), kAnyMemory);
  EXPECT_EQ(memory_left_in_groups("", ""), kAnyMemory);
}

TEST_F(MemoryLeftInGroups, IsNothingWhereMoreIsUsedThanAllowed) {
  file("pod", "memory.max", "1000\n");
  file("pod", "memory.current", "2000\n");
  EXPECT_EQ(left("0::/pod\n", "cgroup2"), 0U);
}

/// The same directory, in which the kernel kills.
class MemoryKillsInGroups : public MemoryLeftInGroups {
 protected:
  MemoryKills of(const std::string& own, const std::string& type, const std::string& options = "rw") const {
    return {own,
            concat("30 23 0:26 / ", dir_.path().native(), " rw - ", type, " ", type, " ", options, "\n")};
  }
};

TEST_F(MemoryKillsInGroups, AreThoseSinceItWasMadeAndSayTheTightestLimit) {
  file("pod", "memory.max", "1000\n");
  file("pod", "memory.events", "oom 3\noom_kill 2\n");
  file("pod/job", "memory.max", "max\n");
  const MemoryKills kills = of("0::/pod/job\n", "cgroup2");
  EXPECT_EQ(kills.limit(), std::nullopt);
  file("pod", "memory.events", "oom 4\noom_kill 3\n");
  EXPECT_EQ(kills.limit(), 1000U);
}

TEST_F(MemoryKillsInGroups, AreOfVersionOneToo) {
  file("docker/x", "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n");
  file("docker/x", "memory.limit_in_bytes", "9223372036854771712\n");
  const MemoryKills kills = of("4:memory:/docker/x\n", "cgroup", "rw,memory");
  file("docker/x", "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
  EXPECT_EQ(kills.limit(), kAnyMemory) << "the machine's memory was at its end";
  file("docker", "memory.limit_in_bytes", "4096\n");
  EXPECT_EQ(kills.limit(), 4096U);
}

TEST(FreeMemory, ThisMachineHasSome) { EXPECT_GT(available_memory(), 0U); }

}  // namespace
}  // namespace slipway
