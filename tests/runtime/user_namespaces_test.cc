#include "runtime/user_namespaces.h"

#include <cerrno>

#include "base/files.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

struct RefusalCase {
  const char* name;
  const char* file;
  const char* value;
  const char* said;
};
class Refusal : public testing::TestWithParam<RefusalCase> {};

TEST_P(Refusal, NamesTheSetting) {
  const TempDir sysctl;
  fs::create_directory(sysctl.path() / "kernel");
  fs::create_directory(sysctl.path() / "user");
  write_file_atomic(sysctl.path() / GetParam().file, GetParam().value);
  const HostError error = user_namespace_error(EPERM, sysctl.path());
  EXPECT_THAT(error.message(), HasSubstr(GetParam().said));
  EXPECT_FALSE(error.hint().empty());
}
INSTANTIATE_TEST_SUITE_P(
    Settings, Refusal,
    testing::Values(
        RefusalCase{"debian_switch", "kernel/unprivileged_userns_clone", "0\n",
                    "unprivileged_userns_clone is 0"},
        RefusalCase{"limit", "user/max_user_namespaces", "0\n", "max_user_namespaces is 0"},
        RefusalCase{"apparmor", "kernel/apparmor_restrict_unprivileged_userns", "1\n", "AppArmor"},
        RefusalCase{"none_of_them", "kernel/unprivileged_userns_clone", "1\n", "Operation not permitted"}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace slipway
