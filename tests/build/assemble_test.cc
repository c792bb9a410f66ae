#include "build/assemble.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "build/image_fixture.h"
#include "manifest/media_types.h"

namespace slipway {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing_support::empty_entry;
using testing_support::lane_of;
using testing_support::layer_entry;
using testing_support::plain_snapshot;
using testing_support::simple_image;

constexpr const char* kAmd64 = "linux/amd64";

class Assemble : public testing_support::StoreTest {
 protected:
  ImageConfig config_of(const AssembledImage& image) {
    return parse_image_config(store_->blobs().read(image.config.digest)).value;
  }
  Manifest manifest_of(const AssembledImage& image) {
    return parse_manifest(store_->blobs().read(image.manifest.digest)).value;
  }
  /// Snapshots of files "1", "2"… made at these times, each above the one before; the last.
  SnapshotId chain_made_at(const std::vector<std::int64_t>& times) {
    std::optional<SnapshotId> last;
    int name = 0;
    for (const std::int64_t time : times) last = plain_snapshot(*store_, last, std::to_string(++name), time);
    return *last;
  }
  ImageConfig assembled(const dockerfile::LoweredLane& lane, const std::optional<SnapshotId>& snapshot,
                        const AssembleOptions& options = {}) {
    return config_of(assemble_image(*store_, lane, snapshot, options, {}));
  }
  static std::vector<std::string> times_of(const ImageConfig& config) {
    std::vector<std::string> times;
    for (const History& entry : config.history) times.push_back(entry.created);
    return times;
  }

  std::unique_ptr<Store> store_ = open();
};

TEST_F(Assemble, HistoryHasTheTimesOfItsLayers) {
  const auto lane = lane_of(kAmd64, {layer_entry("COPY a"), empty_entry("ENV x=y"), layer_entry("RUN make"),
                                     empty_entry("CMD app")});
  const ImageConfig config = assembled(lane, chain_made_at({1000, 2000}));
  EXPECT_THAT(times_of(config), ElementsAre(rfc3339(1000), rfc3339(1000), rfc3339(2000), rfc3339(2000)));
  EXPECT_EQ(config.created, rfc3339(2000));
}

TEST_F(Assemble, LeadingEmptyEntriesHaveTheTimeOfTheFirstLayer) {
  const auto lane =
      lane_of(kAmd64, {empty_entry("ENV x=y"), empty_entry("LABEL a=b"), layer_entry("COPY a")});
  EXPECT_THAT(times_of(assembled(lane, chain_made_at({1000}))),
              ElementsAre(rfc3339(1000), rfc3339(1000), rfc3339(1000)));
}

TEST_F(Assemble, TheBasesHistoryKeepsItsTimes) {
  auto lane = lane_of(kAmd64, {layer_entry("ADD rootfs"), empty_entry("ENV x=y"), layer_entry("RUN make")});
  lane.config.history[0].created = rfc3339(10);
  lane.base_history = lane.base_layers = 1;
  const SnapshotId tree = chain_made_at({1000, 2000});  // the first is the base's, unpacked at 1000
  EXPECT_THAT(times_of(assembled(lane, tree)), ElementsAre(rfc3339(10), rfc3339(10), rfc3339(2000)));
  EXPECT_THAT(times_of(assembled(lane, tree, {.layers = {}, .epoch = 7})),
              ElementsAre(rfc3339(10), rfc3339(7), rfc3339(7)));
}

TEST_F(Assemble, BaseWithoutHistoryOrTimesLeavesTheFirstNewLayersTime) {
  auto lane = lane_of(kAmd64, {empty_entry("ENV x=y"), layer_entry("RUN make")});
  lane.base_layers = 1;
  EXPECT_THAT(times_of(assembled(lane, chain_made_at({1000, 2000}))),
              ElementsAre(rfc3339(2000), rfc3339(2000)));
}

TEST_F(Assemble, ImageThatOnlyChangesTheConfigKeepsTheBasesTime) {
  auto lane = lane_of(kAmd64, {layer_entry("ADD rootfs"), empty_entry("CMD app")});
  lane.config.history[0].created = rfc3339(10);
  lane.base_history = lane.base_layers = 1;
  const ImageConfig config = assembled(lane, chain_made_at({1000}));
  EXPECT_THAT(times_of(config), ElementsAre(rfc3339(10), rfc3339(10)));
  EXPECT_EQ(config.created, rfc3339(10));
}

TEST_F(Assemble, SourceDateEpochDatesTheImageAndItsNewHistory) {
  const auto lane = lane_of(kAmd64, {empty_entry("ENV x=y"), layer_entry("COPY a"), empty_entry("CMD app")});
  const ImageConfig config = assembled(lane, chain_made_at({1000}), {.layers = {}, .epoch = 1700000000});
  EXPECT_THAT(times_of(config), testing::Each(rfc3339(1700000000)));
  EXPECT_EQ(config.created, rfc3339(1700000000));
}

TEST_F(Assemble, EpochZeroIsATime) {
  const ImageConfig config =
      assembled(lane_of(kAmd64, {layer_entry("COPY a")}), chain_made_at({1000}), {.layers = {}, .epoch = 0});
  EXPECT_EQ(config.created, "1970-01-01T00:00:00Z");
}

TEST_F(Assemble, LayersAndDiffIdsComeInTheOrderOfTheChain) {
  const SnapshotId top = chain_made_at({1000, 2000, 3000});
  const AssembledImage image =
      assemble_image(*store_, lane_of(kAmd64, {layer_entry("a"), layer_entry("b"), layer_entry("c")}), top,
                     {.layers = {.compression = Compression::None}, .epoch = {}}, {});
  ASSERT_EQ(image.layers.size(), 3U);
  const ImageConfig config = config_of(image);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(config.diff_ids.at(i), image.layers[i].digest) << "an uncompressed layer is its own diff";
    EXPECT_NE(store_->blobs().read(image.layers[i].digest).find(std::to_string(i + 1)), std::string::npos);
    EXPECT_EQ(store_->blobs().size(image.layers[i].digest), image.layers[i].size);
    EXPECT_EQ(image.layers[i].media_type, media_type::kOciLayerTar);
  }
  EXPECT_EQ(image.tree, top);
  EXPECT_EQ(image.size(),
            image.config.size + image.layers[0].size + image.layers[1].size + image.layers[2].size);
}

