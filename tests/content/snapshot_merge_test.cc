#include "content/snapshot_merge.h"

#include <gmock/gmock.h>

#include "base/strings.h"
#include "content/database.h"
#include "content/layers.h"
#include "content/store_fixture.h"
#include "content/tree_support.h"

namespace slipway::testing_support {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class SnapshotMerge : public StoreTest {
 protected:
  void SetUp() override { SLIPWAY_NEEDS_MOUNTS(); }
  SnapshotId merge(const std::optional<SnapshotId>& base, SnapshotId upper) {
    return merge_snapshot(*store_, base, upper, 2000,
                          [this](const std::string& sentence) { told_.push_back(sentence); }, {});
  }
  std::vector<std::string> names(SnapshotId id) { return names_in(store_->snapshots().view(id).path()); }
  std::string text(SnapshotId id, const std::string& path) {
    const MountedTree tree = store_->snapshots().view(id);
    return read_file(tree.path() / path);
  }
  std::filesystem::path own(SnapshotId id, const std::string& path) {
    return store_->snapshots().diff_directory(id) / path;
  }
  struct stat status(const std::filesystem::path& path) {
    struct stat found {};
    EXPECT_EQ(::lstat(path.c_str(), &found), 0) << path;
    return found;
  }
  Layer layer(SnapshotId id, Compression compression = Compression::Gzip) {
    return layer_of(*store_, id, {.compression = compression, .clamp_mtime = {}}, {});
  }

