#include "accel/dynamic_program.h"

#include <filesystem>

#include "accel/elf_files.h"
#include "base/files.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kLoader = "/lib64/ld-linux-x86-64.so.2";

/// A tree as Debian lays it out: /lib and /lib64 are links, the loader's name is a link out of its directory.
class DynamicPrograms : public ::testing::Test {
 protected:
  DynamicPrograms() {
    fs::create_directories(at("usr/lib/x86_64-linux-gnu"));
    fs::create_directories(at("usr/lib64"));
    fs::create_directory_symlink("usr/lib", at("lib"));
    fs::create_directory_symlink("usr/lib64", at("lib64"));
    fs::create_symlink("/lib/x86_64-linux-gnu/ld.so", at("usr/lib64/ld-linux-x86-64.so.2"));
    write("usr/lib/x86_64-linux-gnu/ld.so", {});
    write("usr/lib/x86_64-linux-gnu/libc.so.6", {});
  }

  fs::path at(std::string_view path) const { return directory_.path() / path; }
  void write(std::string_view path, const ElfFile& file) const {
    fs::create_directories(at(path).parent_path());
    write_file_atomic(at(path), elf_file(file), Durability::None, 0755);
  }
  DynamicProgram resolve(std::string_view path = "/usr/bin/tool") const {
    return resolve_dynamic_program(RootedDir(directory_.path()), path);
  }

  TempDir directory_;
};

TEST_F(DynamicPrograms, HaveTheirLoaderAndLibrariesWithoutLinks) {
  write("usr/bin/tool-1", {.interpreter = kLoader, .needed = {"libmine.so.1", "libc.so.6"}, .run_path = {}});
  write("usr/lib/libmine.so.1", {.interpreter = {}, .needed = {"libc.so.6"}, .run_path = {}});
  fs::create_symlink("/usr/bin/tool-1", at("usr/bin/tool"));
  const DynamicProgram found = resolve();
  EXPECT_EQ(found.why_not, "");
  EXPECT_EQ(found.program, "/usr/bin/tool-1");
  EXPECT_EQ(found.loader, "/usr/lib/x86_64-linux-gnu/ld.so");
  EXPECT_THAT(found.library_path, ElementsAre("/usr/lib/x86_64-linux-gnu", "/usr/lib"));
}

TEST_F(DynamicPrograms, AreStaticWithoutALoader) {
  write("usr/bin/tool", {});
  const DynamicProgram found = resolve();
  EXPECT_EQ(found.why_not, "");
  EXPECT_EQ(found.loader, "");
  EXPECT_THAT(found.library_path, IsEmpty());
}

TEST_F(DynamicPrograms, AreNotFoundOutsideTheirTree) {
  fs::create_symlink("../../../../../../../../bin/sh", at("usr/tool"));
  EXPECT_EQ(resolve("/usr/tool").why_not, "it is not there");
  EXPECT_EQ(resolve("/../../bin/sh").why_not, "it is not there");
}

TEST_F(DynamicPrograms, OfALibraryThatIsMissingSayWhich) {
  write("usr/bin/tool", {.interpreter = kLoader, .needed = {"libmine.so.1"}, .run_path = {}});
  write("usr/lib/libmine.so.1", {.interpreter = {}, .needed = {"libfar.so.2"}, .run_path = {}});
  EXPECT_EQ(resolve().why_not, "it needs libfar.so.2, which is not there");
}

TEST_F(DynamicPrograms, OfALoaderThatIsMissingSayWhich) {
  write("usr/bin/tool", {.interpreter = "/lib/ld-other.so.1", .needed = {"libc.so.6"}, .run_path = {}});
  EXPECT_EQ(resolve().why_not, "its loader /lib/ld-other.so.1 is not there");
}

TEST_F(DynamicPrograms, MayNotSayThemselvesWhereTheirLibrariesAre) {
  write("usr/bin/tool", {.interpreter = kLoader, .needed = {"libc.so.6"}, .run_path = "/opt"});
  EXPECT_EQ(resolve().why_not, "it has a run path");
}

TEST_F(DynamicPrograms, MayNotAskForALibraryByItsPath) {
  write("usr/bin/tool", {.interpreter = kLoader, .needed = {"/lib/libc.so.6"}, .run_path = {}});
  EXPECT_EQ(resolve().why_not, "it needs /lib/libc.so.6 by its path");
}

TEST_F(DynamicPrograms, MayHaveALargeTableOfNames) {
  ElfFile file{.interpreter = kLoader, .needed = {"libc.so.6"}, .run_path = {}};
  file.exported = std::string(4 << 20, 'x');
  write("usr/bin/tool", file);
  EXPECT_EQ(resolve().why_not, "");
}

TEST_F(DynamicPrograms, AreOfThisMachine) {
  write("usr/bin/tool", {.interpreter = {}, .needed = {}, .run_path = {}, .machine = EM_S390});
  EXPECT_EQ(resolve().why_not, "it is not a program of this machine");
}

TEST_F(DynamicPrograms, MustBeExecutable) {
  write_file_atomic(at("usr/tool"), elf_file({}));
  EXPECT_EQ(resolve("/usr/tool").why_not, "it is not executable");
}

TEST_F(DynamicPrograms, WhoseFilesAreBrokenAreRefused) {
  const std::string whole = elf_file({.interpreter = kLoader, .needed = {"libc.so.6"}, .run_path = {}});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    write_file_atomic(at("usr/tool"), whole.substr(0, size), Durability::None, 0755);
    EXPECT_NE(resolve("/usr/tool").why_not, "") << size << " bytes of " << whole.size();
  }
  for (std::size_t at_byte = 0; at_byte < whole.size(); ++at_byte) {
    std::string broken = whole;
    broken[at_byte] = static_cast<char>(~broken[at_byte]);
    write_file_atomic(at("usr/tool"), broken, Durability::None, 0755);
    resolve("/usr/tool");  // whatever it says, it returns
  }
}

}  // namespace
}  // namespace slipway
