#include "build/layout_export.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "content/tar_file.h"
#include "manifest/media_types.h"

namespace slipway {

namespace {

namespace fs = std::filesystem;
constexpr const char* kRefName = "org.opencontainers.image.ref.name";
constexpr const char* kImageName = "io.containerd.image.name";
constexpr std::string_view kLayoutFile = R"({"imageLayoutVersion":"1.0.0"})";

void collect(Store& store, const Descriptor& descriptor, std::vector<Descriptor>& found, std::set<Digest>& seen) {
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

void copy_blob(Store& store, const Descriptor& blob, const fs::path& target) {
  if (fs::exists(target)) return;
  const UniqueFd in = store.blobs().open(blob.digest);
  const fs::path temp = concat(target.native(), ".tmp-", ::getpid());
  const UniqueFd out = open_file(temp, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  std::uint64_t left = blob.size;
  while (left > 0) {
    const ssize_t n = ::copy_file_range(in.get(), nullptr, out.get(), nullptr, left, 0);
    if (n < 0 && errno == EXDEV) {  // another file system of an old kernel
      write_all(out.get(), read_all(in.get(), target.native()), target.native());
      break;
    }
    if (n < 0) throw SystemError(errno, "copy_file_range", target.native());
    if (n == 0) break;
    left -= static_cast<std::uint64_t>(n);
  }
  if (::rename(temp.c_str(), target.c_str()) != 0) throw SystemError(errno, "rename", target.native());
}

}  // namespace

std::vector<Descriptor> blobs_of_image(Store& store, const Descriptor& image) {
  std::vector<Descriptor> found;
  std::set<Digest> seen;
  collect(store, image, found, seen);
  return found;
}

void export_layout_directory(Store& store, const Descriptor& image, const std::vector<ImageRef>& names,
                             const fs::path& directory) {
  fs::create_directories(directory / "blobs" / "sha256");
  for (const Descriptor& blob : blobs_of_image(store, image))
    copy_blob(store, blob, directory / "blobs" / "sha256" / blob.digest.hex());
  Index index = layout_index(image, names);
  if (const auto before = read_file_if_exists(directory / "index.json")) {
    std::set<std::string> replaced;
    for (const Descriptor& entry : index.manifests)
      if (entry.annotations.contains(kImageName)) replaced.insert(entry.annotations.at(kImageName));
    for (const Descriptor& entry : parse_index(*before).value.manifests) {
      const auto name = entry.annotations.find(kImageName);
      const bool same = name != entry.annotations.end() ? replaced.contains(name->second) : entry.digest == image.digest;
      if (!same) index.manifests.push_back(entry);
    }
  }
  write_file_atomic(directory / "oci-layout", kLayoutFile);
  write_file_atomic(directory / "index.json", to_json(index));
}

void export_layout_tar(Store& store, const Descriptor& image, const std::vector<ImageRef>& names, const fs::path& file) {
  const bool to_stdout = file == "-";
  const fs::path temp = concat(file.native(), ".tmp-", ::getpid());
  try {
    UniqueFd out = to_stdout ? UniqueFd{::dup(STDOUT_FILENO)} : open_file(temp, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    TarFileWriter tar(out.get());
    tar.add_directory("blobs");
    tar.add_directory("blobs/sha256");
    std::vector<Descriptor> blobs = blobs_of_image(store, image);
    std::ranges::sort(blobs, {}, &Descriptor::digest);
    for (const Descriptor& blob : blobs)
      tar.add_file(concat("blobs/sha256/", blob.digest.hex()), store.blobs().open(blob.digest).get(), blob.size);
    tar.add_bytes("index.json", to_json(layout_index(image, names)));
    tar.add_bytes("oci-layout", kLayoutFile);
    tar.close();
    out.reset();
    if (!to_stdout && ::rename(temp.c_str(), file.c_str()) != 0) throw SystemError(errno, "rename", file.native());
  } catch (...) {
    if (!to_stdout) ::unlink(temp.c_str());
    throw;
  }
}

}  // namespace slipway
