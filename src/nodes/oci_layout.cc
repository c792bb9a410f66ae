#include "nodes/oci_layout.h"

#include <fcntl.h>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "content/file_bytes.h"
#include "manifest/media_types.h"

namespace slipway {

namespace fs = std::filesystem;

namespace {

constexpr const char* kRefName = "org.opencontainers.image.ref.name";
constexpr std::size_t kMostIndex = std::size_t{4} << 20;

}  // namespace

OciLayout::OciLayout(fs::path directory) : directory_(std::move(directory)) {
  std::error_code ignored;
  if (fs::is_regular_file(directory_ / "oci-layout", ignored) &&
      fs::is_regular_file(directory_ / "index.json", ignored))
    return;
  InvalidInput none(
      concat(directory_.native(), " is no OCI image layout: it has no oci-layout and index.json"));
  none.set_hint("make one with: slipway build -o type=oci,tar=false,dest=DIR, or skopeo copy … oci:DIR:TAG");
  throw none;
}

Descriptor OciLayout::find(std::string_view wanted) const {
  const Index index = parse_index(read_file(directory_ / "index.json", kMostIndex)).value;
  if (Digest::is_valid(wanted)) {
    const Digest digest = Digest::parse(wanted);
    for (const Descriptor& entry : index.manifests)
      if (entry.digest == digest) return entry;
    // It may be named by an index in here only: the blob itself says what it is.
    const auto bytes = read_file_if_exists(directory_ / "blobs/sha256" / digest.hex());
    if (bytes && bytes->size() <= kMostIndex)
      return {.media_type = document_media_type(*bytes), .digest = digest, .size = bytes->size()};
    throw InvalidInput(concat("the OCI layout ", directory_.native(), " has no image ", wanted));
  }
  const std::string tag(wanted.empty() ? "latest" : wanted);
  std::vector<std::string> tags;
  for (const Descriptor& entry : index.manifests) {
    const auto name = entry.annotations.find(kRefName);
    if (name == entry.annotations.end()) continue;
    // Some tools write the tag alone, others the whole name.
    const std::size_t colon = name->second.rfind(':');
    const bool is_port = colon != std::string::npos && name->second.find('/', colon) != std::string::npos;
    if (name->second == tag ||
        (colon != std::string::npos && !is_port && name->second.substr(colon + 1) == tag))
      return entry;
    tags.push_back(name->second);
  }
  if (wanted.empty() && index.manifests.size() == 1) return index.manifests.front();
  InvalidInput missing(concat("the OCI layout ", directory_.native(), " has no image tagged \"", tag, "\""));
  const auto near = closest_match(tag, tags);
  missing.set_hint(near           ? concat("did you mean \"", *near, "\"?")
                   : tags.empty() ? "none of its images has a tag: give a digest, oci-layout://DIR@sha256:…"
                                  : concat("it has: ", join(tags, ", ")));
  throw missing;
}

void OciLayout::copy_blob(const Digest& digest, Store& store, std::stop_token stop) const {
  if (store.blobs().has(digest)) return;
  const fs::path path = directory_ / "blobs/sha256" / digest.hex();
  UniqueFd from;
  try {
    from = open_file(path, O_RDONLY);
  } catch (const SystemError& e) {
    throw InvalidInput(
        concat("the OCI layout ", directory_.native(), " lacks the blob ", digest.str(), ": ", e.what()));
  }
  BlobWriter writer = store.blobs().create();
  read_blocks(from.get(), path.native(), stop, [&](std::string_view bytes) { writer.write(bytes); });
  try {
    writer.commit(digest);
  } catch (IntegrityError& wrong) {
    wrong.add_context(concat("reading the OCI layout ", directory_.native()));
    throw;
  }
}

std::string OciLayout::read_document(const Digest& digest) const {
  try {
    std::string bytes = read_file(directory_ / "blobs/sha256" / digest.hex(), kMostIndex);
    check_digest(bytes, digest, concat("a blob of the OCI layout ", directory_.native()));
    return bytes;
  } catch (const SystemError& e) {
    throw InvalidInput(
        concat("the OCI layout ", directory_.native(), " lacks the blob ", digest.str(), ": ", e.what()));
  }
}

}  // namespace slipway