TEST_F(Assemble, ManifestPointsAtTheConfigAndTheLayers) {
  const AssembledImage image = simple_image(*store_, kAmd64);
  const Manifest manifest = manifest_of(image);
  EXPECT_EQ(manifest.media_type, media_type::kOciManifest);
  EXPECT_EQ(manifest.config, image.config);
  EXPECT_EQ(manifest.layers, image.layers);
  EXPECT_EQ(image.config.size, store_->blobs().size(image.config.digest));
  EXPECT_EQ(image.manifest.size, store_->blobs().size(image.manifest.digest));
  EXPECT_EQ(image.layers.at(0).media_type, media_type::kOciLayerGzip);
}

TEST_F(Assemble, TheConfigsPlatformIsTheLanes) {
  auto lane = lane_of("linux/arm/v7", {});
  lane.config.platform = Platform::parse(kAmd64);  // FROM --platform=$BUILDPLATFORM in the final stage
  const AssembledImage image = assemble_image(*store_, lane, {}, {}, {});
  EXPECT_EQ(config_of(image).platform, Platform::parse("linux/arm/v7"));
  EXPECT_EQ(image.manifest.platform, Platform::parse("linux/arm/v7"));
}

TEST_F(Assemble, DiffIdsThatTheLaneHadAreMeasuredAnew) {
  auto lane = lane_of(kAmd64, {layer_entry("ADD rootfs")});
  lane.config.diff_ids = {Digest::of("what the base's config said")};
  lane.base_history = lane.base_layers = 1;
  const AssembledImage image = assemble_image(
      *store_, lane, chain_made_at({1}), {.layers = {.compression = Compression::None}, .epoch = {}}, {});
  EXPECT_THAT(config_of(image).diff_ids, ElementsAre(image.layers.at(0).digest));
}

TEST_F(Assemble, PulledLayersKeepTheirDigestsWhateverTheCompression) {
  const SnapshotId made = plain_snapshot(*store_, {}, "base", 1);
  const Layer pulled = layer_of(*store_, made, {.compression = Compression::Gzip, .level = 1}, {});
  const SnapshotId base = unpack_layer(*store_, {}, pulled, {});
  const SnapshotId top = plain_snapshot(*store_, base, "own", 2);
  auto lane = lane_of(kAmd64, {layer_entry("ADD rootfs"), layer_entry("RUN make")});
  lane.base_history = lane.base_layers = 1;
  const AssembledImage image =
      assemble_image(*store_, lane, top, {.layers = {.compression = Compression::Zstd}, .epoch = {}}, {});
  EXPECT_EQ(image.layers.at(0).digest, pulled.descriptor.digest);
  EXPECT_EQ(image.layers.at(1).media_type, media_type::kOciLayerZstd);
}

