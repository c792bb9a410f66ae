// ADD of archives: what docker's rules say becomes of their entries.
#include "content/archive_unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <gmock/gmock.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "content/layer_tar.h"
#include "content/mount_environment.h"
#include "content/tree.h"
#include "content/tree_support.h"

namespace slipway::testing_support {
namespace {

using namespace std::string_view_literals;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ArchiveUnpack : public testing::Test {
 protected:
  void SetUp() override {
    from_.directory("");
    to_.directory("");
  }
  void add(const std::string& src, CopyOptions options) {
    options.attempt_unpack = true;
    const RootedDir source(from_.at("")), target(to_.at(""));
    copy_selection({.tree = &source, .src = src}, target, options, {});
  }
  void add_entries(const std::vector<LayerEntry>& entries, CopyOptions options = {.dest = "/r/"}) {
    from_.file("a.tar", tar_of(entries));
    add("/a.tar", std::move(options));
  }
  std::string refusal(const std::vector<LayerEntry>& entries) {
    try {
      add_entries(entries);
    } catch (const InvalidInput& error) {
      return error.what();
    }
    return "unpacked";
  }
  struct stat status(const std::string& path) {
    struct stat found {};
    EXPECT_EQ(::lstat(to_.at(path).c_str(), &found), 0) << path;
    return found;
  }
  std::vector<std::string> names() { return names_in(to_.at("")); }
  static LayerEntry owned(LayerEntry entry, unsigned uid, unsigned gid, unsigned mode = 0644) {
    entry.uid = uid;
    entry.gid = gid;
    entry.mode = (entry.mode & S_IFMT) | mode;
    return entry;
  }

  TempDir directory_{test_space(), "archive"};
  TreeMaker from_{directory_.path() / "from"}, to_{directory_.path() / "to"};
};

TEST_F(ArchiveUnpack, EntriesKeepWhatTheArchiveSays) {
  SLIPWAY_NEEDS_CHOWN();
  add_entries({owned(directory_entry("d"), 3, 4, 0751),
               owned(file_entry("d/f"), 5, 6, 04750),
               owned(link_entry("d/l", "f"), 8, 9),
               {.name = "p", .mode = S_IFIFO | 0600, .mtime = 1000, .link = {}, .same_as = {}, .xattrs = {}}},
              {.dest = "/new/r", .mode = 0777});
  EXPECT_THAT(names(), ElementsAre("new/", "new/r/", "new/r/d/", "new/r/d/f", "new/r/d/l", "new/r/p"));
  EXPECT_EQ(status("new").st_mode, S_IFDIR | 0755U) << "--chmod is not for archives";
  EXPECT_EQ(status("new/r/d").st_mode, S_IFDIR | 0751U);
  EXPECT_EQ(status("new/r/d").st_mtime, 1000);
  EXPECT_EQ(status("new/r/d/f").st_mode, S_IFREG | 04750U);
  EXPECT_EQ(status("new/r/d/f").st_uid, 5U);
  EXPECT_EQ(status("new/r/d/f").st_mtime, 1000);
  EXPECT_EQ(status("new/r/d/l").st_gid, 9U);
}

TEST_F(ArchiveUnpack, OwnerThatWasAskedForIsEveryEntrysButNotOfUnnamedDirectories) {
  SLIPWAY_NEEDS_CHOWN();
  add_entries({owned(file_entry("imp/licit/f"), 7, 7), owned(directory_entry("d"), 7, 7, 0700)},
              {.dest = "/new/r", .uid = 11, .gid = 12});
  for (const char* path : {"new", "new/r", "new/r/d", "new/r/imp/licit/f"})
    EXPECT_EQ(status(path).st_uid, 11U) << path;
  EXPECT_EQ(status("new/r/imp/licit").st_uid, ::geteuid());
  EXPECT_EQ(status("new/r/imp/licit").st_mode, S_IFDIR | 0755U);
}

TEST_F(ArchiveUnpack, ArchiveOfAContextKeepsItsOwnersThoughTheContextsFilesAreRoots) {
  SLIPWAY_NEEDS_CHOWN();
  from_.file("text").owner("text", 3, 3);
  from_.file("a.tar", tar_of({owned(file_entry("f"), 7, 8)}));
  add("/*", {.dest = "/r/", .source_is_roots = true});
  EXPECT_EQ(status("r/text").st_uid, 0U);
  EXPECT_EQ(status("r/f").st_uid, 7U);
}

TEST_F(ArchiveUnpack, DestinationStaysWhatItIs) {
  to_.directory("r", 0700);
  LayerEntry root = directory_entry("./", 0777);
  add_entries({root, file_entry("f")});
  EXPECT_EQ(status("r").st_mode, S_IFDIR | 0700U);
}

TEST_F(ArchiveUnpack, EntryReplacesWhatIsThereAndDirectoriesMerge) {
  to_.file("r/dir/stays")
      .file("r/was-dir/gone")
      .file("r/was-file")
      .directory("r/real")
      .link("r/link", "real");
  add_entries({directory_entry("dir", 0711), file_entry("was-dir"), directory_entry("was-file"),
               directory_entry("link"), file_entry("link/f")});
  EXPECT_THAT(names(), ElementsAre("r/", "r/dir/", "r/dir/stays", "r/link/", "r/link/f", "r/real/",
                                   "r/was-dir", "r/was-file/"));
  EXPECT_EQ(status("r/dir").st_mode, S_IFDIR | 0711U);
}

TEST_F(ArchiveUnpack, LinksOfTheDestinationAreFollowedWithinIt) {
  to_.directory("r/d2").link("r/rel", "d2").link("r/abs", "/d2").directory("d2").link("in", "r");
  add_entries({file_entry("rel/a"), file_entry("abs/b")}, {.dest = "/in"});
  EXPECT_THAT(names(), ElementsAre("d2/", "in", "r/", "r/abs", "r/d2/", "r/d2/a", "r/d2/b", "r/rel"));
}

TEST_F(ArchiveUnpack, NothingLeavesTheDestination) {
  to_.file("etc/passwd", "old").directory("r/etc");
  add_entries({file_entry("../up"), file_entry("/abs"), file_entry("a/../../b"), link_entry("x", "/etc"),
               link_entry("y", "../../etc"), file_entry("x/passwd"), file_entry("y/group"),
               hard_link_entry("h", "../../up")});
  EXPECT_THAT(names(), ElementsAre("etc/", "etc/passwd", "r/", "r/abs", "r/b", "r/etc/", "r/etc/group",
                                   "r/etc/passwd", "r/h", "r/up", "r/x", "r/y"));
  EXPECT_EQ(read_file(to_.at("etc/passwd")), "old");
}

TEST_F(ArchiveUnpack, NothingIsMadeThroughALinkThatLeadsNowhere) {
  EXPECT_THAT(refusal({link_entry("x", "/nowhere"), file_entry("x/f")}), HasSubstr("entry \"x/f\""));
}

TEST_F(ArchiveUnpack, HardLinkTakesTheLastEntrysMetadata) {
  add_entries({file_entry("a"), link_entry("l", "a"),
               owned(hard_link_entry("b", "a"), ::geteuid(), ::getegid(), 0611), hard_link_entry("m", "l")});
  EXPECT_EQ(status("r/a").st_ino, status("r/b").st_ino);
  EXPECT_EQ(status("r/a").st_mode, S_IFREG | 0611U);
  EXPECT_EQ(status("r/m").st_ino, status("r/l").st_ino);
}

TEST_F(ArchiveUnpack, EntriesThatMakeNoSenseAreNamed) {
  EXPECT_THAT(refusal({hard_link_entry("h", "nowhere")}),
              HasSubstr("entry \"h\": a hard link to \"nowhere\""));
  EXPECT_THAT(refusal({directory_entry("d"), hard_link_entry("h", "d")}), HasSubstr("directory \"d\""));
  EXPECT_THAT(refusal({file_entry("f"), file_entry("f/x")}), HasSubstr("entry \"f/x\""));
  EXPECT_THAT(refusal({file_entry("d/.wh.gone")}), HasSubstr("entry \"d/.wh.gone\": in an image's layer"));
  EXPECT_THAT(refusal({file_entry(".wh..wh..opq")}), HasSubstr(".wh..wh..opq"));
  LayerEntry device{.name = "dev", .mode = S_IFCHR | 0600, .link = {}, .same_as = {}, .xattrs = {}};
  EXPECT_THAT(refusal({device}), HasSubstr("0/0"));
}

TEST_F(ArchiveUnpack, FileOverADestinationThatIsAFileIsRefused) {
  to_.file("r");
  EXPECT_NE(refusal({file_entry("f")}), "unpacked");
}

TEST_F(ArchiveUnpack, OverlaysOwnAttributesAreNotTaken) {
  LayerEntry file = file_entry("f"), directory = directory_entry("d");
  file.xattrs = directory.xattrs = {{"trusted.overlay.opaque", "y"}, {"user.overlay.opaque", "y"}};
  add_entries({file, directory});
  for (const std::string& line : describe_tree(to_.at("r")))
    EXPECT_THAT(line, testing::Not(HasSubstr("opaque")));
}

TEST_F(ArchiveUnpack, FileThatIsNoArchiveIsCopied) {
  const std::string tar = tar_of({file_entry("f")});
  std::string bad_sum = tar;
  bad_sum[0] = 'g';
  from_.file("text", "hi").file("empty", "").file("zeros", std::string(10240, '\0')).file("bad", bad_sum);
  from_.file("zip", "PK\3\4" + std::string(600, '\0')).file("half-header", tar.substr(0, 300));
  from_.directory("dir.tar");
  for (const char* name : {"text", "empty", "zeros", "bad", "zip", "half-header"}) {
    add(concat("/", name), {.dest = "/x/", .mode = 0600});
    EXPECT_EQ(read_file(to_.at(concat("x/", name))), read_file(from_.at(name))) << name;
    EXPECT_EQ(status(concat("x/", name)).st_mode & 07777, 0600U);
  }
  add("/dir.tar", {.dest = "/y"});
  EXPECT_THAT(names(), Contains("y/"));
}

TEST_F(ArchiveUnpack, LinkToAnArchiveAndOneWithoutASuffixAreUnpacked) {
  from_.file("plain", tar_of({file_entry("f")})).link("link", "plain");
  add("/plain", {.dest = "/a"});
  add("/link", {.dest = "/b"});
  EXPECT_THAT(names(), ElementsAre("a/", "a/f", "b/", "b/f"));
}

TEST_F(ArchiveUnpack, ArchivesAndFilesOfOneWildcard) {
  from_.file("a.tar", tar_of({file_entry("in-a")})).file("a.txt");
  add("/a.*", {.dest = "/x/"});
  EXPECT_THAT(names(), ElementsAre("x/", "x/a.txt", "x/in-a"));
}

TEST_F(ArchiveUnpack, ArchiveThatIsCutOffIsRefusedWithThePlace) {
  std::string tar = tar_of({directory_entry("d"), file_entry("d/first"), file_entry("d/second")});
  from_.file("cut.tar", tar.substr(0, 512 + 512 + 512 + 512 + 3));
  try {
    add("/cut.tar", {.dest = "/r"});
    FAIL();
  } catch (const InvalidInput& error) {
    EXPECT_THAT(error.what(), HasSubstr("/cut.tar"));
    EXPECT_THAT(error.what(), HasSubstr("d/second"));
  }
}

/// `bytes` as a program of this filter would have compressed them.
std::string compressed(const std::string& bytes, int filter) {
  std::string out(bytes.size() + 100'000, '\0');
  std::size_t used = 0;
  archive* writer = archive_write_new();
  archive_write_set_format_raw(writer);
  archive_write_add_filter(writer, filter);
  archive_write_set_bytes_in_last_block(writer, 1);
  EXPECT_EQ(archive_write_open_memory(writer, out.data(), out.size(), &used), ARCHIVE_OK);
  archive_entry* entry = archive_entry_new();
  archive_entry_set_filetype(entry, AE_IFREG);
  archive_write_header(writer, entry);
  archive_write_data(writer, bytes.data(), bytes.size());
  archive_entry_free(entry);
  archive_write_free(writer);
  out.resize(used);
  return out;
}

class CompressedArchive : public ArchiveUnpack, public testing::WithParamInterface<int> {};

TEST_P(CompressedArchive, IsUnpackedWhateverItsName) {
  from_.file("x.txt", compressed(tar_of({directory_entry("d"), file_entry("d/f")}), GetParam()));
  add("/x.txt", {.dest = "/r"});
  EXPECT_THAT(names(), ElementsAre("r/", "r/d/", "r/d/f"));
}

TEST_P(CompressedArchive, CompressedFileThatIsNoArchiveIsCopied) {
  from_.file("x.gz", compressed(std::string(2000, 'x'), GetParam())).file("twice", "");
  from_.file("twice", compressed(compressed(tar_of({file_entry("f")}), GetParam()), GetParam()));
  add("/x.gz", {.dest = "/r"});
  add("/twice", {.dest = "/s"});
  EXPECT_THAT(names(), ElementsAre("r", "s"));
}

TEST_P(CompressedArchive, ThatIsTooDamagedToTellIsToldByItsName) {
  const std::string cut = compressed(tar_of({file_entry("f")}), GetParam()).substr(0, 60);
  from_.file("x.tar.z", cut).file("x.z", cut);
  add("/x.z", {.dest = "/copied"});
  EXPECT_EQ(read_file(to_.at("copied")), cut);
  EXPECT_THROW(add("/x.tar.z", {.dest = "/r"}), InvalidInput);
}

TEST_P(CompressedArchive, ThatIsCutOffIsRefusedWithThePlace) {
  std::vector<LayerEntry> entries;
  for (int i = 0; i < 3000; ++i) entries.push_back(file_entry(concat("file", i * 7919 % 3001)));
  const std::string whole = compressed(tar_of(entries), GetParam());
  from_.file("cut", whole.substr(0, whole.size() - 9));
  try {
    add("/cut", {.dest = "/r"});
    FAIL();
  } catch (const InvalidInput& error) {
    EXPECT_THAT(error.what(), HasSubstr("the archive /cut"));
  }
}

INSTANTIATE_TEST_SUITE_P(Filters, CompressedArchive,
                         testing::Values(ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_BZIP2, ARCHIVE_FILTER_XZ,
                                         ARCHIVE_FILTER_ZSTD));

TEST_F(ArchiveUnpack, HolesOfASparseEntryTakeNoRoom) {
  // GNU's format, one piece of four bytes at the end.
  LayerEntry file = file_entry("big");
  std::string tar = tar_of({file});
  const auto put = [&tar](std::size_t at, std::string_view text) { tar.replace(at, text.size(), text); };
  put(156, "S");
  put(257, "ustar  ");
  put(264, std::string(512 - 264, '\0'));
  put(124, "00000000003");      // the bytes that are in the archive
  put(386, "20000000000\0"sv);  // offset 2 GiB in octal
  put(398, "00000000003\0"sv);
  put(483, "20000000003\0"sv);  // its real size
  put(148, "        ");
  unsigned sum = 0;
  for (std::size_t i = 0; i < 512; ++i) sum += static_cast<unsigned char>(tar[i]);
  char text[8];
  std::snprintf(text, sizeof text, "%06o", sum);
  put(148, std::string_view(text, 7));
  from_.file("a.tar", tar);
  add("/a.tar", {.dest = "/r"});
  EXPECT_EQ(status("r/big").st_size, (std::int64_t{2} << 30) + 3);
  EXPECT_LT(status("r/big").st_blocks, 1000);
}

}  // namespace
}  // namespace slipway::testing_support
