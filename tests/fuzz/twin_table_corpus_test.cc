// The fuzzer's corpus, once through: what it found stays mended, on every machine.
#include <gtest/gtest.h>

#include <filesystem>

#include "base/files.h"
#include "fuzz/twin_table_target.h"

namespace slipway::testing {
namespace {

TEST(TwinTableCorpus, EveryFileIsAnswered) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(SLIPWAY_FUZZ_CORPUS "/twin_table")) {
    SCOPED_TRACE(entry.path().filename().string());
    try_twin_table(read_file(entry.path()));
    ++files;
  }
  EXPECT_GE(files, 5);
}

}  // namespace
}  // namespace slipway::testing