TEST_F(Assemble, EqualTreesGiveEqualBytesInEveryStore) {
  const AssembleOptions options{.layers = {.clamp_mtime = 600}, .epoch = 600};
  const auto lane = lane_of(kAmd64, {layer_entry("COPY a"), empty_entry("CMD app")});
  const auto other_store = Store::open(directory_.path() / "other", logger_);
  const AssembledImage here =
      assemble_image(*store_, lane, plain_snapshot(*store_, {}, "a", 1000), options, {});
  plain_snapshot(*other_store, {}, "something else first", 1);
  const AssembledImage there =
      assemble_image(*other_store, lane, plain_snapshot(*other_store, {}, "a", 2000), options, {});
  EXPECT_EQ(here.manifest, there.manifest);
  EXPECT_EQ(here.layers, there.layers);
}

TEST_F(Assemble, AgainInTheSameStoreIsTheSame) {
  const auto lane = lane_of(kAmd64, {layer_entry("COPY a")});
  const SnapshotId snapshot = chain_made_at({1000});
  const AssembledImage first = assemble_image(*store_, lane, snapshot, {}, {});
  const std::vector<Digest> blobs = store_->blobs().list();
  EXPECT_EQ(assemble_image(*store_, lane, snapshot, {}, {}).manifest, first.manifest);
  EXPECT_EQ(store_->blobs().list(), blobs);
}

TEST_F(Assemble, NothingFromScratchIsAnImageWithoutLayers) {
  const AssembledImage image = assemble_image(*store_, lane_of(kAmd64, {empty_entry("CMD app")}), {}, {}, {});
  EXPECT_THAT(image.layers, IsEmpty());
  EXPECT_EQ(image.tree, std::nullopt);
  EXPECT_EQ(image.size(), image.config.size);
  EXPECT_NE(store_->blobs().read(image.manifest.digest).find(R"("layers":[])"), std::string::npos)
      << "the field is required";
  EXPECT_NE(store_->blobs().read(image.config.digest).find(R"("diff_ids":[])"), std::string::npos)
      << "the field is required";
  EXPECT_EQ(config_of(image).created, "") << "there is no step whose time it could have";
}

TEST_F(Assemble, StoppedBuildPacksNothing) {
  std::stop_source stop;
  stop.request_stop();
  const SnapshotId snapshot = chain_made_at({1000});
  EXPECT_THROW(
      assemble_image(*store_, lane_of(kAmd64, {layer_entry("COPY a")}), snapshot, {}, stop.get_token()),
      Cancelled);
  EXPECT_THAT(store_->blobs().list(), IsEmpty());
}

TEST_F(Assemble, MissingSnapshotIsAnErrorAndMakesNoImage) {
  EXPECT_THROW(assemble_image(*store_, lane_of(kAmd64, {layer_entry("COPY a")}), SnapshotId{99}, {}, {}),
               NotFound);
  EXPECT_THAT(store_->blobs().list(), IsEmpty());
}

TEST_F(Assemble, OnePlatformIsItsManifestUnlessAnIndexIsAskedFor) {
  const AssembledImage image = simple_image(*store_, kAmd64);
  EXPECT_EQ(assemble_index(*store_, {image}, /*always_index=*/false), image.manifest);
  const Descriptor index = assemble_index(*store_, {image}, /*always_index=*/true);
  EXPECT_EQ(index.media_type, media_type::kOciIndex);
  EXPECT_THAT(parse_index(store_->blobs().read(index.digest)).value.manifests, ElementsAre(image.manifest));
}

TEST_F(Assemble, IndexListsThePlatformsInTheOrderAsked) {
  const AssembledImage arm = simple_image(*store_, "linux/arm64"), amd = simple_image(*store_, kAmd64);
  const Descriptor index = assemble_index(*store_, {arm, amd}, false);
  EXPECT_EQ(index.platform, std::nullopt);
  EXPECT_EQ(index.size, store_->blobs().size(index.digest));
  EXPECT_THAT(parse_index(store_->blobs().read(index.digest)).value.manifests,
              ElementsAre(arm.manifest, amd.manifest));
  EXPECT_EQ(assemble_index(*store_, {arm, amd}, false), index);
}

}  // namespace
}  // namespace slipway
