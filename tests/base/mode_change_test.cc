#include "base/mode_change.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/error.h"

namespace slipway {
namespace {

struct ModeCase {
  const char* name;
  const char* change;
  unsigned before, after;
};
void PrintTo(const ModeCase& row, std::ostream* out) { *out << row.name; }

class ModeChangeTest : public testing::TestWithParam<ModeCase> {};

/// The rows are what BuildKit makes of these files.
TEST_P(ModeChangeTest, FollowsChmod) {
  EXPECT_EQ(ModeChange::parse(GetParam().change).apply(GetParam().before), GetParam().after);
}
constexpr unsigned kFile = S_IFREG, kDirectory = S_IFDIR;
INSTANTIATE_TEST_SUITE_P(
    BuildKit, ModeChangeTest,
    testing::Values(ModeCase{"usual", "u=rwX,go=rX", kFile | 0640, 0644},
                    ModeCase{"usual_executable", "u=rwX,go=rX", kFile | 0700, 0755},
                    ModeCase{"usual_directory", "u=rwX,go=rX", kDirectory | 0700, 0755},
                    ModeCase{"who_omitted_is_all", "+x", kFile | 0600, 0711},
                    ModeCase{"clauses_in_order", "a+x,u-w", kFile | 0600, 0511},
                    ModeCase{"empty_assignment", "go=", kDirectory | 0711, 0700},
                    ModeCase{"set_id_and_sticky", "u+s,+t", kFile | 0755, 05755},
                    ModeCase{"set_id_of_all", "+s", kFile | 0755, 06755},
                    ModeCase{"sticky_of_other_is_nothing", "o+t,o+s", kFile | 0755, 0755},
                    ModeCase{"sticky_of_all", "a+t", kDirectory | 0700, 01700},
                    ModeCase{"copy_of_a_class", "u=g", kFile | 0644, 0444},
                    ModeCase{"copy_then_remove", "g=u-w,o+X", kFile | 0755, 0755},
                    ModeCase{"copy_replaces_bits_before_it", "u=rg", kFile | 0755, 0555},
                    ModeCase{"copy_added", "o+u", kFile | 0640, 0646},
                    ModeCase{"copy_removed", "g-u", kFile | 0755, 0705},
                    ModeCase{"copy_keeps_set_id", "ug+s,a-w", kFile | 0640, 06440},
                    ModeCase{"capital_x_removes_like_x", "-X", kFile | 0755, 0644},
                    ModeCase{"capital_x_looks_at_the_mode_before", "u+x-w+X", kFile | 0644, 0544},
                    ModeCase{"assignment_of_all_keeps_sticky", "=r", kDirectory | 01755, 01444},
                    ModeCase{"assignment_drops_set_id", "=r", kFile | 04755, 0444},
                    ModeCase{"mixed", "ug=rs,o=t", kFile | 0755, 06440},
                    ModeCase{"many_clauses", "a=rw,u+x,g-w", kFile | 0640, 0746},
                    ModeCase{"other_gets_the_groups", "o=g,a+t", kDirectory | 0750, 01755}),
    [](const auto& row) { return row.param.name; });

class BadModeChange : public testing::TestWithParam<const char*> {};
TEST_P(BadModeChange, IsRefused) { EXPECT_THROW(ModeChange::parse(GetParam()), InvalidInput); }
INSTANTIATE_TEST_SUITE_P(Syntax, BadModeChange,
                         testing::Values("", "u", "u+q", "u+x,", ",u+x", "755", "rwx", "u x", "u+x ", "q+x"));

}  // namespace
}  // namespace slipway
