#include "slipway/limit_flags.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace slipway {
namespace {

using std::chrono::milliseconds;

TEST(LimitFlags, SizesHaveUnits) {
  EXPECT_EQ(parse_bytes("512m", "--memory"), 512U << 20);
  EXPECT_EQ(parse_bytes("1048576", "--memory"), 1U << 20);
  for (const char* text : {"0", "-1", "lots", "", "1x"})
    EXPECT_THROW(parse_bytes(text, "--memory"), UsageError) << text;
}

TEST(LimitFlags, CountsHaveARangeThatIsTold) {
  EXPECT_EQ(parse_count("0", "--jobs", 8), 0U);
  EXPECT_EQ(parse_count("8", "--jobs", 8), 8U);
  for (const char* text : {"-1", "9", "99999999999999999999", "1.5", "", "x", " 1"}) {
    try {
      parse_count(text, "--jobs", 8);
      FAIL() << text;
    } catch (const UsageError& e) {
      EXPECT_EQ(std::string(e.what()), std::string("--jobs ") + text + ": expected a number from 0 to 8");
    }
  }
}

TEST(LimitFlags, ProcessorsMayBeParts) {
  EXPECT_DOUBLE_EQ(parse_cpus("1.5"), 1.5);
  for (const char* text : {"0", "-1", "two", "", "1e9", "0.001", "nan"})
    EXPECT_THROW(parse_cpus(text), UsageError) << text;
}

TEST(LimitFlags, DurationsAddUp) {
  EXPECT_EQ(parse_timeout("90s", "--step-timeout"), milliseconds(90'000));
  EXPECT_EQ(parse_timeout("1h30m", "--step-timeout"), milliseconds(5'400'000));
  EXPECT_EQ(parse_timeout("0.5s", "--step-timeout"), milliseconds(500));
  EXPECT_EQ(parse_timeout("0", "--step-timeout"), milliseconds(0));
  for (const char* text : {"", "10", "s", "-5s", "1d", "1s2", "99999999999h", "..s"})
    EXPECT_THROW(parse_timeout(text, "--step-timeout"), UsageError) << text;
}

TEST(LimitFlags, ResourceLimits) {
  const auto limits = parse_ulimits({"nofile=1024:4096", "core=0", "stack=unlimited", "nofile=10"});
  ASSERT_EQ(limits.size(), 3U);
  EXPECT_EQ(limits[0], (Ulimit{"core", 0, 0}));
  EXPECT_EQ(limits[1], (Ulimit{"stack", -1, -1}));
  EXPECT_EQ(limits[2], (Ulimit{"nofile", 10, 10})) << "the later one of a name";
  for (const char* text : {"nofile", "=1", "nofile=", "nofile=a", "nofile=5:4", "nofile=-1:4", "files=1"})
    EXPECT_THROW(parse_ulimits({text}), UsageError) << text;
}

TEST(LimitFlags, MisspeltLimitHasAHint) {
  try {
    parse_ulimits({"nofiles=1"});
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_EQ(error.hint(), "did you mean nofile?");
  }
}

TEST(LimitFlags, Hosts) {
  const auto hosts = parse_hosts({"db:10.0.0.7", "six:[::1]", "seven=fe80::7"});
  ASSERT_EQ(hosts.size(), 3U);
  EXPECT_EQ(hosts[0], (ExtraHost{"db", "10.0.0.7"}));
  EXPECT_EQ(hosts[1], (ExtraHost{"six", "::1"}));
  EXPECT_EQ(hosts[2], (ExtraHost{"seven", "fe80::7"}));
  for (const char* text :
       {"db", "db:", ":10.0.0.7", "db:10.0.0", "a b:10.0.0.1", "a\nb:10.0.0.1", "db:host-gateway"})
    EXPECT_THROW(parse_hosts({text}), UsageError) << text;
}

}  // namespace
}  // namespace slipway
