// What a step does must become the same layer whether its tree was an overlayfs mount or a copy.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <regex>

#include "base/error.h"
#include "base/strings.h"
#include "content/overlay_marks.h"
#include "content/store_fixture.h"
#include "content/tree_support.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using testing_support::describe_tree;
using testing_support::snapshot_with;
using testing_support::TreeMaker;
using testing_support::write_text;

constexpr std::int64_t kOld = 1000, kTouched = 2000, kNow = 5000;

struct Change {
  std::string name;
  std::function<void(const fs::path& root)> make;
};

void PrintTo(const Change& change, std::ostream* out) { *out << change.name; }

enum class Owners { Many, Root };

/// Two layers, the upper one with a deletion, an opaque directory and a changed file.
SnapshotId make_base(Store& store, Owners owners = Owners::Many) {
  const SnapshotId lower = snapshot_with(store, {}, [owners](TreeMaker& tree) {
    tree.file("etc/passwd", "root").file("etc/hosts", "old").file("usr/bin/tool", "#!", 0755);
    tree.file("usr/lib/a/b/c", "deep").file("usr/lib/a/hidden", "hidden");
    tree.file("dir/one", "1").file("dir/two", "2").file("dir/sub/three", "3");
    tree.file("attributes/file").xattr("attributes/file", "user.note", "old");
    tree.directory("attributes/dir").xattr("attributes/dir", "user.note", "old");
    tree.file("hard/a", "linked").hard_link("hard/b", "hard/a").link("link", "etc/hosts");
    tree.fifo("fifo").directory("empty", 0700).file("set-user-id", "", 04755).file("secret", "", 0);
    if (owners == Owners::Many)
      tree.owner("dir/one", 5, 6).owner("empty", 7, 8).owner("link", 9, 9).owner("set-user-id", 3, 3);
    tree.directory("usr/lib", 0555).directory("hard", 0500);
    ASSERT_EQ(::chmod(tree.at("set-user-id").c_str(), 04755), 0);
    tree.all_mtimes(kOld);
  });
  return snapshot_with(store, lower, [](TreeMaker& tree) {
    tree.whiteout("dir/two").file("dir/four", "4").file("etc/hosts", "new");
    tree.file("usr/lib/a/b/d", "shown").opaque("usr/lib/a");
    tree.all_mtimes(kOld);
  });
}

/// mv: what overlayfs does not rename is copied and removed.
void move(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) == 0) return;
  ASSERT_EQ(errno, EXDEV);
  ASSERT_EQ(std::system(concat("cp -a ", from.native(), " ", to.native()).c_str()), 0);
  fs::remove_all(from);
}

void touch(const fs::path& path, std::int64_t seconds) {
  const struct timespec times[2] = {{.tv_sec = seconds, .tv_nsec = 0}, {.tv_sec = seconds, .tv_nsec = 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW), 0) << path;
}

