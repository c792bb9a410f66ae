// The table of twins, written and read again by slipway-exec's own code, as it is and damaged.
#include "accel/twin_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <random>

#include "accel/exec/decision.h"
#include "accel/programs.h"
#include "base/error.h"
#include "base/files.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kLoader = "/lib64/ld-linux-x86-64.so.2";

/// A table's bytes where the reader wants them.
class Bytes {
 public:
  explicit Bytes(const std::string& bytes) : words_(bytes.size() / 8 + 1), size_(bytes.size()) {
    bytes.copy(reinterpret_cast<char*>(words_.data()), size_);
  }
  twin_file::Table table() const { return {words_.data(), size_}; }

 private:
  std::vector<std::uint64_t> words_;
  std::size_t size_;
};

class TwinTable : public testing::Test {
 protected:
  TwinTable() {
    fs::create_directories(tree_.path() / "lib64");
    write_file_atomic(tree_.path() / (kLoader + 1), "--argv0 --preload");
    write_file_atomic(tree_.path() / "ld-musl-x86_64.so.1", std::string("x\0001.2.5\0y", 9));
    root_.trees = {tree_.path()};
    root_.machine = "aarch64";
    root_.twins = {twin("/usr/bin/sed", 7), twin("/bin/busybox", 3), twin("/usr/bin/as", 5)};
    root_.twins[1].loader.clear();
    root_.twins[1].multi_call = "busybox";
    root_.twins[1].declined_names = {"uname", "arch"};
  }
  static Twin twin(const std::string& target, std::uint64_t inode) {
    return {.target = target,
            .identity = {.inode = inode, .size = 10 * inode, .mtime_ns = 1, .ctime_ns = 2},
            .program = target,
            .loader = kLoader,
            .library_path = {"/lib", "/usr/lib"}};
  }
  std::string encode() {
    left_out_.clear();
    return encode_twin_table(root_, left_out_);
  }
  /// What would be executed; nothing if it is not for the twin.
  std::vector<std::string> arguments(std::uint64_t inode, std::vector<const char*> argv,
                                     std::vector<const char*> environment = {}) {
    const Bytes bytes(encode());
    const twin_file::Table table = bytes.table();
    EXPECT_TRUE(table.is_valid());
    const twin_file::Entry* entry = table.entry(inode, 10 * inode, 1, 2);
    if (entry == nullptr) return {};
    environment.push_back(nullptr);
    const twin_file::Invocation wanted{.path = "/path",
                                       .argv0 = argv[0],
                                       .arguments = argv.data() + 1,
                                       .count = argv.size() - 1,
                                       .environment = environment.data()};
    const char* room[100];
    twin_file::Pointers out(room, 100);
    if (!twin_file::environment_allows(table, wanted.environment) ||
        !twin_file::names_allow(table, *entry, wanted) ||
        !twin_file::add_arguments(table, *entry, wanted, out))
      return {};
    EXPECT_EQ(room[out.count() - 1], nullptr);
    return {room, room + out.count() - 1};
  }

  TempDir tree_;
  AcceleratedRoot root_;
  std::vector<std::string> left_out_;
};

TEST_F(TwinTable, DynamicTwinIsStartedByItsLoader) {
  EXPECT_THAT(arguments(7, {"sed", "-n", "p"}),
              ElementsAre("/dev/.slipway/tree/0/lib64/ld-linux-x86-64.so.2", "--inhibit-cache", "--preload",
                          "/dev/.slipway/uname.so", "--library-path",
                          "/dev/.slipway/tree/0/lib:/dev/.slipway/tree/0/usr/lib", "--argv0", "sed",
                          "/dev/.slipway/tree/0/usr/bin/sed", "-n", "p"));
}

TEST_F(TwinTable, MuslsLoaderHasNoCacheToLeave) {
  root_.twins[0].loader = "/ld-musl-x86_64.so.1";
  root_.twins[0].library_path = {"/lib"};
  EXPECT_THAT(arguments(7, {"sed"}),
              ElementsAre("/dev/.slipway/tree/0/ld-musl-x86_64.so.1", "--preload", "/dev/.slipway/uname.so",
                          "--library-path", "/dev/.slipway/tree/0/lib", "--argv0", "sed",
                          "/dev/.slipway/tree/0/usr/bin/sed"));
}

TEST_F(TwinTable, StaticTwinIsStartedItself) {
  EXPECT_THAT(arguments(3, {"sh", "-c", ":"}), ElementsAre("sh", "-c", ":"));
}

