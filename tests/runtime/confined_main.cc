// Runs the tests inside run_confined(), as the user that $SLIPWAY_TEST_IDS names.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "runtime/confine.h"
#include "test_ids.h"

namespace slipway::test {
Confinement confinement;  // of this process, for the tests that must know
}

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (testing::GTEST_FLAG(list_tests)) return RUN_ALL_TESTS();
  const char* wanted = std::getenv("SLIPWAY_TEST_IDS");
  const std::string ids = wanted ? wanted : "";
  const bool is_root = ::geteuid() == 0;
  if (!ids.empty() && is_root) {
    if ((ids == "subordinate" && !slipway::test::grant_subordinate_ids()) ||
        !slipway::test::drop_to_test_user()) {
      std::perror("becoming the test user");
      return 1;
    }
    ::setenv("HOME", "/", 1);
  } else if (!ids.empty()) {
    std::puts("[  SKIPPED ] only root can become another user");
  }
  try {
    return slipway::run_confined([](const slipway::Confinement& confinement) {
      slipway::test::confinement = confinement;
      return RUN_ALL_TESTS();
    });
  } catch (const slipway::Error& e) {
    std::fprintf(stderr, "%s\n", slipway::describe(e).c_str());
    return 1;
  }
}