const std::vector<Change>& changes() {
  static const std::vector<Change> all = {
      {"nothing", [](const fs::path&) {}},
      {"new_file", [](const fs::path& root) { TreeMaker(root).file("etc/new", "new"); }},
      {"new_file_in_closed_directory", [](const fs::path& root) { write_text(root / "usr/lib/new", "new"); }},
      {"closed_file_written", [](const fs::path& root) { write_text(root / "secret", "new"); }},
      {"mode_of_closed_directory",
       [](const fs::path& root) { fs::permissions(root / "usr/lib", fs::perms(0711)); }},
      {"new_file_in_root", [](const fs::path& root) { write_text(root / "new", "new"); }},
      {"new_directories",
       [](const fs::path& root) {
         TreeMaker(root).file("new/a/b", "x").directory("new/a/c", 01777).link("new/l", "/etc").fifo("new/f");
       }},
      {"new_owner_and_device",
       [](const fs::path& root) {
         TreeMaker(root).file("etc/theirs").owner("etc/theirs", 1000, 2000);
         ASSERT_EQ(::mknod((root / "etc/null").c_str(), S_IFCHR | 0666, makedev(1, 3)), 0);
       }},
      {"new_hard_links_and_set_user_id",
       [](const fs::path& root) {
         TreeMaker(root).file("n/a", "a", 04711).hard_link("n/b", "n/a").hard_link("etc/c", "n/a");
       }},
      {"sparse_file",
       [](const fs::path& root) {
         write_text(root / "sparse", "x");
         fs::resize_file(root / "sparse", 1 << 20);
       }},
      {"appended",
       [](const fs::path& root) {
         write_all(open_file(root / "etc/passwd", O_WRONLY | O_APPEND).get(), "x", "");
       }},
      {"same_size_same_time",
       [](const fs::path& root) {
         write_text(root / "etc/passwd", "evil");
         touch(root / "etc/passwd", kOld);
       }},
      {"replaced_by_rename_with_same_content",
       [](const fs::path& root) {
         write_text(root / "etc/passwd.new", "root");
         touch(root / "etc/passwd.new", kOld);
         fs::rename(root / "etc/passwd.new", root / "etc/passwd");
         touch(root / "etc", kOld);
       }},
      {"time_only", [](const fs::path& root) { touch(root / "usr/bin/tool", kTouched); }},
      {"time_of_link", [](const fs::path& root) { touch(root / "link", kTouched); }},
      {"time_of_directory", [](const fs::path& root) { touch(root / "dir/sub", kTouched); }},
      {"mode_only", [](const fs::path& root) { fs::permissions(root / "dir/one", fs::perms(0600)); }},
      {"mode_of_directory", [](const fs::path& root) { fs::permissions(root / "dir", fs::perms(0711)); }},
      {"owner_only", [](const fs::path& root) { TreeMaker(root).owner("dir/four", 33, 44); }},
      {"owner_of_directory", [](const fs::path& root) { TreeMaker(root).owner("dir/sub", 33, 44); }},
      {"owner_of_link", [](const fs::path& root) { TreeMaker(root).owner("link", 33, 44); }},
      {"attribute_of_file",
       [](const fs::path& root) { TreeMaker(root).xattr("attributes/file", "user.note", "new"); }},
      {"attribute_of_directory",
       [](const fs::path& root) { TreeMaker(root).xattr("attributes/dir", "user.note", "new"); }},
      {"file_removed", [](const fs::path& root) { fs::remove(root / "dir/one"); }},
      {"file_of_upper_layer_removed", [](const fs::path& root) { fs::remove(root / "etc/hosts"); }},
      {"directory_removed", [](const fs::path& root) { fs::remove_all(root / "dir"); }},
      {"all_removed",
       [](const fs::path& root) {
         for (const auto& entry : fs::directory_iterator(root)) fs::remove_all(entry.path());
       }},
      {"directory_removed_and_made_again",
       [](const fs::path& root) {
         fs::remove_all(root / "dir");
         TreeMaker(root).file("dir/one", "another").directory("dir/sub");
       }},
      {"empty_directory_made_again",
       [](const fs::path& root) {
         fs::remove(root / "empty");
         TreeMaker(root).directory("empty", 0700).owner("empty", 7, 8).mtime("empty", kOld);
       }},
      {"opaque_in_opaque",
       [](const fs::path& root) {
         fs::remove_all(root / "usr/lib/a/b");
         TreeMaker(root).file("usr/lib/a/b/e");
         fs::remove_all(root / "usr/lib/a");
         TreeMaker(root).file("usr/lib/a/b/f");
       }},
      {"nested_directory_made_again",
       [](const fs::path& root) {
         fs::remove_all(root / "usr/lib/a/b");
         TreeMaker(root).file("usr/lib/a/b/e");
       }},
      {"deleted_name_comes_back", [](const fs::path& root) { write_text(root / "dir/two", "again"); }},
      {"file_to_directory",
       [](const fs::path& root) {
         fs::remove(root / "dir/one");
         TreeMaker(root).file("dir/one/inner");
       }},
      {"directory_to_file",
       [](const fs::path& root) {
         fs::remove_all(root / "dir");
         write_text(root / "dir", "file");
       }},
      {"directory_to_link",
       [](const fs::path& root) {
         move(root / "dir", root / "moved");
         fs::create_symlink("moved", root / "dir");
       }},
      {"link_to_directory",
       [](const fs::path& root) {
         fs::remove(root / "link");
         TreeMaker(root).file("link/inner");
       }},
      {"link_changed",
       [](const fs::path& root) {
         fs::remove(root / "link");
         fs::create_symlink("etc/other", root / "link");
       }},
      {"hard_link_added", [](const fs::path& root) { TreeMaker(root).hard_link("etc/same", "etc/passwd"); }},
      {"hard_link_removed", [](const fs::path& root) { fs::remove(root / "hard/a"); }},
      {"file_moved", [](const fs::path& root) { fs::rename(root / "etc/passwd", root / "etc/passwd-"); }},
      {"file_over_file", [](const fs::path& root) { fs::rename(root / "etc/passwd", root / "etc/hosts"); }},
      {"directory_moved", [](const fs::path& root) { move(root / "usr", root / "opt"); }},
      {"directory_moved_over_another",
       [](const fs::path& root) {
         fs::remove_all(root / "dir");
         move(root / "usr", root / "dir");
       }},
      {"directories_exchanged",
       [](const fs::path& root) {
         move(root / "dir", root / "other");
         move(root / "usr", root / "dir");
         move(root / "other", root / "usr");
       }},
      {"came_and_went",
       [](const fs::path& root) {
         TreeMaker(root).file("etc/temporary");
         fs::remove(root / "etc/temporary");
       }},
  };
  return all;
}

