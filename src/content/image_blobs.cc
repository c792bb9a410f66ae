#include "content/image_blobs.h"

#include <set>

#include "base/error.h"
#include "manifest/media_types.h"
#include "manifest/oci.h"

namespace slipway {
namespace {

class Collector {
 public:
  explicit Collector(const BlobStore& blobs) : blobs_(blobs) {}

  void add(const Descriptor& descriptor, const std::string& image) {
    found_.emplace(descriptor.digest, image);
    if (!visited_.insert(descriptor.digest).second) return;
    const bool index = media_type::is_index(descriptor.media_type);
    if (!index && !media_type::is_manifest(descriptor.media_type)) return;
    if (!blobs_.has(descriptor.digest)) return;  // an entry of an index for a platform that was not fetched
    const std::string bytes = blobs_.read(descriptor.digest);
    if (index) {
      for (const Descriptor& entry : parse_index(bytes).value.manifests) add(entry, image);
      return;
    }
    const Manifest manifest = parse_manifest(bytes).value;
    if (manifest.config) found_.emplace(manifest.config->digest, image);
    for (const Descriptor& layer : manifest.layers) found_.emplace(layer.digest, image);
  }
  std::map<Digest, std::string> take() { return std::move(found_); }

 private:
  const BlobStore& blobs_;
  std::map<Digest, std::string> found_;
  std::set<Digest> visited_;  // documents; one may be called a layer elsewhere
};

bool is_there(const BlobStore& blobs, const Descriptor& descriptor) {
  return blobs.size(descriptor.digest) == descriptor.size;
}

bool is_whole(const BlobStore& blobs, const Descriptor& descriptor, int depth) {
  constexpr int kDeepest = 8;
  if (depth > kDeepest || !is_there(blobs, descriptor)) return false;
  if (media_type::is_index(descriptor.media_type)) {
    for (const Descriptor& entry : parse_index(blobs.read(descriptor.digest)).value.manifests)
      if (!is_whole(blobs, entry, depth + 1)) return false;
  } else if (media_type::is_manifest(descriptor.media_type)) {
    const Manifest manifest = parse_manifest(blobs.read(descriptor.digest)).value;
    if (manifest.config && !is_there(blobs, *manifest.config)) return false;
    for (const Descriptor& layer : manifest.layers)
      if (!may_be_absent(layer) && !is_there(blobs, layer)) return false;
  }
  return true;
}

}  // namespace

bool may_be_absent(const Descriptor& layer) {
  return layer.media_type.find("nondistributable") != std::string::npos ||
         layer.media_type.find("foreign") != std::string::npos;
}

bool is_whole_image(const BlobStore& blobs, const Database::ImageRow& image) {
  try {
    return is_whole(blobs, parse_descriptor(image.descriptor), 0);
  } catch (const Error&) {
    return false;
  }
}

std::map<Digest, std::string> image_blobs(const BlobStore& blobs,
                                          const std::vector<Database::ImageRow>& images) {
  Collector collector(blobs);
  for (const Database::ImageRow& image : images)
    collector.add(parse_descriptor(image.descriptor), image.name);
  return collector.take();
}

}  // namespace slipway
