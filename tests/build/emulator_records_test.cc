#include "build/emulator_records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"

namespace slipway {
namespace {

const Platform kArm64 = Platform::parse("linux/arm64");

class Records : public testing::Test {
 protected:
  void SetUp() override { write_file_atomic(program_, "one"); }
  Execution execution() const {
    return {.kind = Execution::Kind::PrivateBinfmt,
            .emulator = Emulator{.program = program_, .name = "qemu-aarch64", .version = "7.2"}};
  }
  EmulatorRecords records() { return {directory_.path() / "emulators", logger_}; }
  TempDir directory_;
  std::filesystem::path program_ = directory_.path() / "qemu";
  NullLogger logger_;
};

TEST_F(Records, NothingIsKnownAtFirst) {
  EXPECT_FALSE(records().find_test(kArm64, execution()));
  EXPECT_FALSE(records().find_slowdown(kArm64));
}

TEST_F(Records, OutliveTheirObject) {
  records().put_test(kArm64, execution(), "does not run threads");
  records().put_slowdown(kArm64,
                         {.factor = 6.5, .start_ms = 4, .version = "qemu-aarch64 7.2", .measured = 9});
  EXPECT_EQ(records().find_test(kArm64, execution()), "does not run threads");
  EXPECT_EQ(records().find_slowdown(kArm64)->factor, 6.5);
  EXPECT_EQ(records().find_slowdown(kArm64)->version, "qemu-aarch64 7.2");
}

TEST_F(Records, AreOfOnePlatformOnly) {
  records().put_test(kArm64, execution(), "");
  EXPECT_FALSE(records().find_test(Platform::parse("linux/s390x"), execution()));
}

TEST_F(Records, AnotherFileAtTheSamePlaceIsAnotherEmulator) {
  records().put_test(kArm64, execution(), "");
  write_file_atomic(program_, "another");
  EXPECT_FALSE(records().find_test(kArm64, execution()));
}

TEST_F(Records, RegisteredIsNotTheSameAsFound) {
  records().put_test(kArm64, execution(), "");
  Execution registered = execution();
  registered.kind = Execution::Kind::HostBinfmt;
  EXPECT_FALSE(records().find_test(kArm64, registered));
}

TEST_F(Records, DamagedFileIsAnEmptyOne) {
  std::filesystem::create_directory(directory_.path() / "emulators");
  for (const char* text :
       {"", "{", "[1]", R"({"selfTests": 1, "slowdowns": {"linux/arm64": {"factor": "x"}}})"}) {
    write_file_atomic(directory_.path() / "emulators/known.json", text);
    EXPECT_FALSE(records().find_test(kArm64, execution())) << text;
    EXPECT_FALSE(records().find_slowdown(kArm64)) << text;
  }
  records().put_test(kArm64, execution(), "");
  EXPECT_EQ(records().find_test(kArm64, execution()), "");
}

TEST_F(Records, DirectoryThatCannotBeWrittenIsNoError) {
  write_file_atomic(directory_.path() / "emulators", "a file is in the way");
  records().put_test(kArm64, execution(), "");
  EXPECT_FALSE(records().find_test(kArm64, execution()));
}

}  // namespace
}  // namespace slipway
