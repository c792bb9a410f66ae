#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "cache/cache_place.h"

namespace slipway {

namespace {

using Clock = std::chrono::steady_clock;

/// A file without a name, for what is sent as one.
UniqueFd file_of(const std::string& bytes) {
  UniqueFd fd{::memfd_create("slipway-cache", MFD_CLOEXEC)};
  if (!fd) throw SystemError(errno, "memfd_create");
  write_all(fd.get(), bytes, "the cache's config");
  return fd;
}

}  // namespace

std::string RegistryCache::name() const { return concat("the cache ", options_.ref.familiar()); }

std::string RegistryCache::small_blob(const Descriptor& blob, const std::stop_token& stop) {
  std::string bytes;
  registry_.fetch_blob(
      options_.ref, blob,
      {.write = [&](std::string_view more) { bytes += more; }, .restart = [&] { bytes.clear(); }}, {}, stop);
  check_digest(bytes, blob.digest, concat("blob ", blob.digest.str()));
  return bytes;
}

FoundCache RegistryCache::read(std::stop_token stop) {
  FetchedManifest manifest{.media_type = {}, .bytes = {}, .digest = Digest::of("")};
  try {
    manifest = registry_.fetch_manifest(options_.ref, stop);
  } catch (const NotFound&) {
    return {};
  } catch (const InvalidInput& e) {
    return {.kind = FoundCache::Kind::Other,
            .config = {},
            .problem = concat("is not a cache: ", e.what()),
            .version = {}};
  }
  return read_cache_artefact(
      manifest.bytes,
      {.manifest =
           [&](const Descriptor& entry) {
             return registry_.fetch_manifest(options_.ref.with_digest(entry.digest), stop).bytes;
           },
       .blob = [&](const Descriptor& blob) { return small_blob(blob, stop); }},
      options_.platforms);
}

void RegistryCache::fetch(const Descriptor& layer, BlobStore& into, const TransferProgress& progress,
                          std::stop_token stop) {
  if (into.has(layer.digest)) return;
  BlobWriter writer = into.create();
  registry_.fetch_blob(
      options_.ref, layer,
      {.write = [&](std::string_view bytes) { writer.write(bytes); }, .restart = [&] { writer.restart(); }},
      progress, stop);
  writer.commit(layer.digest);
}

std::vector<std::string> RegistryCache::repositories(const std::string& domain) const {
  if (domain != options_.ref.domain()) return {};
  return {options_.ref.repository()};
}

void RegistryCache::add(const LayerUpload& upload, std::stop_token stop) {
  std::vector<std::string> mount_from;
  if (upload.repositories) mount_from = upload.repositories(options_.ref.domain());
  registry_.push_blob(options_.ref, upload.layer, upload.open, mount_from, {}, stop);
}

bool RegistryCache::write(const CacheConfig& config, const std::string& version, std::stop_token stop) {
  const CacheArtefact artefact = write_cache_artefact(config, options_.form);
  const Descriptor described{.media_type = std::string(kCacheConfigType),
                             .digest = Digest::of(artefact.config),
                             .size = artefact.config.size()};
  registry_.push_blob(
      options_.ref, described, [&] { return file_of(artefact.config); }, {}, {}, stop);
  const auto before = Clock::now();
  const auto present = registry_.resolve_tag(options_.ref, stop);
  if ((present ? present->str() : "") != version) return false;
  const bool written =
      registry_.replace_manifest(options_.ref, present, artefact.media_type, artefact.bytes, stop);
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - before).count();
  slowest_write_ms_ = std::max(slowest_write_ms_.load(), static_cast<std::int64_t>(took));
  return written;
}

std::chrono::milliseconds RegistryCache::doubt() const {
  // Others take about as long as we do between their last look and their write.
  constexpr std::int64_t kLeast = 150, kMost = 3000, kMargin = 8;
  return std::chrono::milliseconds(std::clamp(slowest_write_ms_.load() * kMargin, kLeast, kMost));
}

}  // namespace slipway
