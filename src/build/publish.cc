#include "build/publish.h"

#include <map>

#include "base/error.h"
#include "base/strings.h"

namespace slipway {

namespace {

/// One reference a repository, in the order given.
std::vector<ImageRef> repositories_of(const std::vector<ImageRef>& names) {
  std::vector<ImageRef> repositories;
  for (const ImageRef& name : names) {
    bool known = false;
    for (const ImageRef& repository : repositories) known = known || repository.name() == name.name();
    if (!known) repositories.push_back(name);
  }
  return repositories;
}

}  // namespace

void Publisher::upload_image(const Descriptor& descriptor, const std::vector<ImageRef>& names,
                             const ItemProgress& progress, std::stop_token stop) {
  const std::string bytes = store_.blobs().read(descriptor.digest);
  const Manifest manifest = parse_manifest(bytes).value;
  std::vector<ImageRef> done;
  for (const ImageRef& repository : repositories_of(names)) {
    const auto upload = [&](const Descriptor& blob) {
      std::vector<std::string> mount_from = images_.repositories_with(blob.digest, repository.domain());
      if (caches_)
        for (std::string& cache : caches_->repositories_with(blob.digest, repository.domain()))
          mount_from.push_back(std::move(cache));
      if (saved_)
        for (std::string& cache : saved_->repositories_with(blob.digest, repository.domain()))
          mount_from.push_back(std::move(cache));
      for (const ImageRef& other : done)
        if (other.domain() == repository.domain()) mount_from.push_back(other.repository());
      const std::string item = concat("sha256:", blob.digest.short_hex(), " pushing");
      const auto open = [&] {
        if (caches_) caches_->fetch_blob(blob, progress, stop);
        return store_.blobs().open(blob.digest);
      };
      registry_.push_blob(
          repository, blob, open, mount_from,
          [&](std::uint64_t current, std::uint64_t total) {
            if (progress) progress(item, current, total);
          },
          stop);
    };
    for (const Descriptor& layer : manifest.layers) upload(layer);
    if (manifest.config) upload(*manifest.config);
    registry_.push_manifest(repository, descriptor.digest.str(), descriptor.media_type, bytes, stop);
    done.push_back(repository);
  }
}

void Publisher::move_tags(const Descriptor& image, const std::vector<ImageRef>& names, std::stop_token stop) {
  const std::string bytes = store_.blobs().read(image.digest);
  for (const ImageRef& repository : repositories_of(names))
    registry_.push_manifest(repository, image.digest.str(), image.media_type, bytes, stop);
  std::vector<std::string> moved;
  for (const ImageRef& name : names) {
    try {
      registry_.push_manifest(name, name.tag(), image.media_type, bytes, stop);
    } catch (Error& e) {
      e.add_context(concat("tagging ", name.str()));
      if (!moved.empty())
        e.set_hint(concat("already tagged: ", join(moved, ", "), "; run the same command again to finish"));
      throw;
    }
    moved.push_back(name.str());
  }
}

}  // namespace slipway
