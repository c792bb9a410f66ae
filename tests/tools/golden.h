#pragma once
// Compares a text with a file under tests/golden/tools. SLIPWAY_ACCEPT=1 writes the file instead, and the test counts
// as skipped, so that nobody takes such a run for a pass.
#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/files.h"

namespace slipway {

inline void expect_golden(const std::string& actual, const std::string& name) {
  const std::filesystem::path path = std::filesystem::path(SLIPWAY_GOLDEN_DIR) / name;
  if (std::getenv("SLIPWAY_ACCEPT")) {
    std::filesystem::create_directories(path.parent_path());
    write_file_atomic(path, actual);
    GTEST_SKIP() << "wrote " << path;
  }
  EXPECT_EQ(actual, read_file_if_exists(path).value_or("")) << "golden file " << path;
}

}  // namespace slipway
