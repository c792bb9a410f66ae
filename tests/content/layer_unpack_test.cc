// What a layer becomes on disk, and that packing and unpacking undo each other.
#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "base/subprocess.h"
#include "content/layers.h"
#include "content/lower_view.h"
#include "content/store_fixture.h"
#include "content/tree_support.h"

namespace slipway::testing_support {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

class LayerUnpack : public StoreTest {
 protected:
  SnapshotId unpack(const std::vector<LayerEntry>& entries, const std::optional<SnapshotId>& parent = {}) {
    const std::string tar = tar_of(entries);
    return unpack_layer(*store_, parent, layer_with(*store_, tar, tar), {});
  }
  std::filesystem::path changes(SnapshotId id) { return store_->snapshots().diff_directory(id); }
  std::vector<std::string> names(SnapshotId id) { return names_in(changes(id)); }
  std::vector<std::string> described(SnapshotId id) { return describe_tree(changes(id)); }
  struct stat status(SnapshotId id, const std::string& path) {
    struct stat found {};
    EXPECT_EQ(::lstat((changes(id) / path).c_str(), &found), 0) << path;
    return found;
  }
  /// Packs in one store, unpacks in another, and compares what each snapshot changed.
  void expect_round_trip(const std::vector<std::function<void(TreeMaker&)>>& makers,
                         const LayerOptions& options) {
    const std::unique_ptr<Store> other = Store::open(directory_.path() / "other", logger_);
    std::optional<SnapshotId> mine, theirs;
    for (const auto& make : makers) {
      mine = snapshot_with(*store_, mine, make);
      const Layer layer = layer_of(*store_, *mine, options, {});
      other->blobs().put(store_->blobs().read(layer.descriptor.digest));
      theirs = unpack_layer(*other, theirs, layer, {});
      EXPECT_EQ(describe_tree(other->snapshots().diff_directory(*theirs)), described(*mine));
    }
  }

