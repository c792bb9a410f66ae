// The fuzzer's corpus, once through: what it found stays mended, on every machine.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "base/files.h"
#include "fuzz/twin_table_seeds.h"
#include "fuzz/twin_table_target.h"

namespace slipway::testing {
namespace {

const std::filesystem::path kCorpus = SLIPWAY_FUZZ_CORPUS "/twin_table";

TEST(TwinTableCorpus, EveryFileIsAnswered) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kCorpus)) {
    SCOPED_TRACE(entry.path().filename().string());
    try_twin_table(read_file(entry.path()));
    ++files;
  }
  EXPECT_GE(files, 5);
}

TEST(TwinTableCorpus, BeginsWithTablesOfTheFormatOfNow) {
  const TempDir tree;
  for (const auto& [name, bytes] : twin_table_seeds(tree.path())) {
    if (std::getenv("SLIPWAY_WRITE_SEEDS") != nullptr) write_file_atomic(kCorpus / name, bytes);
    EXPECT_EQ(read_file(kCorpus / name), bytes) << name << ": run this with SLIPWAY_WRITE_SEEDS=1";
  }
}

TEST(TwinTableCorpus, EveryByteMayBeAnotherAndAnyEndMayBeMissing) {
  const TempDir tree;
  for (const auto& [name, bytes] : twin_table_seeds(tree.path())) {
    SCOPED_TRACE(name);
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      try_twin_table(std::string_view(bytes).substr(0, at));
      for (const int change : {0x01, 0x80, 0xff}) {
        std::string changed = bytes;
        changed[at] = static_cast<char>(changed[at] ^ change);
        try_twin_table(changed);
      }
    }
  }
}

}  // namespace
}  // namespace slipway::testing
