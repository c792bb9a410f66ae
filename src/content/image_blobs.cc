#include "content/image_blobs.h"

#include <set>

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

}  // namespace

std::map<Digest, std::string> image_blobs(const BlobStore& blobs,
                                          const std::vector<Database::ImageRow>& images) {
  Collector collector(blobs);
  for (const Database::ImageRow& image : images)
    collector.add(parse_descriptor(image.descriptor), image.name);
  return collector.take();
}

}  // namespace slipway
