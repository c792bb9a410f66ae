#include "content/snapshot_diff.h"

#include <gmock/gmock.h>

#include "content/layers.h"
#include "content/snapshot_merge.h"
#include "content/store_fixture.h"
#include "content/tree_support.h"

namespace slipway::testing_support {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class SnapshotDiffs : public StoreTest {
 protected:
  void SetUp() override { SLIPWAY_NEEDS_MOUNTS(); }
  SnapshotDiff diff(const std::optional<SnapshotId>& lower, const std::optional<SnapshotId>& upper) {
    return diff_snapshots(*store_, lower, upper, 2000, {});
  }
  SnapshotId with(const std::optional<SnapshotId>& parent, const std::function<void(TreeMaker&)>& make) {
    return snapshot_with(*store_, parent, [&](TreeMaker& tree) {
      make(tree);
      tree.all_mtimes(1500);
    });
  }
  std::vector<std::string> names(const std::optional<SnapshotId>& id) {
    return id ? names_in(store_->snapshots().view(*id).path()) : std::vector<std::string>();
  }
  SnapshotId merge(SnapshotId base, SnapshotId upper) {
    return merge_snapshot(*store_, base, upper, 2000, {}, {});
  }
  Digest layer(SnapshotId id) { return layer_of(*store_, id, {.clamp_mtime = {}}, {}).diff_id; }

  std::unique_ptr<Store> store_ = open();
  const SnapshotId base_ = with({}, [](TreeMaker& tree) { tree.file("d/old").file("d/kept").file("gone"); });
};

TEST_F(SnapshotDiffs, FromNothingIsTheTreeItself) {
  EXPECT_EQ(diff({}, base_).tree, base_);
  EXPECT_EQ(diff({}, {}).tree, std::nullopt);
}

TEST_F(SnapshotDiffs, OfATreeAndItselfIsNothing) { EXPECT_EQ(diff(base_, base_).tree, std::nullopt); }

TEST_F(SnapshotDiffs, OfTreesThatAreTheSameIsNothing) {
  const SnapshotId same = with({}, [](TreeMaker& tree) { tree.file("d/old").file("d/kept").file("gone"); });
  EXPECT_EQ(diff(base_, same).tree, std::nullopt);
}

TEST_F(SnapshotDiffs, OfWhatStandsOnTheOtherHasItsLayers) {
  const SnapshotId first = with(base_, [](TreeMaker& tree) { tree.file("d/new", "1"); });
  const SnapshotId second = with(first, [](TreeMaker& tree) { tree.file("e/f", "2"); });
  const SnapshotDiff made = diff(base_, second);
  EXPECT_FALSE(made.deletes);
  EXPECT_THAT(names(made.tree), ElementsAre("d/", "d/new", "e/", "e/f"));
  const std::vector<SnapshotId> chain = store_->snapshots().chain(*made.tree);
  ASSERT_EQ(chain.size(), 2U);
  EXPECT_EQ(layer(chain[0]), layer(first));
  EXPECT_EQ(layer(chain[1]), layer(second));
}

TEST_F(SnapshotDiffs, ShowsNoDeletionsButKeepsThemForWhatItIsMergedOver) {
  const SnapshotId upper =
      with(base_, [](TreeMaker& tree) { tree.file("d/new").whiteout("d/old").whiteout("gone"); });
  const SnapshotDiff made = diff(base_, upper);
  EXPECT_TRUE(made.deletes);
  EXPECT_THAT(names(made.tree), ElementsAre("d/", "d/new"));
  EXPECT_EQ(layer(*made.tree), layer(upper));
  const SnapshotId other =
      with({}, [](TreeMaker& tree) { tree.file("d/old").file("d/mine").file("gone").file("here"); });
  EXPECT_THAT(names(merge(other, *made.tree)), ElementsAre("d/", "d/mine", "d/new", "here"));
}

TEST_F(SnapshotDiffs, OfUnrelatedTreesIsFoundByComparing) {
  const SnapshotId other = with({}, [](TreeMaker& tree) {
    tree.file("d/kept").file("d/old", "longer").directory("empty").link("l", "d").file("x/y/z");
  });
  const SnapshotDiff made = diff(base_, other);
  EXPECT_TRUE(made.deletes);
  EXPECT_THAT(names(made.tree), ElementsAre("d/", "d/old", "empty/", "l", "x/", "x/y/", "x/y/z"));
  EXPECT_THAT(names(merge(base_, *made.tree)),
              ElementsAre("d/", "d/kept", "d/old", "empty/", "l", "x/", "x/y/", "x/y/z"));
}

TEST_F(SnapshotDiffs, ModesTimesAndContentOfOneSizeCount) {
  const SnapshotId one = with({}, [](TreeMaker& tree) {
    tree.file("mode").file("time").file("text", "aaaa").directory("dir", 0755).file("same", "same");
  });
  const SnapshotId other = snapshot_with(*store_, {}, [](TreeMaker& tree) {
    tree.file("mode", "text", 0600)
        .file("time")
        .file("text", "bbbb")
        .directory("dir", 0700)
        .file("same", "same");
    tree.all_mtimes(1500).mtime("time", 1600);
  });
  EXPECT_THAT(names(diff(one, other).tree), ElementsAre("dir/", "mode", "text", "time"));
}

TEST_F(SnapshotDiffs, ToNothingDeletesEverything) {
  const SnapshotDiff made = diff(base_, {});
  EXPECT_TRUE(made.deletes);
  EXPECT_THAT(names(made.tree), IsEmpty());
  EXPECT_THAT(names(merge(base_, *made.tree)), IsEmpty());
}

TEST_F(SnapshotDiffs, AFileInTheDirectorysPlaceAndTheReverse) {
  const SnapshotId other = with({}, [](TreeMaker& tree) { tree.file("d", "file").file("gone/in"); });
  const SnapshotDiff made = diff(base_, other);
  EXPECT_THAT(names(made.tree), ElementsAre("d", "gone/", "gone/in"));
  EXPECT_THAT(names(merge(base_, *made.tree)), ElementsAre("d", "gone/", "gone/in"));
}

}  // namespace
}  // namespace slipway::testing_support
