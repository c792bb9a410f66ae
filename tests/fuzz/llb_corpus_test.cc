// The fuzzer's corpus, once through: what it found stays mended, on every machine.
#include <gtest/gtest.h>

#include <filesystem>

#include "base/files.h"
#include "fuzz/llb_target.h"

namespace slipway::testing {
namespace {

TEST(LlbCorpus, EveryFileIsAnswered) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(SLIPWAY_FUZZ_CORPUS "/llb")) {
    SCOPED_TRACE(entry.path().filename().string());
    try_llb(read_file(entry.path()));
    ++files;
  }
  EXPECT_GE(files, 5);
}

}  // namespace
}  // namespace slipway::testing
