#include "build/cache_import.h"

#include <atomic>
#include <optional>

#include "base/strings.h"
#include "content/layers.h"

namespace slipway {

struct CacheImports::Import {
  std::size_t index = 0;
  std::unique_ptr<CachePlace> place;
  bool required = false;
  std::optional<CacheContent> content;  ///< fixed once loaded
  std::atomic<bool> lost = false;

  bool is_usable() const { return content && !lost; }
};

namespace {

std::unique_ptr<CachePlace> place_of(const CacheSource& source, const std::vector<Platform>& platforms,
                                     RegistryClient& registry, Logger& logger) {
  if (source.type == CacheSource::Type::S3) return std::make_unique<S3Cache>(source.s3, logger);
  if (source.type == CacheSource::Type::Gha)
    return std::make_unique<GhaCache>(source.gha, GhaCache::Role::Reader, logger);
  if (source.type == CacheSource::Type::Local)
    return std::make_unique<DirectoryCache>(DirectoryCache::Options{.directory = source.directory,
                                                                    .tag = source.tag,
                                                                    .digest = source.digest,
                                                                    .form = {},
                                                                    .platforms = platforms});
  return std::make_unique<RegistryCache>(
      RegistryCache::Options{.ref = *source.ref, .form = {}, .platforms = platforms}, registry);
}

/// Why nothing can be taken from it; empty if something can.
std::string problem_of(const FoundCache& found) {
  switch (found.kind) {
    case FoundCache::Kind::Nothing:
      return "is not there (yet)";
    case FoundCache::Kind::Image:
      return found.config.records.empty() ? "is an image without a cache in it" : "";
    case FoundCache::Kind::Cache:
      return "";
    case FoundCache::Kind::Other:
    case FoundCache::Kind::Damaged:
      break;
  }
  return found.problem;
}

}  // namespace

std::unique_ptr<CachePlace> place_of(const CacheTarget& target, RegistryClient& registry, Logger& logger) {
  if (target.type == CacheTarget::Type::S3) return std::make_unique<S3Cache>(target.s3, logger);
  if (target.type == CacheTarget::Type::Gha)
    return std::make_unique<GhaCache>(target.gha, GhaCache::Role::Writer, logger);
  if (target.type == CacheTarget::Type::Local)
    return std::make_unique<DirectoryCache>(DirectoryCache::Options{.directory = target.directory,
                                                                    .tag = target.tag,
                                                                    .digest = {},
                                                                    .form = target.form,
                                                                    .platforms = {}});
  return std::make_unique<RegistryCache>(
      RegistryCache::Options{.ref = *target.ref, .form = target.form, .platforms = {}}, registry);
}

CacheImports::CacheImports(const std::vector<CacheSource>& sources, const std::vector<Platform>& platforms,
                           Store& store, RegistryClient& registry, ProgressSink& progress)
    : store_(store), progress_(progress) {
  for (const CacheSource& source : sources) {
    auto import = std::make_unique<Import>();
    import->index = imports_.size();
    import->place = place_of(source, platforms, registry, store.logger());
    import->required = source.required;
    imports_.push_back(std::move(import));
  }
}

CacheImports::~CacheImports() = default;

void CacheImports::give_up(Import& import, const std::string& why) {
  if (import.lost.exchange(true)) return;
  if (import.required) throw HostError(concat(import.place->name(), " ", why, ", and it is required"));
  progress_.emit(Warned{.message = concat(import.place->name(), " ", why, "; going on without it"),
                        .rule = {},
                        .description = {},
                        .where = {}});
}

void CacheImports::load(std::stop_token stop) {
  for (const std::unique_ptr<Import>& import : imports_) {
    std::string problem;
    try {
      FoundCache found = import->place->read(stop);
      problem = problem_of(found);
      if (problem.empty()) import->content.emplace(std::move(found.config));
    } catch (const Error& e) {
      problem = concat("cannot be read: ", e.what());
    }
    if (!problem.empty()) give_up(*import, problem);
  }
}

std::shared_ptr<const RemoteResult> CacheImports::find(const Digest& key) const {
  for (const std::unique_ptr<Import>& import : imports_) {
    if (!import->is_usable()) continue;
    if (auto found = import->content->find(key))
      return std::make_shared<const RemoteResult>(
          RemoteResult{.result = std::move(*found), .cache = import->index});
  }
  return nullptr;
}

void CacheImports::fetch_layer(Import& import, const Descriptor& layer, const ItemProgress& progress,
                               const std::stop_token& stop) {
  if (store_.blobs().has(layer.digest)) return;
  // One that died would be asked again and again, each time for long.
  if (import.lost) throw CacheLost(import.index, "was given up before");
  try {
    const std::string item = concat("sha256:", layer.digest.short_hex(), " from the cache");
    import.place->fetch(
        layer, store_.blobs(),
        [&](std::uint64_t current, std::uint64_t total) {
          if (progress) progress(item, current, total);
  },
        stop);
}
catch (const Error& e) {
  throw CacheLost(import.index, concat("does not give a layer: ", e.what()));
}
}  // namespace slipway

void CacheImports::fetch(const RemoteResult& remote, const ItemProgress& progress, std::stop_token stop) {
  Import& import = *imports_.at(remote.cache);
  for (const CachedLayer& layer : remote.result.layers) fetch_layer(import, layer.descriptor, progress, stop);
}

SnapshotId CacheImports::unpack(const RemoteResult& remote, const ItemProgress& progress,
                                std::stop_token stop) {
  Import& import = *imports_.at(remote.cache);
  std::optional<SnapshotId> parent;
  std::optional<Digest> chain;
  for (const CachedLayer& layer : remote.result.layers) {
    chain = chain_id(chain, layer.diff_id);
    if (const auto known = find_unpacked(store_, *chain)) {
      parent = known;
      continue;
    }
    fetch_layer(import, layer.descriptor, progress, stop);
    try {
      parent = unpack_layer(store_, parent, {.descriptor = layer.descriptor, .diff_id = layer.diff_id}, stop,
                            layer.created);
    } catch (const InvalidInput& e) {
      throw CacheLost(import.index, concat("has a bad layer: ", e.what()));
    } catch (const IntegrityError& e) {
      throw CacheLost(import.index, concat("has a bad layer: ", e.what()));
    }
  }
  return *parent;
}

void CacheImports::fetch_blob(const Descriptor& blob, const ItemProgress& progress, std::stop_token stop) {
  std::optional<CacheLost> lost;
  for (const std::unique_ptr<Import>& import : imports_) {
    if (store_.blobs().has(blob.digest)) return;
    if (!import->content || !import->content->has_layer(blob.digest)) continue;
    try {
      fetch_layer(*import, blob, progress, stop);
      return;
    } catch (const CacheLost& e) {
      if (!lost) lost = e;
    }
  }
  if (lost) throw *lost;
}

std::vector<std::string> CacheImports::repositories_with(const Digest& blob,
                                                         const std::string& domain) const {
  std::vector<std::string> repositories;
  for (const std::unique_ptr<Import>& import : imports_)
    if (import->is_usable() && import->content->has_layer(blob))
      for (std::string& repository : import->place->repositories(domain))
        repositories.push_back(std::move(repository));
  return repositories;
}

void CacheImports::lose(const CacheLost& lost) { give_up(*imports_.at(lost.cache()), lost.message()); }

}  // namespace slipway
