#include "content/tar_extract.h"

#include <gmock/gmock.h>
#include <sys/sysmacros.h>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "base/subprocess.h"
#include "content/store_fixture.h"
#include "content/tree_support.h"

namespace slipway::testing_support {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class TarExtract : public testing::Test {
 protected:
  void extract_bytes(const std::string& bytes, const ExtractLimits& limits = {}) {
    const fs::path archive = directory_.path() / "archive";
    write_file_atomic(archive, bytes);
    extract_tar(open_file(archive, O_RDONLY).get(), target(), limits, "the context", logger_, {});
  }
  void extract(const std::vector<LayerEntry>& entries, const ExtractLimits& limits = {}) {
    extract_bytes(tar_of(entries), limits);
  }
  std::string refusal(const std::vector<LayerEntry>& entries, const ExtractLimits& limits = {}) {
    try {
      extract(entries, limits);
    } catch (const InvalidInput& e) {
      return e.what();
    }
    return "taken";
  }
  fs::path target() const { return directory_.path() / "in/side"; }
  /// Nothing but the archive and the target lies in the directory around it.
  void expect_nothing_outside() {
    EXPECT_THAT(names_in(directory_.path() / "in").front(), "side/");
    EXPECT_FALSE(fs::exists(directory_.path() / "in/escaped"));
    EXPECT_FALSE(fs::exists(directory_.path() / "escaped"));
    EXPECT_EQ(read_file(outside_), "untouched");
  }

  TempDir directory_{test_space(), "extract"};
  NullLogger logger_;
  fs::path outside_ = directory_.path() / "outside";

