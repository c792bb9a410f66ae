// The fuzzer's corpus, once through: what it found stays mended, on every machine.
#include <gtest/gtest.h>

#include <filesystem>

#include "base/files.h"
#include "fuzz/dockerfile_target.h"

namespace slipway::testing {
namespace {

TEST(DockerfileCorpus, EveryFileIsAnswered) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(SLIPWAY_FUZZ_CORPUS "/dockerfile")) {
    SCOPED_TRACE(entry.path().filename().string());
    try_dockerfile(read_file(entry.path()));
    ++files;
  }
  EXPECT_GE(files, 20);
}

}  // namespace
}  // namespace slipway::testing