class Modes {
 public:
  explicit Modes(const fs::path& root)
      : overlay_(Store::open(root / "overlay", logger_)),
        copies_(Store::open(root / "copies", logger_, TreeMode::Copies)) {}
  Store& overlay() { return *overlay_; }
  Store& copies() { return *copies_; }
  void reopen_copies() {
    const fs::path root = copies_->root();
    copies_.reset();
    copies_ = Store::open(root, logger_, TreeMode::Copies);
  }

 private:
  NullLogger logger_;
  std::unique_ptr<Store> overlay_, copies_;
};

SnapshotId step(Store& store, SnapshotId parent, const Change& change) {
  ActiveSnapshot active = store.snapshots().prepare(parent);
  change.make(active.root());
  return store.snapshots().commit(std::move(active), 1000);
}

/// Names of the layer, in its own format; times after all that the test sets are as good as one another.
std::string layer_digest(Store& store, SnapshotId id) {
  return layer_of(store, id, {.compression = Compression::None, .clamp_mtime = kNow}, {}).diff_id.str();
}

/// What a step sees. Times of "now" differ from run to run.
std::vector<std::string> shown(Store& store, SnapshotId id) {
  std::vector<std::string> lines = describe_tree(store.snapshots().view(id).path());
  for (std::string& line : lines) {
    line = std::regex_replace(line, std::regex("@[0-9]{6,}"), "@now");
    // A plain directory may be the snapshot's own, or share its files with it.
    if (line.ends_with(" opaque")) line.resize(line.size() - 7);
    const std::string itself = " is " + line.substr(0, line.find(' '));
    if (line.ends_with(itself)) line.resize(line.size() - itself.size());
  }
  return lines;
}

class TreeModesTest : public testing::Test {
 protected:
  void SetUp() override {
    SLIPWAY_NEEDS_MOUNTS();
    SLIPWAY_NEEDS_CHOWN();
    SLIPWAY_NEEDS_XATTR("user.note");
    SLIPWAY_NEEDS_XATTR(opaque_attribute());
  }
  TempDir directory_{testing_support::test_space(), "modes"};
};

class TreeModes : public TreeModesTest, public testing::WithParamInterface<Change> {};

TEST_P(TreeModes, GiveTheSameLayerAndTree) {
  Modes modes(directory_.path());
  const SnapshotId in_overlay = step(modes.overlay(), make_base(modes.overlay()), GetParam());
  const SnapshotId in_copies = step(modes.copies(), make_base(modes.copies()), GetParam());

  EXPECT_EQ(testing_support::names_in(modes.copies().snapshots().diff_directory(in_copies)),
            testing_support::names_in(modes.overlay().snapshots().diff_directory(in_overlay)));
  EXPECT_EQ(layer_digest(modes.copies(), in_copies), layer_digest(modes.overlay(), in_overlay));
  const std::vector<std::string> overlay_tree = shown(modes.overlay(), in_overlay);
  EXPECT_EQ(shown(modes.copies(), in_copies), overlay_tree) << "the tree that was kept";
  modes.reopen_copies();
  EXPECT_EQ(shown(modes.copies(), in_copies), overlay_tree) << "the tree put together again";
}

