#include "nodes/image_source.h"

#include <algorithm>
#include <latch>
#include <set>

#include "base/error.h"
#include "base/strings.h"
#include "content/layers.h"
#include "manifest/media_types.h"
#include "scheduler/io_pool.h"

namespace slipway {

namespace {

constexpr std::string_view kImageScheme = "docker-image://";

std::string platforms_of(const Index& index) {
  std::vector<std::string> names;
  for (const Descriptor& entry : index.manifests)
    if (entry.platform && entry.platform->os() != "unknown") names.push_back(entry.platform->str());
  return names.empty() ? "none" : join(names, ", ");
}

}  // namespace

void ImageSource::add_layout(const ImageRef& name, OciLayout layout, const Descriptor& image) {
  layouts_.insert_or_assign(name.name(), LayoutImage{.layout = std::move(layout), .image = image});
}

const ImageSource::LayoutImage* ImageSource::find_layout(const ImageRef& ref) const {
  const auto found = layouts_.find(ref.name());
  return found == layouts_.end() ? nullptr : &found->second;
}

void ImageSource::expect(const std::vector<dockerfile::WantedImage>& wanted, std::stop_token stop) {
  const std::set<dockerfile::WantedImage> images(wanted.begin(), wanted.end());
  if (images.size() < 2) return;
  constexpr std::size_t kAtOnce = 16;
  std::latch resolved(static_cast<std::ptrdiff_t>(images.size()));
  IoPool pool({.threads = std::min(images.size(), kAtOnce)});
  for (const dockerfile::WantedImage& image : images)
    pool.submit([this, &image, &stop, &resolved] {
      try {
        resolve(image.ref, image.platform, stop);
      } catch (...) {
        failed_.lock()->emplace(image, std::current_exception());
      }
      resolved.count_down();
    });
  resolved.wait();  // the pool's end would wait too, but start no more threads for what is queued
}

FetchedManifest ImageSource::ask_registry(const ImageRef& ref, const std::stop_token& stop) {
  std::promise<FetchedManifest> promise;
  const auto [answer, is_asked] = [&] {
    auto answers = answers_.lock();
    const auto known = answers->find(ref);
    if (known != answers->end()) return std::pair(known->second, true);
    return std::pair(answers->emplace(ref, promise.get_future().share()).first->second, false);
  }();
  if (!is_asked) {
    try {
      promise.set_value(registry_.fetch_manifest(ref, stop));
    } catch (...) {
      answers_.lock()->erase(ref);  // who asks later may have more luck
      promise.set_exception(std::current_exception());
    }
  }
  return answer.get();
}

dockerfile::BaseImage ImageSource::resolve(const ImageRef& ref, const Platform& platform,
                                           std::stop_token stop) {
  const dockerfile::WantedImage key{.ref = ref, .platform = platform};
  if (auto known = resolved_.lock(); known->contains(key)) return known->at(key);
  if (const auto failed = failed_.lock()->extract(key)) std::rethrow_exception(failed.mapped());
  dockerfile::BaseImage image = resolve_now(ref, platform, stop);
  resolved_.lock()->emplace(key, image);
  return image;
}

dockerfile::BaseImage ImageSource::resolve_now(const ImageRef& ref, const Platform& platform,
                                               std::stop_token stop) {
  Descriptor descriptor{.digest = Digest::of("")};
  std::string bytes;
  if (const LayoutImage* layout = find_layout(ref)) {
    descriptor = layout->image;
    const bool is_part = ref.digest() && *ref.digest() != descriptor.digest;
    if (is_part) descriptor = {.digest = *ref.digest()};
    bytes = document(ref, descriptor, stop);
    if (is_part) descriptor.media_type = document_media_type(bytes);
  } else if (const auto stored = store_.images().find(ref);
             stored && (!ref.digest() || *ref.digest() == stored->descriptor.digest)) {
    descriptor = stored->descriptor;
    bytes = document(ref, descriptor, stop);
  } else if (auto known = ref.digest() ? kept(*ref.digest()) : std::nullopt) {
    // A digest says what it is, whoever has it.
    bytes = *std::move(known);
    descriptor = {.media_type = document_media_type(bytes), .digest = *ref.digest(), .size = bytes.size()};
  } else {
    FetchedManifest fetched = ask_registry(ref, stop);
    descriptor = {.media_type = fetched.media_type, .digest = fetched.digest, .size = fetched.bytes.size()};
    keep(fetched.bytes);
    bytes = std::move(fetched.bytes);
  }
  if (media_type::is_index(descriptor.media_type)) {
    const Index index = parse_index(bytes).value;
    const auto entry = select_platform(index, platform);
    if (!entry)
      throw InvalidInput(concat("image ", ref.familiar(), " has no platform ", platform.str(),
                                "; it has: ", platforms_of(index)));
    descriptor = *entry;
    bytes = document(ref.with_digest(descriptor.digest), descriptor, stop);
  }
  const Manifest manifest = parse_manifest(bytes).value;
  constexpr std::size_t kMostLayers = 500;  // more cannot be mounted
  if (manifest.layers.size() > kMostLayers)
    throw InvalidInput(concat("image ", ref.familiar(), " has ", manifest.layers.size(),
                              " layers, more than ", kMostLayers));
  if (!manifest.config)
    throw InvalidInput(concat(ref.familiar(), " is no image: its manifest has no config"));
  ImageConfig config = parse_image_config(config_bytes(ref, *manifest.config, stop)).value;
  if (!match_rank(platform, config.platform) && !runs_natively(platform, config.platform))
    throw InvalidInput(concat("image ", ref.familiar(), " has no platform ", platform.str(),
                              "; it has: ", config.platform.str()));
  for (const Descriptor& layer : manifest.layers) homes_.lock()->emplace(layer.digest, ref);
  return {.pinned = ref.with_digest(descriptor.digest), .config = std::move(config)};
}

std::string ImageSource::document(const ImageRef& ref, const Descriptor& descriptor, std::stop_token stop) {
  if (auto known = kept(descriptor.digest)) return *std::move(known);
  if (const LayoutImage* layout = find_layout(ref)) return layout_document(*layout, descriptor.digest, stop);
  FetchedManifest fetched = registry_.fetch_manifest(ref.with_digest(descriptor.digest), stop);
  keep(fetched.bytes);
  return std::move(fetched.bytes);
}

std::string ImageSource::config_bytes(const ImageRef& ref, const Descriptor& config, std::stop_token stop) {
  if (auto known = kept(config.digest)) return *std::move(known);
  if (const LayoutImage* layout = find_layout(ref)) return layout_document(*layout, config.digest, stop);
  if (keep_ == KeepDocuments::InStore) {
    fetch_blob(ref, config, {}, stop);
    return store_.blobs().read(config.digest);
  }
  std::string bytes;
  constexpr std::size_t kMost = std::size_t{4} << 20;  // what is parsed as a document at most
  const BlobSink sink{.write =
                          [&](std::string_view more) {
                            if (bytes.size() + more.size() > kMost)
                              throw InvalidInput(concat("the config of ", ref.familiar(), " is too large"));
                            bytes += more;
                          },
                      .restart = [&] { bytes.clear(); }};
  registry_.fetch_blob(
      ref, config, sink, [](std::uint64_t, std::uint64_t) {}, stop);
  check_digest(bytes, config.digest, "image config");
  keep(bytes);
  return bytes;
}

std::string ImageSource::layout_document(const LayoutImage& layout, const Digest& digest,
                                         std::stop_token stop) {
  if (keep_ == KeepDocuments::InStore) {
    layout.layout.copy_blob(digest, store_, std::move(stop));
    return store_.blobs().read(digest);
  }
  std::string bytes = layout.layout.read_document(digest);
  keep(bytes);
  return bytes;
}

void ImageSource::keep(const std::string& bytes) {
  if (keep_ == KeepDocuments::InStore) {
    store_.blobs().put(bytes);
  } else {
    in_memory_.lock()->emplace(Digest::of(bytes), bytes);
  }
}

std::optional<std::string> ImageSource::kept(const Digest& digest) {
  if (auto held = in_memory_.lock(); held->contains(digest)) return held->at(digest);
  if (!store_.blobs().has(digest)) return std::nullopt;
  try {
    return store_.blobs().read(digest);
  } catch (const IntegrityError&) {
    store_.logger().log(
        LogLevel::Warning,
        concat("blob ", digest.str(), " of a base image is damaged in the store: fetching it again"));
    if (keep_ == KeepDocuments::InStore) store_.blobs().remove_if_damaged(digest);
    return std::nullopt;
  }
}

void ImageSource::fetch_blob(const ImageRef& ref, const Descriptor& blob, const ItemProgress& progress,
                             std::stop_token stop) {
  if (const LayoutImage* layout = find_layout(ref)) layout->layout.copy_blob(blob.digest, store_, stop);
  if (store_.blobs().has(blob.digest)) return;
  BlobWriter writer = store_.blobs().create();
  const BlobSink sink{.write = [&](std::string_view bytes) { writer.write(bytes); },
                      .restart = [&] { writer.restart(); }};
  const std::string item = concat("sha256:", blob.digest.short_hex(), " pulling");
  registry_.fetch_blob(
      ref, blob, sink,
      [&](std::uint64_t current, std::uint64_t total) {
        if (progress) progress(item, current, total);
      },
      stop);
  writer.commit(blob.digest);
}

std::optional<SnapshotId> ImageSource::unpack(const SourceOp& source, const ItemProgress& progress,
                                              std::stop_token stop) {
  const ImageRef ref = ImageRef::parse(std::string_view(source.identifier).substr(kImageScheme.size()));
  const std::string raw = document(ref, {.digest = *ref.digest()}, stop);
  const Manifest manifest = parse_manifest(raw).value;
  const ImageConfig config = parse_image_config(config_bytes(ref, *manifest.config, stop)).value;
  if (config.diff_ids.size() != manifest.layers.size())
    throw InvalidInput(concat("image ", ref.familiar(), ": its config lists ", config.diff_ids.size(),
                              " layers, its manifest ", manifest.layers.size()));
  std::optional<SnapshotId> parent;
  std::optional<Digest> chain;
  for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
    chain = chain_id(chain, config.diff_ids[i]);
    auto known = find_unpacked(store_, *chain);
    std::optional<StepLock> turn;
    if (!known) {
      turn.emplace(take_unpack_turn(store_, *chain, stop));
      known = find_unpacked(store_, *chain);  // by who had the turn before
    }
    if (known) {
      parent = known;
      continue;
    }
    Descriptor layer = manifest.layers[i];
    fetch_blob(ref, layer, progress, stop);
    layer.media_type = media_type::to_oci(layer.media_type);
    parent = unpack_layer(store_, parent, Layer{.descriptor = layer, .diff_id = config.diff_ids[i]}, stop);
  }
  return parent;
}

