// What a snapshot's changes become: entries, digests, records.
#include <gmock/gmock.h>
#include <tbb/global_control.h>

#include <optional>
#include <thread>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "base/subprocess.h"
#include "content/database.h"
#include "content/layer_reader.h"
#include "content/layers_internal.h"
#include "content/lower_view.h"
#include "content/store_fixture.h"
#include "content/tree_support.h"
#include "manifest/media_types.h"

namespace slipway::testing_support {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class LayerPack : public StoreTest {
 protected:
  std::vector<LayerEntry> entries_of(const Layer& layer) {
    const UniqueFd blob = store_->blobs().open(layer.descriptor.digest);
    LayerReader reader(blob.get(), LayerReader::Filters::OfLayers, "test", {});
    std::vector<LayerEntry> entries;
    while (const LayerEntry* entry = reader.next()) entries.push_back(*entry);
    EXPECT_EQ(reader.finish(), layer.diff_id);
    return entries;
  }
  std::vector<std::string> names_of(const Layer& layer) {
    std::vector<std::string> names;
    for (const LayerEntry& entry : entries_of(layer))
      names.push_back(entry.name + (entry.same_as.empty() ? "" : "=" + entry.same_as));
    return names;
  }
  Layer pack(SnapshotId id, const LayerOptions& options = {}) { return layer_of(*store_, id, options, {}); }
  /// Several chunks of bytes that compress neither fully nor not at all.
  static void make_big(TreeMaker& tree) {
    for (int i = 0; i < 40; ++i) {
      std::string bytes;
      for (int line = 0; bytes.size() < 150'000; ++line)
        bytes += concat("line ", line * (i + 7) % 9973, " of file ", i, "\n");
      tree.file(concat("dir", i % 5, "/file", i), bytes);
    }
    tree.all_mtimes(1000);
  }

  std::unique_ptr<Store> store_ = open();
};

TEST_F(LayerPack, NamesAreSortedAndRelativeWithoutTheRoot) {
  const SnapshotId id = snapshot_with(*store_, {}, [](TreeMaker& tree) {
    tree.file("b/x").file("a").directory("b/sub").link("b/link", "x").fifo("c").socket("d");
  });
  EXPECT_THAT(names_of(pack(id)), ElementsAre("a", "b/", "b/link", "b/sub/", "b/x", "c"));
}

TEST_F(LayerPack, LayerThatIsBeingPackedIsWaitedFor) {
  const SnapshotId id = snapshot_with(*store_, {}, [](TreeMaker& tree) { tree.file("a"); });
  const Layer other = pack(snapshot_with(*store_, {}, [](TreeMaker& tree) { tree.file("b"); }));
  const std::string variant = LayerOptions{}.key();
  auto turn = store_->step_locks().try_acquire(pack_turn(id, variant));
  ASSERT_TRUE(turn);
  std::optional<Layer> got;
  std::jthread asker([&] { got = pack(id); });
  store_->database().put_layer(id, variant,
                               {.media_type = other.descriptor.media_type,
                                .digest = other.descriptor.digest,
                                .size = other.descriptor.size,
                                .diff_id = other.diff_id});
  turn.reset();
  asker.join();
  EXPECT_EQ(got->descriptor.digest, other.descriptor.digest) << "what the other one recorded, not packed again";
}

TEST_F(LayerPack, KeepsMetadata) {
  SLIPWAY_NEEDS_CHOWN();
  const SnapshotId id = snapshot_with(*store_, {}, [](TreeMaker& tree) {
    tree.file("suid", "x").owner("suid", 123456789, 42).file("suid", "x", 04755).mtime("suid", 1234, 999);
  });
  const LayerEntry entry = entries_of(pack(id)).at(0);
  EXPECT_EQ(entry.mode, S_IFREG | 04755U);
  EXPECT_EQ(entry.uid, 123456789U);
  EXPECT_EQ(entry.gid, 42U);
  EXPECT_EQ(entry.mtime, 1234);
  EXPECT_EQ(entry.mtime_nanoseconds, 0);
}

TEST_F(LayerPack, SecondNameOfAFileIsAHardLink) {
  const SnapshotId id = snapshot_with(*store_, {}, [](TreeMaker& tree) {
    tree.file("a/first").hard_link("b", "a/first").link("l1", "x").hard_link("l2", "l1");
  });
  EXPECT_THAT(names_of(pack(id)), ElementsAre("a/", "a/first", "b=a/first", "l1", "l2=l1"));
}

TEST_F(LayerPack, DeletionsAreWhiteouts) {
  const SnapshotId base = snapshot_with(*store_, {}, [](TreeMaker& tree) { tree.file("a").file("d/x"); });
  const SnapshotId id =
      snapshot_with(*store_, base, [](TreeMaker& tree) { tree.whiteout("a").whiteout("d/x"); });
  EXPECT_THAT(names_of(pack(id)), ElementsAre(".wh.a", "d/", "d/.wh.x"));
}

TEST_F(LayerPack, DeletionOfWhatWasNeverThereIsLeftOut) {
  SLIPWAY_NEEDS_XATTR(opaque_attribute());
  const SnapshotId base = snapshot_with(*store_, {}, [](TreeMaker& tree) { tree.file("d/x").file("gone"); });
  const SnapshotId middle =
      snapshot_with(*store_, base, [](TreeMaker& tree) { tree.whiteout("gone").opaque("d"); });
  const SnapshotId id = snapshot_with(*store_, middle, [](TreeMaker& tree) {
    tree.whiteout("gone").whiteout("never").whiteout("d/x").file("d/new");
  });
  EXPECT_THAT(names_of(pack(id)), ElementsAre("d/", "d/new"));
}

TEST_F(LayerPack, OpaqueOnlyOverADirectoryThatIsShown) {
  SLIPWAY_NEEDS_XATTR(opaque_attribute());
  const SnapshotId base = snapshot_with(*store_, {}, [](TreeMaker& tree) { tree.file("d/x").file("f"); });
  const SnapshotId id = snapshot_with(*store_, base, [](TreeMaker& tree) {
    tree.opaque("d").file("d/new").opaque("e").file("e/new").opaque("f");
  });
  EXPECT_THAT(names_of(pack(id)),
              testing::UnorderedElementsAre("d/", "d/.wh..wh..opq", "d/new", "e/", "e/new", "f/"));
}

TEST_F(LayerPack, DirectoriesThatOnlyOverlayfsTouchedAreLeftOut) {
  const SnapshotId base = snapshot_with(*store_, {}, [](TreeMaker& tree) {
    for (const char* name : {"etc/x", "same/below", "mode/x", "time/x", "deep/down"}) tree.directory(name);
    tree.all_mtimes(1000);
  });
  const SnapshotId id = snapshot_with(*store_, base, [](TreeMaker& tree) {
    for (const char* name : {"etc", "same/below", "mode", "time", "deep/down", "new"}) tree.directory(name);
    tree.file("deep/down/file").whiteout("etc/came-and-went").directory("mode", 0700);
    tree.all_mtimes(1000);
    tree.mtime("time", 2000, 0);
  });
  EXPECT_THAT(names_of(pack(id)),
              ElementsAre("deep/", "deep/down/", "deep/down/file", "mode/", "new/", "time/"));
}

TEST_F(LayerPack, NameOfAMarkerIsRefused) {
  const SnapshotId id = snapshot_with(*store_, {}, [](TreeMaker& tree) { tree.file(".wh.x"); });
  EXPECT_THROW(pack(id), InvalidInput);
}

TEST_F(LayerPack, OverlayBookkeepingDoesNotTravel) {
  SLIPWAY_NEEDS_XATTR("trusted.overlay.origin");
  const SnapshotId id = snapshot_with(*store_, {}, [](TreeMaker& tree) {
    tree.directory("d").xattr("d", "trusted.overlay.origin", "x").xattr("d", "trusted.other", "x");
  });
  EXPECT_THAT(entries_of(pack(id)).at(0).xattrs, IsEmpty());
}

TEST_F(LayerPack, EmptySnapshotIsAnEmptyTar) {
  const SnapshotId id = snapshot_with(*store_, {}, [](TreeMaker&) {});
  const Layer layer = pack(id, {.compression = Compression::None});
  EXPECT_EQ(layer.diff_id, Digest::of(std::string(1024, '\0')));
  EXPECT_EQ(layer.descriptor.digest, layer.diff_id);
  EXPECT_EQ(layer.descriptor.media_type, media_type::kOciLayerTar);
}

TEST_F(LayerPack, LaterTimesAreClamped) {
  const SnapshotId id = snapshot_with(
      *store_, {}, [](TreeMaker& tree) { tree.file("new").mtime("new", 5000).file("old").mtime("old", 10); });
  const std::vector<LayerEntry> entries = entries_of(pack(id, {.clamp_mtime = 1000}));
  EXPECT_EQ(entries.at(0).mtime, 1000);
  EXPECT_EQ(entries.at(1).mtime, 10);
}

TEST_F(LayerPack, NamesStayTheBytesTheyAre) {
  const std::string composed = "\xc3\xa9", decomposed = "e\xcc\x81", latin = "\xe9",
                    long_name = std::string(120, 'n');
  const std::string deep = long_name + "/" + long_name + "/" + long_name;
  const SnapshotId id = snapshot_with(*store_, {}, [&](TreeMaker& tree) {
    tree.file(composed)
        .file(decomposed)
        .file(latin)
        .file(deep)
        .link("link", decomposed + "/" + deep)
        .hard_link("second", deep);
  });
  std::vector<std::string> names = names_of(pack(id));
  EXPECT_THAT(names, testing::IsSupersetOf({composed, decomposed, latin, deep, "second=" + deep}));
  EXPECT_THAT(entries_of(pack(id)),
              testing::Contains(testing::Field(&LayerEntry::link, decomposed + "/" + deep)));
}

TEST_F(LayerPack, OtherToolsReadEveryCompression) {
  const SnapshotId id = snapshot_with(*store_, {}, &LayerPack::make_big);
  const Layer gzip = pack(id), zstd = pack(id, {.compression = Compression::Zstd}),
              plain = pack(id, {.compression = Compression::None});
  EXPECT_EQ(gzip.diff_id, zstd.diff_id);
  EXPECT_EQ(gzip.diff_id, plain.descriptor.digest);
  EXPECT_EQ(gzip.descriptor.media_type, media_type::kOciLayerGzip);
  EXPECT_EQ(zstd.descriptor.media_type, media_type::kOciLayerZstd);
  EXPECT_LT(gzip.descriptor.size, plain.descriptor.size / 2);
  const std::string gzip_path = store_->blobs().path_of(gzip.descriptor.digest).native();
  ASSERT_TRUE(find_program("gzip") && find_program("tar"));
  EXPECT_TRUE(run_process({.argv = {"gzip", "-t"}, .input = read_file(gzip_path)}).ok());
  const ProcessResult listed = run_process({.argv = {"tar", "-tzf", gzip_path}});
  EXPECT_EQ(listed.err, "");
  EXPECT_THAT(listed.out, HasSubstr("dir4/file39\n"));
}

TEST_F(LayerPack, SameBytesWithOneThreadAndWithMany) {
  const SnapshotId id = snapshot_with(*store_, {}, &LayerPack::make_big);
  const SnapshotId again = snapshot_with(*store_, {}, &LayerPack::make_big);
  std::optional<Layer> alone;
  {
    const tbb::global_control one(tbb::global_control::max_allowed_parallelism, 1);
    alone = pack(id);
  }
  const tbb::global_control many(tbb::global_control::max_allowed_parallelism, 8);
  const Layer together = pack(again);
  EXPECT_EQ(alone->descriptor.digest, together.descriptor.digest);
  EXPECT_EQ(alone->diff_id, together.diff_id);
}

TEST_F(LayerPack, RecordIsUsedOnlyWhileTheBlobIsThere) {
  const SnapshotId id = snapshot_with(*store_, {}, [](TreeMaker& tree) { tree.file("a"); });
  const Layer first = pack(id);
  store_->blobs().remove(first.descriptor.digest);
  EXPECT_EQ(pack(id).descriptor, first.descriptor);
  EXPECT_TRUE(store_->blobs().has(first.descriptor.digest));
}

TEST_F(LayerPack, StopLeavesNothing) {
  const SnapshotId id = snapshot_with(*store_, {}, &LayerPack::make_big);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THROW(layer_of(*store_, id, {}, stop.get_token()), Cancelled);
  EXPECT_THAT(store_->blobs().list(), IsEmpty());
}

TEST_F(LayerPack, UnknownLevelIsRefused) {
  const SnapshotId id = snapshot_with(*store_, {}, [](TreeMaker& tree) { tree.file("a"); });
  EXPECT_THROW(pack(id, {.level = 99}), InvalidInput);
  EXPECT_THROW(pack(id, {.compression = Compression::Zstd, .level = 99}), InvalidInput);
  EXPECT_THAT(store_->blobs().list(), IsEmpty());
}

struct KeyCase {
  const char* name;
  LayerOptions options;
  const char* key;
};
class LayerKey : public testing::TestWithParam<KeyCase> {};
TEST_P(LayerKey, NamesWhatChangesTheBytes) { EXPECT_EQ(GetParam().options.key(), GetParam().key); }
INSTANTIATE_TEST_SUITE_P(
    All, LayerKey,
    testing::Values(KeyCase{"plain", {}, "gzip"}, KeyCase{"level", {.level = 9}, "gzip-l9"},
                    KeyCase{"default_level_said", {.level = 6}, "gzip"},
                    KeyCase{"zstd", {.compression = Compression::Zstd}, "zstd"},
                    KeyCase{"none", {.compression = Compression::None, .level = 3}, "none"},
                    KeyCase{"clamped", {.clamp_mtime = 0}, "gzip@0"}),
    [](const auto& row) { return row.param.name; });

TEST(ChainId, FollowsTheSpec) {
  const Digest a = Digest::of("a"), b = Digest::of("b");
  EXPECT_EQ(chain_id({}, a), a);
  EXPECT_EQ(chain_id(a, b), Digest::of(a.str() + " " + b.str()));
}

}  // namespace
}  // namespace slipway::testing_support
