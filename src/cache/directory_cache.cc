#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "cache/cache_place.h"
#include "content/blob_digest.h"
#include "content/directory_lock.h"
#include "content/file_bytes.h"
#include "manifest/json_reader.h"
#include "manifest/media_types.h"

namespace slipway {

namespace {

namespace fs = std::filesystem;
constexpr const char* kRefName = "org.opencontainers.image.ref.name";
constexpr std::string_view kLayoutFile = R"({"imageLayoutVersion":"1.0.0"})";
constexpr std::size_t kBlock = std::size_t{256} << 10;
constexpr std::size_t kMostDocument = JsonDocument::kMaxBytes;

std::string read_document(const fs::path& path, const std::string& what) {
  try {
    return read_file(path, kMostDocument);
  } catch (const SystemError& e) {
    if (e.error_number() == ENOENT) throw NotFound(concat(what, " is not there"));
    throw;
  }
}

/// 0 at the end. What keeps a cache from being read is no failure of the system that writes the store.
std::size_t read_some(int fd, std::string& into, const fs::path& path) {
  while (true) {
    const ssize_t got = ::read(fd, into.data(), into.size());
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) throw TransportError(SystemError(errno, "read", path.native()).what(), false);
  }
}

}  // namespace

std::string DirectoryCache::name() const { return concat("the cache in ", options_.directory.native()); }

fs::path DirectoryCache::blob_path(const Digest& digest) const {
  return options_.directory / "blobs" / "sha256" / digest.hex();
}

std::string DirectoryCache::small_blob(const Descriptor& blob) const {
  std::string bytes = read_document(blob_path(blob.digest), concat("blob ", blob.digest.str()));
  check_digest(bytes, blob.digest, concat("blob ", blob.digest.str()));
  return bytes;
}

std::optional<Descriptor> DirectoryCache::find_entry(const Index& index) const {
  for (const Descriptor& entry : index.manifests) {
    const auto name = entry.annotations.find(kRefName);
    if (options_.digest ? entry.digest == *options_.digest
                        : name != entry.annotations.end() && name->second == options_.tag)
      return entry;
  }
  if (options_.digest) return Descriptor{.digest = *options_.digest};
  return std::nullopt;
}

// A writer removes what it has replaced, maybe between two documents that are read here.
FoundCache DirectoryCache::read(std::stop_token) {
  FoundCache found = read_once();
  for (std::string before; found.kind == FoundCache::Kind::Damaged && found.version != before;) {
    before = found.version;
    found = read_once();
  }
  return found;
}

FoundCache DirectoryCache::read_once() const {
  const auto damaged = [](const Error& e) {
    return FoundCache{.kind = FoundCache::Kind::Damaged,
                      .config = {},
                      .problem = concat("is damaged: ", e.what()),
                      .version = {}};
  };
  std::optional<std::string> raw;
  std::optional<Descriptor> entry;
  try {
    raw = read_file_if_exists(options_.directory / "index.json");
    if (raw) entry = find_entry(parse_index(*raw).value);
  } catch (const InvalidInput& e) {
    FoundCache other = damaged(e);
    other.kind = FoundCache::Kind::Other;  // whatever it is, it is not ours to replace
    return other;
  }
  if (!entry) return {};
  try {
    const std::string manifest = small_blob(*entry);
    return read_cache_artefact(manifest,
                               {.manifest = [&](const Descriptor& found) { return small_blob(found); },
                                .blob = [&](const Descriptor& found) { return small_blob(found); }},
                               options_.platforms);
  } catch (const NotFound& e) {
    FoundCache found = damaged(e);
    found.version = entry->digest.str();
    return found;
  } catch (const IntegrityError& e) {
    FoundCache found = damaged(e);
    found.version = entry->digest.str();
    return found;
  }
}

namespace {

/// Else whoever saves the same layer there would take it for saved. Read once more, as that is for good.
void remove_damaged(const fs::path& path, const Digest& digest) {
  try {
    if (!is_blob(path, digest)) ::unlink(path.c_str());
  } catch (const SystemError&) {  // it cannot be read: maybe another time
  }
}

}  // namespace

void DirectoryCache::fetch(const Descriptor& layer, BlobStore& into, const TransferProgress& progress,
                           std::stop_token stop) {
  if (into.has(layer.digest)) return;
  const fs::path path = blob_path(layer.digest);
  UniqueFd from;
  try {
    from = open_file(path, O_RDONLY);
  } catch (const SystemError& e) {
    if (e.error_number() == ENOENT) throw NotFound(concat("blob ", layer.digest.str(), " is not there"));
    throw TransportError(e.what(), false);
  }
  BlobWriter writer = into.create();
  std::string block(kBlock, '\0');
  while (const std::size_t size = read_some(from.get(), block, path)) {
    if (stop.stop_requested()) throw Cancelled{};
    writer.write(std::string_view(block).substr(0, size));
    if (progress) progress(writer.written(), layer.size);
  }
  try {
    writer.commit(layer.digest);
  } catch (const IntegrityError&) {
    remove_damaged(path, layer.digest);
    throw;
  }
}

