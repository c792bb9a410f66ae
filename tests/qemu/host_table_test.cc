#include "qemu/host_table.h"

#include "base/error.h"
#include "base/files.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::StartsWith;

const Platform kArm64 = Platform::parse("linux/arm64");
const Emulator kEmulator{
    .program = "/usr/bin/qemu-aarch64-static", .name = "qemu-aarch64", .version = "7.2.22"};

// A table of a made-up host: what is written to "register" stays there for the test to read.
class MadeUpTable : public testing::Test {
 protected:
  void SetUp() override {
    write("status", "enabled\n");
    write("register", "");
  }
  void write(const std::string& name, std::string_view text) {
    write_file_atomic(directory_.path() / name, text);
  }
  void add(const std::string& name, const std::string& interpreter, const std::string& flags) {
    write(name, "enabled\ninterpreter " + interpreter + "\nflags: " + flags +
                    "\noffset 0\nmagic 7f454c460201010000000000000000000200b700\n"
                    "mask ffffffffffffff00fffffffffffffffffeffffff\n");
  }
  std::string read(const std::string& name) { return read_file(directory_.path() / name); }
  std::string refusal() {
    try {
      HostTable table(directory_.path());
      return "";
    } catch (const HostError& e) {
      return e.message();
    }
  }
  TempDir directory_;
};

TEST_F(MadeUpTable, NewEntryHasFlagsPF) {
  EXPECT_EQ(HostTable(directory_.path()).install(kArm64, kEmulator), HostTable::Installed::Registered);
  EXPECT_THAT(read("register"), StartsWith(":slipway-aarch64:M::"));
  EXPECT_THAT(read("register"), HasSubstr(":/usr/bin/qemu-aarch64-static:PF"));
}

TEST_F(MadeUpTable, SameEntryIsLeft) {
  add("slipway-aarch64", "/usr/bin/qemu-aarch64-static", "PF");
  EXPECT_EQ(HostTable(directory_.path()).install(kArm64, kEmulator), HostTable::Installed::AlreadyThere);
  EXPECT_EQ(read("register"), "");
}

TEST_F(MadeUpTable, OwnEntryForAnotherFileIsReplaced) {
  add("slipway-aarch64", "/old/qemu", "PF");
  EXPECT_EQ(HostTable(directory_.path()).install(kArm64, kEmulator), HostTable::Installed::Replaced);
  EXPECT_THAT(read("slipway-aarch64"), StartsWith("-1"));
  EXPECT_THAT(read("register"), HasSubstr("/usr/bin/qemu-aarch64-static"));
}

TEST_F(MadeUpTable, OthersEntryThatServesIsLeftAndNamed) {
  add("qemu-aarch64", "/usr/libexec/qemu-binfmt/aarch64-binfmt-P", "POCF");
  HostTable table(directory_.path());
  EXPECT_EQ(table.install(kArm64, kEmulator), HostTable::Installed::LeftToOther);
  EXPECT_EQ(table.other_entry(kArm64), "qemu-aarch64");
  EXPECT_EQ(read("register"), "");
}

TEST_F(MadeUpTable, OthersEntryThatWorksInNoImageDoesNotStandInTheWay) {
  add("qemu-aarch64", "/usr/bin/qemu-aarch64", "");
  EXPECT_EQ(HostTable(directory_.path()).install(kArm64, kEmulator), HostTable::Installed::Registered);
  EXPECT_THAT(read("qemu-aarch64"), StartsWith("enabled"));
}

TEST_F(MadeUpTable, UninstallRemovesOwnEntriesOnly) {
  add("slipway-aarch64", "/q", "PF");
  add("qemu-aarch64", "/q", "PF");
  HostTable table(directory_.path());
  EXPECT_TRUE(table.uninstall(kArm64));
  EXPECT_FALSE(table.uninstall(Platform::parse("linux/s390x")));
  EXPECT_THAT(read("slipway-aarch64"), StartsWith("-1"));
  EXPECT_THAT(read("qemu-aarch64"), StartsWith("enabled"));
}

TEST_F(MadeUpTable, TableThatIsNotMountedIsToldOf) {
  fs::remove(directory_.path() / "register");
  EXPECT_THAT(refusal(), StartsWith("binfmt_misc is not mounted at /"));
}

TEST_F(MadeUpTable, TableThatIsSwitchedOffIsToldOf) {
  write("status", "disabled\n");
  EXPECT_EQ(refusal(), "binfmt_misc is switched off on this machine");
}

}  // namespace
}  // namespace slipway
