#include "build/import_image.h"

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "content/layers.h"
#include "manifest/media_types.h"

namespace slipway {

namespace {

constexpr const char* kDefaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The manifests that the name has now.
std::vector<Descriptor> present_manifests(Store& store, const ImageRef& name) {
  const auto stored = store.images().find(name);
  if (!stored) return {};
  if (!media_type::is_index(stored->descriptor.media_type)) {
    if (stored->descriptor.platform) return {stored->descriptor};
    return {};
  }
  return parse_index(store.blobs().read(stored->descriptor.digest)).value.manifests;
}

/// An attestation stays as long as what it attests.
bool is_about_one_of(const Index& index, const Descriptor& attestation) {
  const auto subject = attestation.annotations.find(kReferenceDigest);
  return subject != attestation.annotations.end() &&
         std::ranges::any_of(index.manifests,
                             [&](const Descriptor& entry) { return entry.digest.str() == subject->second; });
}

}  // namespace

AssembledImage import_rootfs(Store& store, int tar_fd, const Platform& platform,
                             const std::string& created_by, const std::optional<std::int64_t>& created,
                             std::stop_token stop) {
  const Layer layer = import_tar_as_layer(store, tar_fd, {}, stop);
  ImageConfig config{.platform = platform, .created = created ? rfc3339(*created) : ""};
  config.config.env = {kDefaultPath};
  config.config.cmd = std::vector<std::string>{"/bin/sh"};
  config.diff_ids = {layer.diff_id};
  config.history = {{.created = config.created, .created_by = created_by}};
  AssembledImage image{.manifest = {.digest = Digest::of("")},
                       .config = {.digest = Digest::of("")},
                       .layers = {layer.descriptor},
                       .tree = {}};
  image.config = put_document(store, media_type::kOciConfig, to_json(config));
  const Manifest manifest{
      .media_type = std::string(media_type::kOciManifest), .config = image.config, .layers = image.layers};
  image.manifest = put_document(store, media_type::kOciManifest, to_json(manifest));
  image.manifest.platform = platform;
  return image;
}

Descriptor assemble_imported(Store& store, const std::vector<AssembledImage>& images,
                             const std::optional<ImageRef>& keep_of) {
  Index index{.media_type = std::string(media_type::kOciIndex)};
  for (const AssembledImage& image : images) index.manifests.push_back(image.manifest);
  const std::vector<Descriptor> present =
      keep_of ? present_manifests(store, *keep_of) : std::vector<Descriptor>{};
  for (const Descriptor& kept : present) {
    const bool replaced = std::ranges::any_of(
        images, [&](const AssembledImage& image) { return image.manifest.platform == kept.platform; });
    if (!replaced && !is_attestation(kept)) index.manifests.push_back(kept);
  }
  for (const Descriptor& kept : present)
    if (is_attestation(kept) && is_about_one_of(index, kept)) index.manifests.push_back(kept);
  return put_document(store, media_type::kOciIndex, to_json(index));
}

}  // namespace slipway
