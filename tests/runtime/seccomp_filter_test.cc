#include "runtime/seccomp_filter.h"

#include <gtest/gtest.h>
#include <linux/filter.h>

#include <nlohmann/json.hpp>

#include "runtime/seccomp_profile.h"

namespace slipway {
namespace {

TEST(SeccompFilter, IsAProgramThatTheKernelTakes) {
  const std::string program = compile_seccomp(seccomp_profile());
  EXPECT_EQ(program.size() % sizeof(struct sock_filter), 0U);
  EXPECT_GT(program.size() / sizeof(struct sock_filter), 100U);
  EXPECT_LE(program.size() / sizeof(struct sock_filter), static_cast<std::size_t>(BPF_MAXINSNS));
}

TEST(SeccompFilter, NamesThatThisMachineDoesNotKnowArePassedOver) {
  const nlohmann::json profile = {
      {"defaultAction", "SCMP_ACT_ERRNO"},
      {"defaultErrnoRet", 38},
      {"syscalls", {{{"names", {"read", "no_such_call"}}, {"action", "SCMP_ACT_ALLOW"}}}}};
  EXPECT_FALSE(compile_seccomp(profile).empty());
}

}  // namespace
}  // namespace slipway
