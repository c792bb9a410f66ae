// The content of cache mounts as layers.
#include "content/cache_mount_layer.h"

#include <sys/stat.h>

#include <optional>

#include "content/layer_sink.h"
#include "content/layer_tar.h"
#include "content/store_fixture.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using testing_support::entries_of;
using testing_support::write_text;

class CacheMountLayerTest : public testing_support::StoreTest {
 protected:
  CacheLease acquire(const std::string& name) {
    return store_->cache_mounts().acquire({.name = name, .use = CacheUse::Locked, .fill = {}, .on_wait = {}},
                                          {});
  }
  std::optional<Layer> pack(const std::string& name) {
    std::optional<Layer> layer;
    store_->cache_mounts().look_at(name, [&](const fs::path& copy) {
      layer = pack_cache_mount(*store_, copy, {.compression = Compression::Zstd}, {});
    });
    return layer;
  }
  /// A mount that starts as the layer says.
  CacheLease acquire_from(const std::string& name, const Layer& layer) {
    return store_->cache_mounts().acquire(
        {.name = name,
         .use = CacheUse::Locked,
         .fill = [&](const fs::path& parent) { unpack_cache_mount(*store_, layer, parent, {}); },
         .on_wait = {}},
        {});
  }
  Layer layer_of(const std::vector<LayerEntry>& entries) {
    LayerSink sink(store_->blobs(), {}, {});
    LayerTar tar([&](std::string_view bytes) { sink.add(bytes); }, {});
    for (const LayerEntry& entry : entries) tar.add(entry);
    tar.close();
    return sink.finish().commit(Compression::Gzip);
  }
  std::unique_ptr<Store> store_ = open();
};

TEST_F(CacheMountLayerTest, ContentComesBackAsItWas) {
  {
    const CacheLease lease = acquire("a");
    fs::create_directories(lease.path() / "dir/deep");
    write_text(lease.path() / "dir/deep/file", "kept");
    fs::create_hard_link(lease.path() / "dir/deep/file", lease.path() / "same");
    fs::create_symlink("dir/deep", lease.path() / "link");
    ASSERT_EQ(::chmod((lease.path() / "dir").c_str(), 0700), 0);
    ASSERT_EQ(::chmod(lease.path().c_str(), 01777), 0);
  }
  const CacheLease lease = acquire_from("b", pack("a").value());
  EXPECT_EQ(read_file(lease.path() / "link/file"), "kept");
  EXPECT_TRUE(fs::equivalent(lease.path() / "same", lease.path() / "dir/deep/file"));
  struct stat status {};
  ASSERT_EQ(::stat(lease.path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 01777u);
  ASSERT_EQ(::stat((lease.path() / "dir").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700u);
}

TEST_F(CacheMountLayerTest, WhatComesBackPacksToTheSameBytes) {
  write_text(acquire("a").path() / "file", "kept");
  const Layer first = pack("a").value();
  acquire_from("b", first);
  EXPECT_EQ(pack("b").value().descriptor.digest, first.descriptor.digest);
}

TEST_F(CacheMountLayerTest, MountInUseIsNotLookedAt) {
  const CacheLease lease = acquire("a");
  const auto look = [](const fs::path&) { ADD_FAILURE(); };
  EXPECT_EQ(store_->cache_mounts().look_at("a", look), CacheMounts::Look::InUse);
  EXPECT_EQ(store_->cache_mounts().look_at("never used", look), CacheMounts::Look::Absent);
}

TEST_F(CacheMountLayerTest, WhatIsNoCacheMountIsRefusedAndLeavesNothing) {
  const std::vector<std::vector<LayerEntry>> bad = {
      {},
      {{.name = "0", .mode = S_IFLNK | 0777, .link = "/etc"}},
      {{.name = "0", .mode = S_IFREG | 0644}},
      {{.name = "new", .mode = S_IFDIR | 0755}},
      {{.name = "0", .mode = S_IFDIR | 0755}, {.name = "0/../../new", .mode = S_IFDIR | 0755}},
      {{.name = "0", .mode = S_IFDIR | 0755}, {.name = "0/.wh.x", .mode = S_IFREG | 0644}},
      {{.name = "0", .mode = S_IFDIR | 0755}, {.name = "0/.wh..wh..opq", .mode = S_IFREG | 0644}}};
  for (std::size_t i = 0; i < bad.size(); ++i) {
    const Layer layer = layer_of(bad[i]);
    const TempDir parent(store_->temp_directory(), "parent");
    EXPECT_THROW(unpack_cache_mount(*store_, layer, parent.path(), {}), InvalidInput) << i;
    EXPECT_EQ(entries_of(parent.path()), 0u) << i;
  }
}

TEST_F(CacheMountLayerTest, LinksLeadNowhereOutOfTheMount) {
  const TempDir outside(store_->temp_directory(), "outside"), parent(store_->temp_directory(), "parent");
  const Layer layer = layer_of({{.name = "0", .mode = S_IFDIR | 0755},
                                {.name = "0/out", .mode = S_IFLNK | 0777, .link = outside.path().native()},
                                {.name = "0/out/file", .mode = S_IFREG | 0644}});
  try {
    unpack_cache_mount(*store_, layer, parent.path(), {});
  } catch (const InvalidInput&) {
  }
  EXPECT_EQ(entries_of(outside.path()), 0u);
}

TEST_F(CacheMountLayerTest, OtherBytesThanTheCacheSaysAreRefused) {
  write_text(acquire("a").path() / "file", "kept");
  Layer layer = pack("a").value();
  layer.diff_id = Digest::of("other");
  const TempDir parent(store_->temp_directory(), "parent");
  EXPECT_THROW(unpack_cache_mount(*store_, layer, parent.path(), {}), IntegrityError);
  EXPECT_EQ(entries_of(parent.path()), 0u);
}

}  // namespace
}  // namespace slipway
