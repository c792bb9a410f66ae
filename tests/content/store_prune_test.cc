#include "content/store_prune.h"

#include <sched.h>

#include <algorithm>
#include <set>

#include "base/strings.h"
#include "content/database.h"
#include "content/layers.h"
#include "content/store_fixture.h"
#include "manifest/media_types.h"

namespace slipway {
namespace {

using namespace testing_support;
namespace fs = std::filesystem;

std::set<std::string> ids(const std::vector<StoreRecord>& records) {
  std::set<std::string> found;
  for (const StoreRecord& record : records) found.insert(record.id);
  return found;
}

std::string id_of(SnapshotId snapshot) { return concat("snapshot-", snapshot.value); }

class StorePrune : public StoreTest {
 protected:
  /// Of a snapshot; far more than the database grows meanwhile.
  static constexpr std::size_t kSize = 1 << 20;

  std::set<std::string> prune(const PruneRequest& request = {}) {
    const auto store = open();
    std::set<std::string> removed = ids(prune_store(*store, request, {}).removed);
    EXPECT_TRUE(problems().empty()) << problems();
    return removed;
  }
  std::string problems() {
    const auto store = open();
    std::string all;
    for (const StoreProblem& problem : store->check(true)) all += problem.what + "\n";
    return all;
  }
  /// A snapshot that `key` leads to, with one file of that name.
  SnapshotId result(Store& store, const std::string& key, std::optional<SnapshotId> parent = {}) {
    ActiveSnapshot active = store.snapshots().prepare(parent);
    write_text(active.root() / key, std::string(kSize, 'x'));
    const SnapshotId id = store.snapshots().commit(std::move(active), 1000);
    store.results().put(Digest::of(key), id, {.description = concat("step ", key)});
    return id;
  }
  void set_used(SnapshotId id, std::int64_t when) {
    run_sql(concat("UPDATE snapshot_uses SET used = ", when, " WHERE snapshot = ", id.value,
                   "; UPDATE snapshots SET created = ", when, " WHERE id = ", id.value));
  }
  /// An image of one layer, packed from a new snapshot.
  SnapshotId make_image(Store& store, const std::string& name) {
    const SnapshotId id = result(store, name);
    const Layer layer = layer_of(store, id, {}, {});
    ImageConfig config{.platform = Platform::parse("linux/amd64")};
    config.diff_ids = {layer.diff_id};
    const std::string config_text = to_json(config);
    Manifest manifest{.media_type = std::string(media_type::kOciManifest)};
    manifest.config = Descriptor{.media_type = std::string(media_type::kOciConfig),
                                 .digest = store.blobs().put(config_text).digest,
                                 .size = config_text.size()};
    manifest.layers = {layer.descriptor};
    const std::string text = to_json(manifest);
    store.images().set(
        {ImageRef::parse(name)},
        {.media_type = manifest.media_type, .digest = store.blobs().put(text).digest, .size = text.size()});
    return id;
  }
};

TEST_F(StorePrune, RemovesEverythingThatNothingNeeds) {
  SnapshotId parent, child;
  {
    const auto store = open();
    parent = result(*store, "parent");
    child = result(*store, "child", parent);
    layer_of(*store, child, {}, {});
    fs::create_directories(root() / "logs" / "build-1");
  }
  const auto removed = prune();
  EXPECT_TRUE(removed.contains(id_of(parent)));
  EXPECT_TRUE(removed.contains(id_of(child)));
  EXPECT_TRUE(removed.contains("log-build-1"));
  EXPECT_EQ(removed.size(), 4u);
  EXPECT_EQ(entries_of(root() / "snapshots"), 0u);
  EXPECT_EQ(entries_of(root() / "blobs" / "sha256"), 0u);
}

TEST_F(StorePrune, ADryRunChangesNothing) {
  {
    const auto store = open();
    result(*store, "one");
  }
  EXPECT_EQ(prune({.dry_run = true}).size(), 1u);
  EXPECT_EQ(entries_of(root() / "snapshots"), 1u);
}

TEST_F(StorePrune, AnImageInTheStoreStaysWhole) {
  SnapshotId snapshot;
  {
    const auto store = open();
    snapshot = make_image(*store, "app:1");
  }
  EXPECT_TRUE(prune().empty()) << "its snapshot is shared with it";
  EXPECT_EQ(prune({.all = true}), (std::set<std::string>{id_of(snapshot)}));
  EXPECT_EQ(entries_of(root() / "blobs" / "sha256"), 3u);
}

TEST_F(StorePrune, WhatAnotherProcessFoundStaysUntilItEnds) {
  SnapshotId parent, child;
  Digest blob = Digest::of("");
  {
    const auto store = open();
    parent = result(*store, "parent");
    child = result(*store, "child", parent);
    blob = store->blobs().put("bytes").digest;
  }
  OtherProcess user([&] {
    auto store = open();
    if (!store->results().find(Digest::of("child")) || !store->blobs().has(blob))
      throw NotFound("what was made");
    return store;
  });
  ASSERT_TRUE(user.wait_ready());
  EXPECT_TRUE(prune().empty());
  EXPECT_EQ(user.end(), 0);
  EXPECT_EQ(prune().size(), 3u);
}

TEST_F(StorePrune, WhatAKilledProcessHeldGoes) {
  {
    const auto store = open();
    result(*store, "one");
  }
  OtherProcess user([&] {
    auto store = open();
    store->results().find(Digest::of("one"));
    return store;
  });
  ASSERT_TRUE(user.wait_ready());
  user.kill_now();
  EXPECT_EQ(prune().size(), 1u);
}

TEST_F(StorePrune, TheLeastRecentlyUsedGoesFirst) {
  SnapshotId old, recent;
  {
    const auto store = open();
    recent = result(*store, "recent");
    old = result(*store, "old");
  }
  set_used(recent, 2000);
  set_used(old, 1000);
  const std::uint64_t total = measure_store(*open(), {}).total;
  EXPECT_EQ(prune({.limits = {.max_used = total - kSize / 2}}), (std::set<std::string>{id_of(old)}));
}

TEST_F(StorePrune, AHitCountsAsUse) {
  SnapshotId first, second;
  {
    const auto store = open();
    first = result(*store, "first");
    second = result(*store, "second");
  }
  set_used(first, 1000);
  set_used(second, 2000);
  open()->results().find(Digest::of("first"));
  const std::uint64_t total = measure_store(*open(), {}).total;
  EXPECT_EQ(prune({.limits = {.max_used = total - kSize / 2}}), (std::set<std::string>{id_of(second)}));
}

TEST_F(StorePrune, SizesAreOfBlocksAndCountLinksOnce) {
  {
    const auto store = open();
    ActiveSnapshot active = store->snapshots().prepare({});
    write_text(active.root() / "file", std::string(100'000, 'x'));
    fs::create_hard_link(active.root() / "file", active.root() / "link");
    store->snapshots().commit(std::move(active), 1000);
  }
  const StoreUsage usage = measure_store(*open(), {});
  ASSERT_EQ(usage.records.size(), 1u);
  EXPECT_GE(usage.records[0].size, 100'000u);
  EXPECT_LT(usage.records[0].size, 150'000u);
}

TEST_F(StorePrune, ACacheMountInUseStaysAndItsOtherCopiesToo) {
  const auto store = open();
  const auto lease = store->cache_mounts().acquire({.name = "used", .fill = {}, .on_wait = {}}, {});
  { store->cache_mounts().acquire({.name = "free", .fill = {}, .on_wait = {}}, {}); }
  write_text(lease.path() / "kept", "kept");
  const PruneResult result = prune_store(*store, {}, {});
  ASSERT_EQ(result.removed.size(), 1u);
  EXPECT_EQ(result.removed[0].description, "free");
  EXPECT_TRUE(fs::exists(lease.path() / "kept"));
  const auto again = store->cache_mounts().acquire({.name = "free", .fill = {}, .on_wait = {}}, {});
  EXPECT_TRUE(fs::is_empty(again.path())) << "a pruned cache starts anew";
}

TEST_F(StorePrune, AStoreOfTheFirstSchemaIsTakenOver) {
  SnapshotId snapshot;
  {
    const auto store = open();
    snapshot = result(*store, "one");
  }
  run_sql(
      "DROP TABLE leases; DROP TABLE snapshot_uses; DROP INDEX layers_by_digest; "
      "ALTER TABLE snapshots DROP COLUMN amends; PRAGMA user_version = 1");
  EXPECT_EQ(open()->results().find(Digest::of("one")), snapshot);
  EXPECT_EQ(prune(), (std::set<std::string>{id_of(snapshot)}));
}

TEST_F(StorePrune, ASlipwayThatTakesNoLeasesForbidsPruning) {
  OtherProcess user([&] { return open(); });
  ASSERT_TRUE(user.wait_ready());
  for (const fs::directory_entry& entry : fs::directory_iterator(root() / "tmp"))
    fs::rename(entry.path(), root() / "tmp" / "session-abcdef");  // as the first ones called it
  const auto store = open();
  EXPECT_THROW(prune_store(*store, {}, {}), HostError);
}

TEST_F(StorePrune, BuildsAndPruningsAtOnceLeaveASoundStore) {
  open();
  // Each builds as a build does: what it finds or makes it uses until its end, and names an image.
  const auto builder = [this](int number) {
    return [this, number] {
      for (int round = 0; round < 12; ++round) {
        const auto store = open();
        std::optional<SnapshotId> at;
        for (int step = 0; step < 4; ++step) {
          const std::string key = concat(number % 2, "-", step, "-", step < 2 ? 0 : round);
          if (auto known = store->results().find(Digest::of(key))) {
            at = known;
          } else {
            at = result(*store, key, at);
          }
          const fs::path diff = store->snapshots().diff_directory(*at);
          if (!fs::exists(diff)) throw IntegrityError(concat("pruned in use: ", diff.native()));
        }
        for (const SnapshotId id : store->snapshots().chain(*at)) layer_of(*store, id, {}, {});
        make_image(*store, concat("image:", number, "-", round % 3));
      }
      return open();
    };
  };
  const auto pruner = [this](std::optional<std::uint64_t> cap) {
    return [this, cap] {
      for (int round = 0; round < 20; ++round)
        prune_store(*open(), {.limits = {.max_used = cap}, .all = true}, {});
      return open();
    };
  };
  OtherProcess first(builder(1)), second(builder(2)), third(builder(3));
  OtherProcess all(pruner(std::nullopt)), capped(pruner(5 * kSize));
  for (OtherProcess* process : {&first, &second, &third, &all, &capped}) {
    EXPECT_TRUE(process->wait_ready());
    EXPECT_EQ(process->end(), 0);
  }
  EXPECT_EQ(problems(), "");
  EXPECT_EQ(open()->images().list().size(), 9u);
}

TEST_F(StorePrune, KilledAtAnyMomentItLeavesASoundStore) {
  for (int round = 0; round < 12; ++round) {
    {
      const auto store = open();
      for (int i = 0; i < 20; ++i) {
        const SnapshotId id = result(*store, concat(round, "-", i));
        if (i % 4 == 0) layer_of(*store, id, {}, {});
      }
      make_image(*store, concat("kept:", round));
    }
    OtherProcess pruner([this] {
      auto store = open();
      prune_store(*store, {.all = true}, {});
      return store;
    });
    // No clock: until so many of the snapshots have gone.
    const auto left = static_cast<std::size_t>(21 - round * 2);
    while (entries_of(root() / "snapshots") > left) ::sched_yield();
    pruner.kill_now();
    EXPECT_EQ(problems(), "") << "round " << round;
  }
}

}  // namespace
}  // namespace slipway