TEST_F(TwinTable, DeclinedNamesAreNotForTheTwin) {
  EXPECT_THAT(arguments(3, {"/bin/uname"}), IsEmpty());
  EXPECT_THAT(arguments(3, {"-uname"}), IsEmpty());
  EXPECT_THAT(arguments(3, {"busybox", "uname", "-m"}), IsEmpty());
  EXPECT_THAT(arguments(3, {"/bin/busybox", "busybox", "/bin/arch"}), IsEmpty());
  EXPECT_THAT(arguments(3, {"sh", "uname"}), ElementsAre("sh", "uname"));
  EXPECT_THAT(arguments(3, {"busybox"}), ElementsAre("busybox"));
  EXPECT_THAT(arguments(3, {"busybox", "busybox"}), ElementsAre("busybox", "busybox"));
}

TEST_F(TwinTable, ArgumentsGoByTheRules) {
  using Kind = ArgumentRule::Kind;
  root_.twins[1].rules = {{.kind = Kind::Append, .with = {"last"}},
                          {.kind = Kind::Prepend, .with = {"first", "second"}},
                          {.kind = Kind::Replace, .pattern = "-l*", .with = {"-L", "x"}},
                          {.kind = Kind::Drop, .pattern = "-dro[p]"},
                          {.kind = Kind::Drop, .pattern = "-lost"},
                          {.kind = Kind::Decline, .pattern = "--never"}};
  EXPECT_THAT(arguments(3, {"a", "-drop", "-lm", "-lost", "b"}),
              ElementsAre("a", "first", "second", "-L", "x", "-L", "x", "b", "last"));
  EXPECT_THAT(arguments(3, {"a", "-drop", "--never"}), IsEmpty());
}

TEST_F(TwinTable, EnvironmentThatReachesIntoLoadersIsNotForTwins) {
  for (const char* entry : {"LD_PRELOAD=x", "LD_LIBRARY_PATH=", "QEMU_CPU=max",
                            "GLIBC_TUNABLES=", "MALLOC_ARENA_MAX=1", "LOCPATH=/", "LANG=de_DE"})
    EXPECT_THAT(arguments(3, {"sh"}, {"A=b", entry}), IsEmpty()) << entry;
  for (const char* entry : {"BASH_ENV=x", "TZDIR=/", "LDFLAGS=-L/x", "LANG=C.UTF-8"})
    EXPECT_THAT(arguments(3, {"sh"}, {"A=b", entry}), ElementsAre("sh")) << entry;
}

TEST_F(TwinTable, OnlyTheVeryFileIsFound) {
  const Bytes bytes(encode());
  const twin_file::Table table = bytes.table();
  EXPECT_NE(table.entry(7, 70, 1, 2), nullptr);
  EXPECT_EQ(table.entry(7, 71, 1, 2), nullptr);
  EXPECT_EQ(table.entry(7, 70, 2, 2), nullptr);
  EXPECT_EQ(table.entry(7, 70, 1, 3), nullptr);
  EXPECT_EQ(table.entry(0, 0, 1, 2), nullptr);
  EXPECT_EQ(table.entry(4, 40, 1, 2), nullptr);
  EXPECT_EQ(table.entry(99, 990, 1, 2), nullptr);
}

TEST_F(TwinTable, NumbersAreThoseOfTheRoot) {
  root_.twins[0].program = "relative";
  const Bytes bytes(encode());
  EXPECT_EQ(bytes.table().entry(7, 70, 1, 2), nullptr);
  EXPECT_EQ(bytes.table().entry(3, 30, 1, 2)->index, 1u);
  EXPECT_EQ(bytes.table().entry(5, 50, 1, 2)->index, 2u);
}

TEST_F(TwinTable, TwinsThatCannotBeRunAreLeftOutAndAccountedFor) {
  write_file_atomic(tree_.path() / "ld-old.so", "--preload");
  write_file_atomic(tree_.path() / "ld-musl-old.so", std::string("x\0001.1.24\0y", 10));
  root_.twins = {twin("/a", 1), twin("/b", 2), twin("/c", 3), twin("/d", 4),
                 twin("/e", 5), twin("/f", 5), twin("/g", 6), twin("/h", 7)};
  root_.twins[0].loader = "/ld-old.so";
  root_.twins[1].loader = "/ld-musl-old.so";
  root_.twins[2].loader = "/nosuch";
  root_.twins[3].tree = 1;
  root_.twins[6].library_path = {"/lib:/etc"};
  root_.twins[7].rules = {{.kind = ArgumentRule::Kind::Drop, .pattern = "[[:alpha:]]"}};
  encode();
  EXPECT_THAT(left_out_, ElementsAre("/a: its dynamic loader is too old", "/b: its dynamic loader is too old",
                                     "/c: its dynamic loader is not there", "/d: its tree is not there",
                                     "/f: another has the same inode number",
                                     "/g: its library path is not one that can be handed over",
                                     "/h: a rule for its arguments has a pattern that is not supported"));
}

