// run_confined() must be called before any thread exists and forks: each test does so in a process of its
// own.
#include <gtest/gtest.h>

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