bool DirectoryCache::holds(const Digest& blob, std::uint64_t size) const {
  std::error_code none;
  const bool is_size_known = size != 0;  // others may not say it
  return is_size_known ? has_blob_size(blob_path(blob), size) : fs::exists(blob_path(blob), none);
}

void DirectoryCache::add(const LayerUpload& upload, std::stop_token stop) {
  const fs::path path = blob_path(upload.layer.digest);
  if (holds(upload.layer.digest, upload.layer.size)) return;
  std::error_code problem;
  fs::create_directories(path.parent_path(), problem);
  if (problem) throw SystemError(problem.value(), "make directory", path.parent_path().native());
  const UniqueFd in = upload.open();
  TempFile out(path);
  copy_blob_bytes(in.get(), out.fd(), upload.layer.digest, upload.layer.size, path.native(), stop);
  out.commit();
}

bool DirectoryCache::write(const CacheConfig& config, const std::string& version, std::stop_token stop) {
  const CacheArtefact artefact = write_cache_artefact(config, options_.form);
  std::error_code problem;
  fs::create_directories(options_.directory / "blobs" / "sha256", problem);
  if (problem) throw SystemError(problem.value(), "make directory", options_.directory.native());
  const UniqueFd lock = lock_directory(options_.directory, stop);
  Index index{.media_type = std::string(media_type::kOciIndex)};
  if (const auto raw = read_file_if_exists(options_.directory / "index.json"))
    index = parse_index(*raw).value;
  const auto present = find_entry(index);
  if ((present ? present->digest.str() : "") != version) return false;
  // A writer before us may have removed what it no longer needed after we saw it there.
  for (const Descriptor& blob : blobs_of_cache_artefact(artefact.bytes))
    if (blob.media_type != kCacheConfigType && !holds(blob.digest, blob.size)) return false;
  std::string before;
  if (present)
    if (auto bytes = read_file_if_exists(blob_path(present->digest))) before = std::move(*bytes);

  const Digest digest = Digest::of(artefact.bytes);
  write_file_atomic(blob_path(Digest::of(artefact.config)), artefact.config);
  write_file_atomic(blob_path(digest), artefact.bytes);
  std::erase_if(index.manifests, [&](const Descriptor& entry) {
    const auto name = entry.annotations.find(kRefName);
    return name != entry.annotations.end() && name->second == options_.tag;
  });
  index.manifests.push_back({.media_type = artefact.media_type,
                             .digest = digest,
                             .size = artefact.bytes.size(),
                             .platform = {},
                             .annotations = {{kRefName, options_.tag}},
                             .artifact_type = {}});
  write_file_atomic(options_.directory / "oci-layout", kLayoutFile);
  write_file_atomic(options_.directory / "index.json", to_json(index));
  if (present && present->digest != digest) remove_unused(before, index);
  return true;
}

/// What the replaced cache referred to and nothing in the directory refers to now. Other blobs are others'.
void DirectoryCache::remove_unused(const std::string& old_manifest, const Index& index) const {
  std::set<Digest> used;
  std::vector<Descriptor> open = index.manifests;
  while (!open.empty()) {
    const Descriptor entry = open.back();
    open.pop_back();
    if (!used.insert(entry.digest).second) continue;
    if (!media_type::is_index(entry.media_type) && !media_type::is_manifest(entry.media_type)) continue;
    const auto bytes = read_file_if_exists(blob_path(entry.digest));
    if (!bytes) continue;
    if (media_type::is_index(entry.media_type)) {
      for (const Descriptor& inner : parse_index(*bytes).value.manifests) open.push_back(inner);
    } else {
      const Manifest manifest = parse_manifest(*bytes).value;
      if (manifest.config) used.insert(manifest.config->digest);
      for (const Descriptor& layer : manifest.layers) used.insert(layer.digest);
    }
  }
  std::vector<Digest> old{Digest::of(old_manifest)};
  for (const Descriptor& blob : blobs_of_cache_artefact(old_manifest)) old.push_back(blob.digest);
  for (const Digest& digest : old)
    if (!used.contains(digest)) ::unlink(blob_path(digest).c_str());
}

}  // namespace slipway