std::optional<SourceOp> ImageSource::sibling(const SourceOp& source, const Platform& platform,
                                             std::stop_token stop) {
  const ImageRef pinned = ImageRef::parse(std::string_view(source.identifier).substr(kImageScheme.size()));
  std::optional<ImageRef> asked;
  for (const auto& [key, image] : *resolved_.lock())
    if (image.pinned == pinned && key.ref != pinned) asked = key.ref;
  if (!asked) return std::nullopt;
  try {
    const dockerfile::BaseImage image = resolve(*asked, platform, std::move(stop));
    if (image.pinned == pinned || image.config.platform != platform) return std::nullopt;
    return SourceOp{.identifier = concat(kImageScheme, image.pinned.str()), .attrs = {}};
  } catch (const InvalidInput&) {  // it has no such platform
    return std::nullopt;
  }
}

std::optional<std::vector<Digest>> ImageSource::find_diff_ids(const SourceOp& source) {
  const ImageRef ref = ImageRef::parse(std::string_view(source.identifier).substr(kImageScheme.size()));
  const auto document = kept(*ref.digest());
  if (!document) return std::nullopt;
  const Manifest manifest = parse_manifest(*document).value;
  const auto config = manifest.config ? kept(manifest.config->digest) : std::nullopt;
  if (!config) return std::nullopt;
  return parse_image_config(*config).value.diff_ids;
}

std::optional<std::optional<SnapshotId>> ImageSource::find_unpacked_root(const SourceOp& source) {
  const auto diff_ids = find_diff_ids(source);
  if (!diff_ids) return std::nullopt;
  std::optional<Digest> chain;
  for (const Digest& diff_id : *diff_ids) chain = chain_id(chain, diff_id);
  if (!chain) return std::optional<SnapshotId>{};
  const auto known = find_unpacked(store_, *chain);
  if (!known) return std::nullopt;
  return known;
}

void ImageSource::fetch_again(const Descriptor& layer, std::stop_token stop) {
  std::optional<ImageRef> home;
  if (auto homes = homes_.lock(); homes->contains(layer.digest)) home = homes->find(layer.digest)->second;
  if (!home) throw NotFound("no base image of this build has it");
  fetch_blob(*home, layer, {}, std::move(stop));
}

std::vector<std::string> ImageSource::repositories_with(const Digest& blob, const std::string& domain) {
  std::vector<std::string> repositories;
  auto homes = homes_.lock();
  const auto [begin, end] = homes->equal_range(blob);
  for (auto home = begin; home != end; ++home)
    if (home->second.domain() == domain) repositories.push_back(home->second.repository());
  return repositories;
}

}  // namespace slipway