  std::unique_ptr<Store> store_ = open();
};

void make_base(TreeMaker& tree) {
  tree.file("etc/passwd", "root")
      .file("usr/bin/tool", "elf", 0755)
      .link("bin", "usr/bin")
      .file("gone/a")
      .file("gone/b");
  tree.hard_link("usr/bin/alias", "usr/bin/tool")
      .fifo("pipe", 0640)
      .directory("tmp", 01777)
      .file("over/x")
      .file("etc/group");
  tree.file("usr/bin/su", "su", 04755)
      .file("\xc3\xa9/e\xcc\x81/\xe9", "names")
      .file(std::string(200, 'l') + "/" + std::string(200, 'm'));
  tree.all_mtimes(12345);
}

void make_change(TreeMaker& tree) {
  tree.whiteout("gone")
      .whiteout("etc/group")
      .file("etc/passwd", "more")
      .opaque("over")
      .file("over/y")
      .directory("new", 0700);
  tree.all_mtimes(23456).mtime("gone", 0).mtime("etc/group", 0);
}

class RoundTrip : public LayerUnpack, public testing::WithParamInterface<Compression> {};
TEST_P(RoundTrip, GivesTheSameTree) {
  SLIPWAY_NEEDS_CHOWN();
  SLIPWAY_NEEDS_XATTR(opaque_attribute());
  const auto owned = [](TreeMaker& tree) {
    make_base(tree);
    tree.owner("etc/passwd", 1000, 2000).owner("bin", 3, 4).all_mtimes(12345);
  };
  expect_round_trip({owned,
                     [](TreeMaker& tree) {
                       tree.opaque("over")
                           .file("over/y")
                           .directory("new", 0700)
                           .file("etc/passwd", "more")
                           .all_mtimes(23456);
                     }},
                    {.compression = GetParam()});
}
INSTANTIATE_TEST_SUITE_P(Each, RoundTrip,
                         testing::Values(Compression::None, Compression::Gzip, Compression::Zstd),
                         [](const auto& row) { return LayerOptions{.compression = row.param}.key(); });

TEST_F(LayerUnpack, DeletionsComeBackAsOverlayfsKeepsThem) {
  SLIPWAY_NEEDS_XATTR(opaque_attribute());
  const SnapshotId base = snapshot_with(*store_, {}, make_base);
  const SnapshotId change = snapshot_with(*store_, base, make_change);
  const Layer layer = layer_of(*store_, change, {}, {});
  const SnapshotId again = unpack_layer(*store_, base, layer, {});
  EXPECT_EQ(names(again), names(change));
  EXPECT_THAT(described(again), Contains(HasSubstr("over 040755")).Times(1));
  EXPECT_THAT(described(again), Contains(testing::AllOf(HasSubstr("over 040755"), HasSubstr("opaque"))));
  EXPECT_THAT(described(again), Contains(testing::AllOf(HasSubstr("gone 020"), HasSubstr("dev 0/0"))));
}

TEST_F(LayerUnpack, MountedTreeIsTheSame) {
  SLIPWAY_NEEDS_MOUNTS();
  const SnapshotId base = snapshot_with(*store_, {}, make_base);
  ActiveSnapshot active = store_->snapshots().prepare(base);
  TreeMaker tree(active.root());
  std::filesystem::remove_all(tree.at("gone"));
  std::filesystem::remove_all(tree.at("over"));
  tree.file("over/y").file("etc/passwd", "changed").file("x/came", "").hard_link("x/second", "x/came");
  std::filesystem::remove(tree.at("etc/group"));
  std::filesystem::remove(tree.at("bin"));
  tree.directory("bin").file("bin/now-a-directory");
  const SnapshotId change = store_->snapshots().commit(std::move(active), 1000);

  const SnapshotId base_again = unpack_layer(*store_, {}, layer_of(*store_, base, {}, {}), {});
  const SnapshotId again = unpack_layer(*store_, base_again, layer_of(*store_, change, {}, {}), {});

  const MountedTree expected = store_->snapshots().view(change), actual = store_->snapshots().view(again);
  EXPECT_EQ(describe_tree(actual.path()), describe_tree(expected.path()));
  EXPECT_FALSE(std::filesystem::exists(actual.path() / "gone"));
  EXPECT_FALSE(std::filesystem::exists(actual.path() / "over/x"));
}

TEST_F(LayerUnpack, AttributesTravel) {
  SLIPWAY_NEEDS_XATTR("user.note");
  const SnapshotId id =
      snapshot_with(*store_, {}, [](TreeMaker& tree) { tree.file("a").xattr("a", "user.note", "hi"); });
  const std::unique_ptr<Store> other = Store::open(directory_.path() / "other", logger_);
  const Layer layer = layer_of(*store_, id, {}, {});
  other->blobs().put(store_->blobs().read(layer.descriptor.digest));
  const SnapshotId again = unpack_layer(*other, {}, layer, {});
  EXPECT_THAT(describe_tree(other->snapshots().diff_directory(again)),
              ElementsAre(HasSubstr("user.note=hi")));
}

TEST_F(LayerUnpack, FileCapabilitiesTravel) {
  SLIPWAY_NEEDS_CHOWN();
  // Revision 2, cap_net_raw permitted and effective (linux/capability.h).
  const std::string capability("\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
  const SnapshotId id = snapshot_with(*store_, {}, [&](TreeMaker& tree) {
    tree.file("ping", "elf", 0755).xattr("ping", "security.capability", capability);
  });
  const SnapshotId again = unpack_layer(*store_, {}, layer_of(*store_, id, {}, {}), {});
  EXPECT_EQ(described(again), described(id));
  EXPECT_THAT(described(again), ElementsAre(HasSubstr("security.capability=")));
}

TEST_F(LayerUnpack, CleansNames) {
  EXPECT_THAT(
      names(unpack({directory_entry("./"), file_entry("./a//b"), file_entry("/abs/c"), file_entry("d/./e")})),
      ElementsAre("a/", "a/b", "abs/", "abs/c", "d/", "d/e"));
}

TEST_F(LayerUnpack, RootEntryIsAboutTheRoot) {
  const SnapshotId id = unpack({directory_entry("./", 0711), file_entry("a")});
  EXPECT_EQ(status(id, "").st_mode & 07777, 0711U);
  EXPECT_EQ(status(id, "").st_mtim.tv_sec, 1000);
}

TEST_F(LayerUnpack, DirectoriesKeepTheirTimesAndModes) {
  const SnapshotId id = unpack(
      {directory_entry("d", 0555), directory_entry("d/e", 0500), file_entry("d/e/f"), file_entry("d/g")});
  EXPECT_EQ(status(id, "d").st_mode & 07777, 0555U);
  EXPECT_EQ(status(id, "d").st_mtim.tv_sec, 1000);
  EXPECT_EQ(status(id, "d/e").st_mtim.tv_sec, 1000);
}

TEST_F(LayerUnpack, UnnamedDirectoryIsAsItWasBelow) {
  const SnapshotId base = snapshot_with(
      *store_, {}, [](TreeMaker& tree) { tree.file("opt/app/x").directory("opt", 0710).mtime("opt", 777); });
  const SnapshotId id = unpack({file_entry("opt/app/y"), file_entry("fresh/z")}, base);
  EXPECT_EQ(status(id, "opt").st_mode & 07777, 0710U);
  EXPECT_EQ(status(id, "opt").st_mtim.tv_sec, 777);
  EXPECT_EQ(status(id, "fresh").st_mode & 07777, 0755U);
}

TEST_F(LayerUnpack, LaterEntryReplacesAnEarlierOne) {
  EXPECT_THAT(names(unpack({directory_entry("a"), file_entry("a/in"), file_entry("a"), file_entry("b"),
                            directory_entry("b"), link_entry("c", "x"), file_entry("c")})),
              ElementsAre("a", "b/", "c"));
}

TEST_F(LayerUnpack, DirectoryTwiceMerges) {
  EXPECT_THAT(names(unpack({directory_entry("a"), file_entry("a/in"), directory_entry("a", 0700)})),
              ElementsAre("a/", "a/in"));
}

TEST_F(LayerUnpack, DeletedAndMadeAgainHidesWhatWasThere) {
  SLIPWAY_NEEDS_XATTR(opaque_attribute());
  const SnapshotId base =
      snapshot_with(*store_, {}, [](TreeMaker& tree) { tree.file("d/old").file("e/old"); });
  const SnapshotId id = unpack({file_entry(".wh.d"), directory_entry("d"), file_entry("d/new"),
                                file_entry(".wh.e"), file_entry("e/new")},
                               base);
  EXPECT_THAT(described(id), testing::IsSupersetOf({testing::ContainsRegex("^d 040.* opaque"),
                                                    testing::ContainsRegex("^e 040.* opaque")}));
}

TEST_F(LayerUnpack, DeletionDoesNotTouchTheLayersOwnFiles) {
  SLIPWAY_NEEDS_XATTR(opaque_attribute());
  const SnapshotId base = snapshot_with(*store_, {}, [](TreeMaker& tree) { tree.file("d/old").file("f"); });
  const SnapshotId id = unpack(
      {directory_entry("d"), file_entry("d/new"), file_entry(".wh.d"), file_entry("f"), file_entry(".wh.f")},
      base);
  EXPECT_THAT(names(id), ElementsAre("d/", "d/new", "f"));
  EXPECT_THAT(described(id), Contains(testing::ContainsRegex("^d 040.* opaque")));
}

TEST_F(LayerUnpack, DeletionsInABaseLayerMeanNothing) {
  EXPECT_THAT(names(unpack({file_entry(".wh.x"), directory_entry("d"), file_entry("d/.wh..wh..opq"),
                            file_entry(".wh..wh.plnk")})),
              ElementsAre("d/"));
}

TEST_F(LayerUnpack, OpaqueRootHidesEverythingBelow) {
  const SnapshotId base = snapshot_with(*store_, {}, [](TreeMaker& tree) { tree.file("a").file("d/x"); });
  const SnapshotId id = unpack({file_entry(".wh..wh..opq"), file_entry("b")}, base);
  EXPECT_THAT(described(id), ElementsAre(HasSubstr("dev 0/0"), HasSubstr("b 100644"), HasSubstr("dev 0/0")));
}

TEST_F(LayerUnpack, HardLinkToAFileBelowIsACopy) {
  const SnapshotId base = snapshot_with(
      *store_, {}, [](TreeMaker& tree) { tree.file("lib/a", "bytes", 0700).link("lib/l", "a"); });
  const SnapshotId id = unpack({hard_link_entry("b", "lib/a"), hard_link_entry("c", "lib/l")}, base);
  EXPECT_EQ(read_file(changes(id) / "b"), "bytes");
  EXPECT_EQ(status(id, "b").st_mode & 07777, 0700U);
  EXPECT_EQ(std::filesystem::read_symlink(changes(id) / "c"), "a");
}

TEST_F(LayerUnpack, HardLinkToAFileDeletedByTheLayerIsRefused) {
  const SnapshotId base = snapshot_with(*store_, {}, [](TreeMaker& tree) { tree.file("lib/a").file("x"); });
  EXPECT_THROW(unpack({file_entry(".wh.lib"), hard_link_entry("b", "lib/a")}, base), InvalidInput);
  EXPECT_THROW(unpack({file_entry(".wh.x"), hard_link_entry("b", "x")}, base), InvalidInput);
}

TEST_F(LayerUnpack, SparseAndLongNamedFilesOfGnuTar) {
  ASSERT_TRUE(find_program("tar"));
  TreeMaker tree(directory_.path() / "made");
  const std::string name = std::string(150, 'a') + "/" + std::string(150, 'b');
  tree.file(name, "long").file("sparse", "start").file("plain");
  std::filesystem::resize_file(tree.at("sparse"), 3'000'000);
  const std::string path = (directory_.path() / "gnu.tar").native();
  ASSERT_TRUE(
      run_process({.argv = {"tar", "-S", "--format=gnu", "-cf", path, "-C", tree.at("").native(), "."}})
          .ok());
  const std::string bytes = read_file(path);
  const SnapshotId id = unpack_layer(*store_, {}, layer_with(*store_, bytes, bytes), {});
  EXPECT_EQ(read_file(changes(id) / name), "long");
  EXPECT_EQ(read_file(changes(id) / "sparse"), read_file(tree.at("sparse")));
}

TEST_F(LayerUnpack, SecondCallFindsTheFirst) {
  const std::string tar = tar_of({file_entry("a")}), next = tar_of({file_entry("b")});
  const Layer base = layer_with(*store_, tar, tar), top = layer_with(*store_, next, next);
  const SnapshotId first = unpack_layer(*store_, {}, base, {});
  const SnapshotId second = unpack_layer(*store_, first, top, {});
  EXPECT_EQ(unpack_layer(*store_, {}, base, {}), first);
  EXPECT_EQ(unpack_layer(*store_, first, top, {}), second);
  EXPECT_EQ(find_unpacked(*store_, chain_id(chain_id({}, base.diff_id), top.diff_id)), second);
  EXPECT_EQ(find_unpacked(*store_, top.diff_id), std::nullopt);
}

TEST_F(LayerUnpack, PulledLayerIsHandedOnAsItCame) {
  const std::string tar = tar_of({file_entry("a")});
  Layer layer = layer_with(*store_, tar, tar);
  layer.descriptor.media_type = "application/vnd.docker.image.rootfs.diff.tar";
  const SnapshotId id = unpack_layer(*store_, {}, layer, {});
  const Layer again = layer_of(*store_, id, {.compression = Compression::Zstd, .clamp_mtime = 0}, {});
  EXPECT_EQ(again.descriptor.digest, layer.descriptor.digest);
  EXPECT_EQ(again.descriptor.media_type, "application/vnd.oci.image.layer.v1.tar");
  EXPECT_EQ(again.diff_id, layer.diff_id);
}

TEST_F(LayerUnpack, WithoutADirectoryBelowItNothingIsFound) {
  const std::string tar = tar_of({file_entry("a")}), next = tar_of({file_entry("b")});
  const Layer base = layer_with(*store_, tar, tar), top = layer_with(*store_, next, next);
  const SnapshotId first = unpack_layer(*store_, {}, base, {}),
                   second = unpack_layer(*store_, first, top, {});
  store_->results().put(Digest::of("step"), second);
  store_.reset();
  store_ = open();
  std::filesystem::remove_all(root() / "snapshots" / std::to_string(first.value));

  EXPECT_EQ(store_->results().find(Digest::of("step")), std::nullopt);
  const SnapshotId again = unpack_layer(*store_, unpack_layer(*store_, {}, base, {}), top, {});
  EXPECT_NE(again, second);
  EXPECT_EQ(read_file(changes(again) / "b"), read_file(changes(second) / "b"));
}

TEST_F(LayerUnpack, ALostPulledLayerIsFetchedAgainElsePackedAnew) {
  const std::string tar = tar_of({file_entry("a")});
  const Layer layer = layer_with(*store_, tar, tar);
  const SnapshotId id = unpack_layer(*store_, {}, layer, {});
  store_->blobs().remove(layer.descriptor.digest);
  const auto nowhere = [](const Descriptor&, const std::stop_token&) { throw NotFound("nowhere"); };
  const auto from_home = [&](const Descriptor& lost, const std::stop_token&) {
    EXPECT_EQ(lost.digest, layer.descriptor.digest);
    store_->blobs().put(tar);
  };

  EXPECT_NE(layer_of(*store_, id, {.clamp_mtime = {}}, {}).descriptor.digest, layer.descriptor.digest);
  EXPECT_NE(layer_of(*store_, id, {.clamp_mtime = {}, .fetch_again = nowhere}, {}).descriptor.digest,
            layer.descriptor.digest);
  EXPECT_EQ(layer_of(*store_, id, {.clamp_mtime = {}, .fetch_again = from_home}, {}).descriptor.digest,
            layer.descriptor.digest);
}

TEST_F(LayerUnpack, ALayerOfAnotherSizeThanOnRecordIsPackedAgain) {
  const SnapshotId id = make_snapshot(*store_, {}, "a");
  const Layer layer = layer_of(*store_, id, {}, {});
  write_text(store_->blobs().path_of(layer.descriptor.digest), "short");

  EXPECT_EQ(layer_of(*store_, id, {}, {}).descriptor, layer.descriptor);

  EXPECT_EQ(Digest::of(store_->blobs().read(layer.descriptor.digest)), layer.descriptor.digest);
}

class RecordingLogger final : public Logger {
 public:
  void log(LogLevel level, std::string_view line) noexcept override {
    if (level == LogLevel::Warning) warnings.emplace_back(line);
  }
  std::vector<std::string> warnings;
};

void write_map(const char* file, const std::string& text) {
  const UniqueFd fd = open_file(std::filesystem::path("/proc/self") / file, O_WRONLY);
  write_all(fd.get(), text, file);
}

/// 0 if all is as promised, 77 if there are no user namespaces to be had. Changes the process for good.
int unpack_in_a_user_namespace(const std::filesystem::path& root) {
  int code = 1;
  try {
    const std::string uid = concat("0 ", ::geteuid(), " 1"), gid = concat("0 ", ::getegid(), " 1");
    if (::unshare(CLONE_NEWUSER) != 0) return 77;
    write_map("setgroups", "deny");
    write_map("uid_map", uid);
    write_map("gid_map", gid);
    RecordingLogger logger;
    const std::unique_ptr<Store> store = Store::open(root, logger);
    LayerEntry owned = file_entry("owned"), other = directory_entry("other"), device = file_entry("null");
    owned.uid = 1000;
    owned.mode = S_IFREG | 04755;
    other.gid = 1000;
    device.mode = S_IFCHR | 0666;
    device.device = makedev(1, 3);
    const std::string tar = tar_of({owned, device, other, file_entry("last")});
    const SnapshotId id = unpack_layer(*store, {}, layer_with(*store, tar, tar), {});
    const bool names = names_in(store->snapshots().diff_directory(id)) ==
                       std::vector<std::string>{"last", "other/", "owned"};
    for (const std::string& warning : logger.warnings) std::fprintf(stderr, "%s\n", warning.c_str());
    if (names && logger.warnings.size() == 2) code = 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
  }
  return code;
}

/// Ends the process, a copy of the test program that has an environment of its own to clear away.
[[noreturn]] void exit_with(const std::function<int()>& work) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(work());
  int status = 0;
  ::waitpid(child, &status, 0);
  ::umount2(test_space().c_str(), MNT_DETACH);
  ::rmdir(test_space().c_str());
  ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

TEST_F(LayerUnpack, UnmappedOwnersAndDevicesAreWarnedAboutOnce) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // a user namespace is for single-threaded processes
  const auto fine_or_not_possible = [](int status) {
    return WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77);
  };
  EXPECT_EXIT(exit_with([this] { return unpack_in_a_user_namespace(directory_.path() / "unprivileged"); }),
              fine_or_not_possible, "");
}

}  // namespace
}  // namespace slipway::testing_support
