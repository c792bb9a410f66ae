#include "build/layout_export.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "content/blob_digest.h"
#include "content/directory_lock.h"
#include "content/tar_file.h"
#include "manifest/media_types.h"

namespace slipway {

namespace {

namespace fs = std::filesystem;
constexpr const char* kRefName = "org.opencontainers.image.ref.name";
constexpr const char* kImageName = "io.containerd.image.name";
constexpr std::string_view kLayoutFile = R"({"imageLayoutVersion":"1.0.0"})";

void collect(Store& store, const Descriptor& descriptor, std::vector<Descriptor>& found,
             std::set<Digest>& seen) {
  if (!seen.insert(descriptor.digest).second) return;
  if (media_type::is_index(descriptor.media_type)) {
    for (const Descriptor& entry : parse_index(store.blobs().read(descriptor.digest)).value.manifests)
      collect(store, entry, found, seen);
  } else if (media_type::is_manifest(descriptor.media_type)) {
    const Manifest manifest = parse_manifest(store.blobs().read(descriptor.digest)).value;
    if (manifest.config) collect(store, *manifest.config, found, seen);
    for (const Descriptor& layer : manifest.layers) collect(store, layer, found, seen);
  }
  found.push_back(descriptor);
}

Index layout_index(const Descriptor& image, const std::vector<ImageRef>& names) {
  Index index{.media_type = std::string(media_type::kOciIndex)};
  if (names.empty()) index.manifests.push_back(image);
  for (const ImageRef& name : names) {
    Descriptor named = image;
    named.annotations[kImageName] = name.str();
    named.annotations[kRefName] = name.tag();
    index.manifests.push_back(std::move(named));
  }
  return index;
}

/// Adds the entries that the layout had before, but for those that `index` names anew.
void keep_others(const Index& before, const Descriptor& image, Index& index) {
  std::set<std::string> replaced;
  for (const Descriptor& entry : index.manifests)
    if (entry.annotations.contains(kImageName)) replaced.insert(entry.annotations.at(kImageName));
  for (const Descriptor& entry : before.manifests) {
    const auto name = entry.annotations.find(kImageName);
    const bool same =
        name != entry.annotations.end() ? replaced.contains(name->second) : entry.digest == image.digest;
    if (!same) index.manifests.push_back(entry);
  }
}

/// `use` is given the open blob. A damaged one goes, so that the next build makes it anew.
template <class Use>
void with_blob(Store& store, const Descriptor& blob, Use use) {
  const UniqueFd in = store.blobs().open(blob.digest);
  try {
    use(in.get());
  } catch (IntegrityError& damaged) {
    if (store.blobs().remove_if_damaged(blob.digest))
      damaged.set_hint("It was removed. Build again: it is then packed or pulled anew.");
    throw;
  }
}

void copy_blob(Store& store, const Descriptor& blob, const fs::path& target, const std::stop_token& stop) {
  if (has_blob_size(target, blob.size)) return;
  TempFile out(target);
  with_blob(store, blob,
            [&](int in) { copy_blob_bytes(in, out.fd(), blob.digest, blob.size, target.native(), stop); });
  out.commit();
}

}  // namespace

std::vector<Descriptor> blobs_of_image(Store& store, const Descriptor& image) {
  std::vector<Descriptor> found;
  std::set<Digest> seen;
  collect(store, image, found, seen);
  return found;
}

void export_layout_directory(Store& store, const Descriptor& image, const std::vector<ImageRef>& names,
                             const fs::path& directory, std::stop_token stop) {
  std::error_code problem;
  fs::create_directories(directory / "blobs" / "sha256", problem);
  if (problem) throw SystemError(problem.value(), "make directory", directory.native());
  for (const Descriptor& blob : blobs_of_image(store, image))
    copy_blob(store, blob, directory / "blobs" / "sha256" / blob.digest.hex(), stop);
  // Two exports into one layout take turns at its index.
  const UniqueFd lock = lock_directory(directory, stop);
  Index index = layout_index(image, names);
  if (const auto before = read_file_if_exists(directory / "index.json"))
    keep_others(parse_index(*before).value, image, index);
  write_file_atomic(directory / "oci-layout", kLayoutFile);
  write_file_atomic(directory / "index.json", to_json(index));
}

namespace {

void write_layout_tar(Store& store, const Descriptor& image, const std::vector<ImageRef>& names, int fd,
                      const std::stop_token& stop) {
  TarFileWriter tar(fd);
  tar.add_directory("blobs");
  tar.add_directory("blobs/sha256");
  std::vector<Descriptor> blobs = blobs_of_image(store, image);
  std::ranges::sort(blobs, {}, &Descriptor::digest);
  for (const Descriptor& blob : blobs) {
    if (stop.stop_requested()) throw Cancelled{};
    with_blob(store, blob, [&](int in) {
      tar.add_file(concat("blobs/sha256/", blob.digest.hex()), in, blob.digest, blob.size);
    });
  }
  tar.add_bytes("index.json", to_json(layout_index(image, names)));
  tar.add_bytes("oci-layout", kLayoutFile);
  tar.close();
}

}  // namespace

void export_layout_tar(Store& store, const Descriptor& image, const std::vector<ImageRef>& names,
                       const fs::path& file, std::stop_token stop) {
  if (file == "-") {
    write_layout_tar(store, image, names, STDOUT_FILENO, stop);
    return;
  }
  TempFile out(file);
  write_layout_tar(store, image, names, out.fd(), stop);
  out.commit();
}

}  // namespace slipway