TEST_F(TwinTable, NothingOfADamagedTableIsReadBeyondItsEnd) {
  root_.twins[1].rules = {{.kind = ArgumentRule::Kind::Replace, .pattern = "a*", .with = {"b"}}};
  const std::string whole = encode();
  std::mt19937 random(7);
  const char* const environment[] = {"A=b", nullptr};
  const char* const argv[] = {"abc", "d", nullptr};
  for (int round = 0; round < 50'000; ++round) {
    std::string bytes = whole;
    for (auto changes = 1 + random() % 3; changes > 0; --changes)
      bytes[8 + random() % (bytes.size() - 8)] = static_cast<char>(random() % 3 == 0 ? 0xff : random());
    if (random() % 4 == 0) bytes.resize(random() % bytes.size());
    const Bytes copy(bytes);
    const twin_file::Table table = copy.table();
    if (!table.is_valid()) continue;
    for (const Twin& twin : root_.twins) {
      const FileIdentity& id = twin.identity;
      const twin_file::Entry* entry = table.entry(id.inode, id.size, id.mtime_ns, id.ctime_ns);
      if (entry == nullptr || !twin_file::environment_allows(table, environment)) continue;
      const twin_file::Invocation wanted{
          .path = "/p", .argv0 = "busybox", .arguments = argv, .count = 2, .environment = environment};
      twin_file::Pointers out;
      if (twin_file::names_allow(table, *entry, wanted)) twin_file::add_arguments(table, *entry, wanted, out);
    }
  }
}

TEST_F(TwinTable, TableOfAnotherLengthIsNone) {
  const std::string whole = encode();
  for (std::size_t size = 0; size < whole.size(); ++size)
    ASSERT_FALSE(Bytes(whole.substr(0, size)).table().is_valid()) << size;
  EXPECT_FALSE(Bytes(whole + "x").table().is_valid());
  EXPECT_FALSE(Bytes("x" + whole.substr(1)).table().is_valid());
}

class TwinDirectory : public TwinTable {
 protected:
  void SetUp() override {
    if (slipway_exec_program().empty()) GTEST_SKIP() << "there is none for this machine";
  }
  TempDir work_;
  fs::path directory_ = work_.path() / "twins";
};

TEST_F(TwinDirectory, HasEverythingThatAStepNeeds) {
  const TwinMounts mounts = prepare_twin_directory(root_, directory_, {"sh", "../evil", "a/b", ""});
  EXPECT_THAT(mounts.left_out, IsEmpty());
  ASSERT_EQ(mounts.mounts.size(), 3u);
  EXPECT_EQ(mounts.mounts[0].target, "/dev/.slipway");
  EXPECT_FALSE(mounts.mounts[0].writable);
  EXPECT_EQ(mounts.mounts[1].target, "/dev/.slipway/counts");
  EXPECT_TRUE(mounts.mounts[1].writable);
  EXPECT_EQ(mounts.mounts[2].target, "/dev/.slipway/tree/0");
  EXPECT_EQ(mounts.mounts[2].source, tree_.path());
  EXPECT_TRUE(fs::is_empty(directory_ / "tree/0"));
  EXPECT_EQ(fs::read_symlink(directory_ / "run/0/sed"), "/dev/.slipway/tree/0/lib64/ld-linux-x86-64.so.2");
  EXPECT_EQ(fs::read_symlink(directory_ / "run/0/sh"), "/dev/.slipway/tree/0/lib64/ld-linux-x86-64.so.2");
  EXPECT_EQ(fs::read_symlink(directory_ / "run/1/busybox"), "/dev/.slipway/tree/0/bin/busybox");
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_ / "run/0"), fs::directory_iterator()), 3);
}

TEST_F(TwinDirectory, CountsAreZeroUntilATwinRanAndWhereAStepDamagedThem) {
  prepare_twin_directory(root_, directory_);
  EXPECT_THAT(read_twin_counts(directory_, root_), ElementsAre(0, 0, 0));
  const std::uint64_t some[] = {1, 0, 3};
  write_file_atomic(directory_ / "counts", {reinterpret_cast<const char*>(some), sizeof some});
  EXPECT_THAT(read_twin_counts(directory_, root_), ElementsAre(1, 0, 3));
  fs::resize_file(directory_ / "counts", 20);
  EXPECT_THAT(read_twin_counts(directory_, root_), ElementsAre(0, 0, 0));
  fs::remove(directory_ / "counts");
  EXPECT_THAT(read_twin_counts(directory_, root_), ElementsAre(0, 0, 0));
}

TEST_F(TwinDirectory, ShimSaysTheMachine) {
  EXPECT_THAT(uname_shim("riscv64"), HasSubstr(std::string("riscv64\0\0", 9)));
  EXPECT_THROW(uname_shim(std::string(65, 'x')), InvalidInput);
  EXPECT_THROW(uname_shim(""), InvalidInput);
}

}  // namespace
}  // namespace slipway