  TarExtract() {
    fs::create_directories(target());
    write_file_atomic(outside_, "untouched");
  }
};

TEST_F(TarExtract, WritesWhatIsInIt) {
  LayerEntry file = file_entry("d/file");
  file.mode = S_IFREG | 0751;
  file.mtime = 1234;
  LayerEntry directory = directory_entry("d", 0700);
  directory.mtime = 77;
  extract({directory, file, link_entry("link", "d/file"), hard_link_entry("same", "d/file")});
  EXPECT_THAT(names_in(target()), ElementsAre("d/", "d/file", "link", "same"));
  struct stat status {};
  ASSERT_EQ(::stat((target() / "d/file").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0751u);
  EXPECT_EQ(status.st_mtime, 1234);
  EXPECT_EQ(status.st_nlink, 2u);
  ASSERT_EQ(::stat((target() / "d").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700u);
  EXPECT_EQ(status.st_mtime, 77);
}

TEST_F(TarExtract, WhiteoutNamesAreOrdinaryFiles) {
  extract({file_entry(".wh.x"), file_entry(".wh..wh..opq")});
  EXPECT_THAT(names_in(target()), ElementsAre(".wh..wh..opq", ".wh.x"));
}

TEST_F(TarExtract, LaterEntriesReplaceEarlierOnes) {
  extract({file_entry("a"), directory_entry("a"), file_entry("a/b"), directory_entry("c"), file_entry("c")});
  EXPECT_THAT(names_in(target()), ElementsAre("a/", "a/b", "c"));
}

TEST_F(TarExtract, DirectoryWithoutRightsCanBeFilledAndRead) {
  extract({directory_entry("d", 0), file_entry("d/x")});
  EXPECT_THAT(names_in(target()), ElementsAre("d/", "d/x"));
}

TEST_F(TarExtract, NamesThatLeadOutAreRefused) {
  EXPECT_THAT(refusal({file_entry("../escaped")}), HasSubstr("leads out"));
  EXPECT_THAT(refusal({file_entry("a/../../escaped")}), HasSubstr("leads out"));
  EXPECT_THAT(refusal({file_entry("x"), hard_link_entry("y", "../../outside")}), HasSubstr("leads out"));
  expect_nothing_outside();
}

TEST_F(TarExtract, AbsoluteNamesAreTakenAsRelative) {
  extract({file_entry("/etc/x")});
  EXPECT_THAT(names_in(target()), ElementsAre("etc/", "etc/x"));
}

TEST_F(TarExtract, NothingIsWrittenThroughALinkThatLeadsOut) {
  extract({link_entry("out", directory_.path().native()), directory_entry(directory_.path().native()),
           file_entry("out/escaped")});
  expect_nothing_outside();
  const fs::path inside = target() / directory_.path().relative_path() / "escaped";
  EXPECT_TRUE(fs::exists(inside));  // the link means that place below the target
}

TEST_F(TarExtract, LinksWithDotsLeadNoFurtherThanTheRoot) {
  extract({link_entry("up", "../.."), file_entry("up/escaped")});
  expect_nothing_outside();
  EXPECT_TRUE(fs::exists(target() / "escaped"));
}

TEST_F(TarExtract, FileInThePlaceOfALinkDoesNotWriteThroughIt) {
  extract({link_entry("x", outside_.native()), file_entry("x")});
  expect_nothing_outside();
  EXPECT_FALSE(fs::is_symlink(target() / "x"));
}

TEST_F(TarExtract, HardLinkThroughALinkThatLeadsOutFindsNothing) {
  EXPECT_THAT(refusal({link_entry("out", directory_.path().native()), hard_link_entry("x", "out/outside")}),
              HasSubstr("entry \"x\""));
  EXPECT_FALSE(fs::exists(target() / "x"));
}

TEST_F(TarExtract, HardLinkToALinkIsTheLinkItself) {
  extract({link_entry("out", outside_.native()), hard_link_entry("x", "out")});
  EXPECT_TRUE(fs::is_symlink(target() / "x"));
}

TEST_F(TarExtract, DevicesAreLeftOut) {
  LayerEntry device = file_entry("null");
  device.mode = S_IFCHR | 0666;
  device.device = makedev(1, 3);
  device.size = 0;
  extract({device, file_entry("x")});
  EXPECT_THAT(names_in(target()), ElementsAre("x"));
}

TEST_F(TarExtract, LimitsAreTold) {
  EXPECT_THAT(refusal({file_entry("a"), file_entry("b")}, {.entries = 1}), HasSubstr("more than 1 entries"));
  EXPECT_THAT(refusal({file_entry("abc"), file_entry("def")}, {.bytes = 5}), HasSubstr("larger than 5B"));
}

TEST_F(TarExtract, AllCompressionsAreRead) {
  const fs::path tar = directory_.path() / "plain.tar";
  for (const char* program : {"gzip", "bzip2", "xz", "zstd"}) {
    if (!find_program(program)) continue;
    write_file_atomic(tar, tar_of({file_entry(program)}));
    const ProcessResult packed = run_process({.argv = {program, "-c", tar.native()}});
    ASSERT_TRUE(packed.ok()) << packed.err;
    EXPECT_TRUE(looks_like_archive(packed.out)) << program;
    extract_bytes(packed.out);
    EXPECT_TRUE(fs::exists(target() / program));
  }
}

TEST_F(TarExtract, WhatIsNoArchiveIsRefused) {
  EXPECT_THROW(extract_bytes("FROM scratch\n"), InvalidInput);
  std::string cut = tar_of({file_entry("a"), file_entry("b")});
  cut.resize(700);
  EXPECT_THROW(extract_bytes(cut), InvalidInput);
}

TEST(LooksLikeArchive, TellsTarsFromDockerfiles) {
  EXPECT_TRUE(looks_like_archive(tar_of({file_entry("Dockerfile")})));
  EXPECT_TRUE(looks_like_archive(std::string(1024, '\0')));
  EXPECT_FALSE(looks_like_archive(""));
  EXPECT_FALSE(looks_like_archive("FROM scratch\n"));
  EXPECT_FALSE(looks_like_archive(std::string(1024, '#')));
  EXPECT_FALSE(looks_like_archive("BZ is not h"));
}

}  // namespace
}  // namespace slipway::testing_support