INSTANTIATE_TEST_SUITE_P(Each, TreeModes, testing::ValuesIn(changes()),
                         [](const auto& row) { return row.param.name; });

/// Takes all rights from the calling thread, and gives them back. Other threads keep theirs.
class AsNobody {
 public:
  AsNobody() {
    must(::syscall(SYS_setgroups, 0, nullptr));
    must(::syscall(SYS_setresgid, -1, kNobody, -1));
    must(::syscall(SYS_setresuid, -1, kNobody, -1));
  }
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;
  ~AsNobody() {
    ::syscall(SYS_setresuid, -1, 0, -1);
    ::syscall(SYS_setresgid, -1, 0, -1);
  }
  static constexpr unsigned kNobody = 65534;

 private:
  static void must(long result) {
    if (result != 0) throw SystemError(errno, "change ids");
  }
};

bool needs_owners(const Change& change) {
  return change.name.find("owner") != std::string::npos || change.name == "empty_directory_made_again";
}

class UnprivilegedCopies : public TreeModesTest, public testing::WithParamInterface<Change> {
 protected:
  void SetUp() override {
    TreeModesTest::SetUp();
    if (::geteuid() != 0) GTEST_SKIP() << "needs root to compare with";
    ASSERT_EQ(::chown(directory_.path().c_str(), AsNobody::kNobody, AsNobody::kNobody), 0);
  }
};

TEST_P(UnprivilegedCopies, GiveTheLayerThatRootGives) {
  NullLogger logger;
  const auto layers = [&](TreeMode mode, const char* name) {
    const auto store = Store::open(directory_.path() / name, logger, mode);
    const SnapshotId base = make_base(*store, Owners::Root);
    const SnapshotId changed = step(*store, base, GetParam());
    const SnapshotId next = step(*store, changed, changes().at(1));
    return std::vector{layer_digest(*store, base), layer_digest(*store, changed), layer_digest(*store, next)};
  };
  const std::vector<std::string> expected = layers(TreeMode::Overlay, "overlay");
  const AsNobody nobody;
  EXPECT_EQ(layers(TreeMode::Copies, "copies"), expected);
}

std::vector<Change> changes_without_owners() {
  std::vector<Change> chosen;
  std::ranges::remove_copy_if(changes(), std::back_inserter(chosen), needs_owners);
  return chosen;
}

INSTANTIATE_TEST_SUITE_P(Each, UnprivilegedCopies, testing::ValuesIn(changes_without_owners()),
                         [](const auto& row) { return row.param.name; });

class TreeModeChains : public TreeModesTest {};

TEST_F(TreeModeChains, AreTheSameWhetherTreesAreTakenOverOrCopied) {
  Modes modes(directory_.path());
  SnapshotId overlay = make_base(modes.overlay()), kept = make_base(modes.copies()), copied = kept;
  const auto follow = [&](const Change& change) {
    overlay = step(modes.overlay(), overlay, change);
    kept = step(modes.copies(), kept, change);
    EXPECT_EQ(layer_digest(modes.copies(), kept), layer_digest(modes.overlay(), overlay)) << change.name;
  };
  const std::vector<std::string> names = {"new_directories",
                                          "appended",
                                          "directory_removed_and_made_again",
                                          "file_moved",
                                          "attribute_of_file",
                                          "time_of_directory",
                                          "nested_directory_made_again",
                                          "directory_moved",
                                          "hard_link_removed",
                                          "all_removed",
                                          "new_file_in_root"};
  std::vector<std::string> of_kept;
  for (const std::string& name : names) {
    follow(*std::ranges::find(changes(), name, &Change::name));
    of_kept.push_back(layer_digest(modes.copies(), kept));
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    modes.reopen_copies();
    copied = step(modes.copies(), copied, *std::ranges::find(changes(), names[i], &Change::name));
    EXPECT_EQ(layer_digest(modes.copies(), copied), of_kept[i]) << names[i];
  }
  EXPECT_EQ(shown(modes.copies(), kept), shown(modes.overlay(), overlay));
}

class UnprivilegedStore : public UnprivilegedCopies {};

class Warnings final : public Logger {
 public:
  void log(LogLevel level, std::string_view text) noexcept override {
    if (level == LogLevel::Warning) lines.emplace_back(text);
  }
  std::vector<std::string> lines;
};