  std::unique_ptr<Store> store_ = open();
  std::vector<std::string> told_;
};

TEST_F(SnapshotMerge, StandsOnTheBaseAndSharesTheFiles) {
  const SnapshotId base = make_snapshot(*store_, {}, "base");
  const SnapshotId copy = snapshot_with(*store_, {}, [](TreeMaker& tree) {
    tree.file("d/f", "new").hard_link("d/g", "d/f").link("d/l", "f").fifo("d/p").directory("d/e", 0711);
    tree.all_mtimes(1500);
  });
  const SnapshotId merged = merge(base, copy);
  EXPECT_THAT(store_->snapshots().chain(merged), ElementsAre(base, merged));
  EXPECT_THAT(names(merged), ElementsAre("base", "d/", "d/e/", "d/f", "d/g", "d/l", "d/p"));
  EXPECT_EQ(status(own(merged, "d/f")).st_ino, status(own(copy, "d/f")).st_ino);
  EXPECT_EQ(status(own(merged, "d/e")).st_mode & 07777, 0711U);
  EXPECT_EQ(status(own(merged, "d")).st_mtime, 1500);
  EXPECT_THAT(told_, IsEmpty());
}

TEST_F(SnapshotMerge, WithoutABaseIsTheSnapshotItself) {
  const SnapshotId copy = make_snapshot(*store_, {}, "copy");
  EXPECT_EQ(merge({}, copy), copy);
}

TEST_F(SnapshotMerge, LinksOfTheBaseAreReplacedNotFollowed) {
  const SnapshotId base = snapshot_with(*store_, {}, [](TreeMaker& tree) {
    tree.file("real/kept").link("as-directory", "real").link("as-file", "real/kept");
  });
  const SnapshotId copy =
      snapshot_with(*store_, {}, [](TreeMaker& tree) { tree.file("as-directory/f").file("as-file", "new"); });
  const SnapshotId merged = merge(base, copy);
  EXPECT_THAT(names(merged), ElementsAre("as-directory/", "as-directory/f", "as-file", "real/", "real/kept"));
  EXPECT_EQ(text(merged, "as-file"), "new");
  EXPECT_EQ(text(merged, "real/kept"), "text");
}

TEST_F(SnapshotMerge, FilesAndDirectoriesReplaceOneAnotherWhole) {
  const SnapshotId older = snapshot_with(*store_, {}, [](TreeMaker& tree) {
    tree.file("was-directory/a").file("was-file/hidden").file("both/old");
  });
  const SnapshotId base = snapshot_with(*store_, older, [](TreeMaker& tree) { tree.file("was-file"); });
  const SnapshotId copy = snapshot_with(*store_, {}, [](TreeMaker& tree) {
    tree.file("was-directory", "new").file("was-file/f").file("both/new");
  });
  EXPECT_THAT(names(merge(base, copy)),
              ElementsAre("both/", "both/new", "both/old", "was-directory", "was-file/", "was-file/f"));
}

TEST_F(SnapshotMerge, DirectoriesTakeTheUppersMetadataAndThatIsTold) {
  const SnapshotId base = snapshot_with(*store_, {}, [](TreeMaker& tree) {
    tree.directory("tmp", 01777).directory("same", 0755).file("tmp/kept");
  });
  const SnapshotId copy =
      snapshot_with(*store_, {}, [](TreeMaker& tree) { tree.file("tmp/f").file("same/f").file("new/f"); });
  const SnapshotId merged = merge(base, copy);
  EXPECT_EQ(status(own(merged, "tmp")).st_mode & 07777, 0755U);
  EXPECT_THAT(told_, ElementsAre(AllOf(HasSubstr("/tmp"), HasSubstr("1777"), HasSubstr("0755"))));
}

TEST_F(SnapshotMerge, RootKeepsTheBasesMetadata) {
  const SnapshotId base = snapshot_with(*store_, {}, [](TreeMaker& tree) { tree.directory("", 0711); });
  const SnapshotId copy = snapshot_with(*store_, {}, [](TreeMaker& tree) { tree.file("f"); });
  EXPECT_EQ(status(own(merge(base, copy), "")).st_mode & 07777, 0711U);
}

TEST_F(SnapshotMerge, EachAncestorIsALayerOfItsOwnAndItsDeletionsCount) {
  const SnapshotId base = snapshot_with(
      *store_, {}, [](TreeMaker& tree) { tree.file("deleted").file("emptied/a").file("kept"); });
  const SnapshotId first =
      snapshot_with(*store_, {}, [](TreeMaker& tree) { tree.file("deleted").file("emptied/b").file("x"); });
  const SnapshotId second = snapshot_with(
      *store_, first, [](TreeMaker& tree) { tree.whiteout("deleted").opaque("emptied").file("emptied/c"); });
  const SnapshotId merged = merge(base, second);
  EXPECT_EQ(store_->snapshots().chain(merged).size(), 3U);
  EXPECT_THAT(names(merged), ElementsAre("emptied/", "emptied/c", "kept", "x"));
}

TEST_F(SnapshotMerge, LayerIsTheUppersOverAnyBaseAndPackedOnce) {
  const SnapshotId copy =
      snapshot_with(*store_, {}, [](TreeMaker& tree) { tree.file("tmp/f").hard_link("tmp/g", "tmp/f"); });
  const SnapshotId one = make_snapshot(*store_, {}, "one");
  const SnapshotId two =
      snapshot_with(*store_, {}, [](TreeMaker& tree) { tree.file("tmp/f").file("tmp/x"); });
  const Layer over_one = layer(merge(one, copy)), over_two = layer(merge(two, copy));
  EXPECT_EQ(over_one.descriptor.digest, layer(copy).descriptor.digest);
  EXPECT_EQ(over_two.descriptor.digest, over_one.descriptor.digest);
  EXPECT_EQ(over_two.diff_id, over_one.diff_id);
  const SnapshotId uncompressed = merge(two, copy);
  EXPECT_EQ(layer(uncompressed, Compression::None).descriptor.digest,
            layer(copy, Compression::None).descriptor.digest);
}

TEST_F(SnapshotMerge, LayerIsTheSameWhenTheUpperIsGone) {
  const SnapshotId base =
      snapshot_with(*store_, {}, [](TreeMaker& tree) { tree.directory("d", 0700).file("d/old"); });
  const SnapshotId copy = snapshot_with(
      *store_, {}, [](TreeMaker& tree) { tree.file("d/f").hard_link("d/g", "d/f").link("d/l", "f"); });
  const SnapshotId merged = merge(base, copy);
  const std::string bytes_of_copy = layer(copy).descriptor.digest.str();
  store_->snapshots().remove(copy);
  EXPECT_EQ(store_->database().find_layer_source(merged), std::nullopt);
  EXPECT_EQ(layer(merged).descriptor.digest.str(), bytes_of_copy);
  EXPECT_EQ(text(merged, "d/f"), "text");
}

TEST_F(SnapshotMerge, StoreOfBeforeLayersHadSourcesIsTaken) {
  store_.reset();
  run_sql("DROP TABLE layer_sources");
  store_ = open();
  const SnapshotId copy = make_snapshot(*store_, {}, "copy");
  EXPECT_EQ(store_->database().find_layer_source(merge(make_snapshot(*store_, {}, "base"), copy)), copy);
}

TEST_F(SnapshotMerge, StoppedMergeLeavesNothing) {
  const SnapshotId base = make_snapshot(*store_, {}, "base");
  const SnapshotId copy = make_snapshot(*store_, {}, "copy");
  const std::size_t before = store_->snapshots().list().size();
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THROW(merge_snapshot(*store_, base, copy, 2000, {}, stop.get_token()), Cancelled);
  EXPECT_EQ(store_->snapshots().list().size(), before);
  EXPECT_EQ(entries_of(store_->temp_directory()), 1U) << "the session's lock alone";
}

}  // namespace
}  // namespace slipway::testing_support