TEST_P(UnprivilegedStore, UnpacksALayerAsRootsAndSaysWhatIsLost) {
  using testing_support::file_entry;
  LayerEntry theirs = file_entry("theirs"), device = file_entry("null");
  theirs.uid = 1000;
  theirs.mode = S_IFREG | 04711;
  device.mode = S_IFCHR | 0666;
  device.device = makedev(1, 3);
  device.size = 0;
  const std::string tar = testing_support::tar_of({theirs, device, file_entry("ours")});
  const AsNobody nobody;
  Warnings warnings;
  const auto store = Store::open(directory_.path() / "store", warnings, TreeMode::Copies);
  const SnapshotId id = unpack_layer(*store, {}, testing_support::layer_with(*store, tar, tar), {});

  EXPECT_THAT(warnings.lines, testing::UnorderedElementsAre(testing::HasSubstr("become root's (/theirs)"),
                                                            testing::HasSubstr("left out (/null)")));
  EXPECT_THAT(testing_support::names_in(store->snapshots().view(id).path()),
              testing::ElementsAre("ours", "theirs"));
  EXPECT_EQ(fs::status(store->snapshots().view(id).path() / "theirs").permissions(), fs::perms(04711));
}

TEST_P(UnprivilegedStore, IsNotTheStoreOfRoot) {
  NullLogger logger;
  Store::open(directory_.path() / "store", logger);
  fs::permissions(directory_.path() / "store", fs::perms(0777));
  for (const auto& entry : fs::recursive_directory_iterator(directory_.path() / "store"))
    ASSERT_EQ(::lchown(entry.path().c_str(), AsNobody::kNobody, AsNobody::kNobody), 0);
  const AsNobody nobody;
  EXPECT_THROW(Store::open(directory_.path() / "store", logger, TreeMode::Copies), HostError);
}

INSTANTIATE_TEST_SUITE_P(Once, UnprivilegedStore, testing::Values(changes().front()),
                         [](const auto& row) { return row.param.name; });

/// A container's own root is one; nothing can be mounted above it, and it takes no whiteouts.
class StoreOnAnOverlay : public TreeModesTest, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    TreeModesTest::SetUp();
    for (const char* name : {"lower", "upper", "work", "root"})
      fs::create_directory(directory_.path() / name);
    const std::string at = directory_.path().native();
    const std::string options =
        concat("lowerdir=", at, "/lower,upperdir=", at, "/upper,workdir=", at, "/work", GetParam());
    if (::mount("overlay", (at + "/root").c_str(), "overlay", 0, options.c_str()) != 0)
      GTEST_SKIP() << "cannot mount overlayfs here";
    mounted_ = true;
    fs::permissions(directory_.path(), fs::perms(0755));
    ASSERT_EQ(::chown((at + "/root").c_str(), AsNobody::kNobody, AsNobody::kNobody), 0);
  }
  void TearDown() override {
    if (mounted_) ::umount2((directory_.path() / "root").c_str(), MNT_DETACH);
  }
  bool mounted_ = false;
};

TEST_P(StoreOnAnOverlay, KeepsDeletions) {
  NullLogger logger;
  const auto layers = [&](const fs::path& place, TreeMode mode) {
    const auto store = Store::open(place, logger, mode);
    SnapshotId at = make_base(*store, Owners::Root);
    std::vector<std::string> digests;
    for (const char* name : {"file_removed", "nested_directory_made_again",
                             "directory_removed_and_made_again", "directory_removed", "new_file"}) {
      at = step(*store, at, *std::ranges::find(changes(), name, &Change::name));
      digests.push_back(layer_digest(*store, at));
    }
    return digests;
  };
  const std::vector<std::string> expected = layers(directory_.path() / "overlay", TreeMode::Overlay);
  EXPECT_EQ(layers(directory_.path() / "root/of-root", TreeMode::Copies), expected);
  if (::geteuid() != 0) return;
  const AsNobody nobody;
  EXPECT_EQ(layers(directory_.path() / "root/of-nobody", TreeMode::Copies), expected);
}

INSTANTIATE_TEST_SUITE_P(Each, StoreOnAnOverlay, testing::Values("", ",userxattr"));

}  // namespace
}  // namespace slipway
