#include "build/cache_import.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <future>
#include <optional>

#include "base/strings.h"
#include "build/silence_watch.h"
#include "cache/cache_mount_records.h"
#include "content/cache_mount_layer.h"
#include "content/layers.h"
#include "scheduler/io_pool.h"

namespace slipway {

struct CacheImports::Import {
  std::size_t index = 0;
  std::unique_ptr<CachePlace> place;
  bool required = false;
  bool asks_to_wait = false;
  MountSelection wanted_mounts;
  std::vector<CacheConfigMount> mounts;
  std::optional<CacheContent> content;  ///< fixed once loaded
  std::atomic<bool> lost = false, mounts_lost = false;

  bool may_take_its_time() const { return required || asks_to_wait; }
  bool is_usable() const { return content && !lost; }
  bool gives_mount(const std::string& id) const {
    return is_usable() && !mounts_lost && wanted_mounts.has(id);
  }
};

namespace {

constexpr const char* kGoingOn = "going on without it";
constexpr std::size_t kAtOnce = 8;

std::string in_seconds(std::chrono::milliseconds duration) {
  return human_seconds(std::chrono::duration<double>(duration).count());
}

/// A cache's documents on their way. run() is for one thread, the rest for another.
class DocumentsRead {
 public:
  void run(CachePlace& place) noexcept {
    try {
      result_.set_value(place.read(stop_.get_token()));
    } catch (...) {
      result_.set_exception(std::current_exception());
    }
  }
  void stop() { stop_.request_stop(); }
  bool wait_until(std::chrono::steady_clock::time_point deadline) const {
    return found_.wait_until(deadline) == std::future_status::ready;
  }
  /// Waits for it. Throws what run() met.
  FoundCache take() { return found_.get(); }

 private:
  std::stop_source stop_;
  std::promise<FoundCache> result_;
  std::future<FoundCache> found_ = result_.get_future();
};

/// At the end of its scope: whoever still reads needs not.
struct StopAll {
  ~StopAll() {
    for (DocumentsRead& read : reads) read.stop();
  }
  std::vector<DocumentsRead>& reads;
};

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
                           Store& store, RegistryClient& registry, ProgressSink& progress, Patience patience)
    : store_(store), progress_(progress), patience_(patience) {
  for (const CacheSource& source : sources) {
    auto import = std::make_unique<Import>();
    import->index = imports_.size();
    import->place = place_of(source, platforms, registry, store.logger());
    import->required = source.required;
    import->asks_to_wait = source.type == CacheSource::Type::Gha;
    import->wanted_mounts = source.mounts;
    imports_.push_back(std::move(import));
  }
}

CacheImports::~CacheImports() = default;

void CacheImports::give_up(Import& import, std::atomic<bool>& lost, const std::string& why,
                           const char* consequence) {
  if (lost.exchange(true)) return;
  if (import.required) throw HostError(concat(import.place->name(), " ", why, ", and it is required"));
  progress_.emit(Warned{.message = concat(import.place->name(), " ", why, "; ", consequence),
                        .rule = {},
                        .description = {},
                        .where = {}});
}

void CacheImports::load(std::stop_token stop) {
  const auto deadline = std::chrono::steady_clock::now() + patience_.documents;
  std::vector<DocumentsRead> reads(imports_.size());
  const std::stop_callback on_stop(stop, [&reads] { const StopAll now{reads}; });
  IoPool pool({.threads = std::min(imports_.size(), kAtOnce)});
  const StopAll before_the_pool_ends{reads};
  for (std::size_t i = 0; i < imports_.size(); ++i)
    pool.submit([&read = reads[i], &place = *imports_[i]->place] { read.run(place); });
  for (std::size_t i = 0; i < imports_.size(); ++i) {
    Import& import = *imports_[i];
    std::string problem;
    try {
      if (!import.may_take_its_time() && !reads[i].wait_until(deadline)) {
        reads[i].stop();
        problem = concat("did not answer within ", in_seconds(patience_.documents));
      } else {
        FoundCache found = reads[i].take();
        problem = problem_of(found);
        if (problem.empty()) import.mounts = std::move(found.config.mounts);
        if (problem.empty()) import.content.emplace(std::move(found.config));
      }
    } catch (const Error& e) {
      problem = concat("cannot be read: ", e.what());
    }
    if (!problem.empty()) give_up(import, import.lost, problem, kGoingOn);
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

std::string CacheImports::name_of(const RemoteResult& remote) const {
  return imports_.at(remote.cache)->place->name();
}

void CacheImports::fetch_layer(Import& import, const Descriptor& layer, const ItemProgress& progress,
                               const std::stop_token& stop) {
  if (store_.blobs().has(layer.digest)) return;
  // One that died would be asked again and again, each time for long.
  if (import.lost) throw CacheLost(import.index, "was given up before");
  const std::string item = concat("sha256:", layer.digest.short_hex(), " from the cache");
  std::optional<SilenceWatch> watch;
  if (!import.may_take_its_time()) watch.emplace(patience_.layer, stop);
  const auto tell = [&](std::uint64_t current, std::uint64_t total) {
    if (watch) watch->heard();
    if (progress) progress(item, current, total);
  };
  try {
    import.place->fetch(layer, store_.blobs(), tell, watch ? watch->token() : stop);
  } catch (const Cancelled&) {
    if (stop.stop_requested() || !watch || !watch->gave_up()) throw;
    throw CacheLost(import.index, concat("sent nothing of a layer for ", in_seconds(patience_.layer)));
  } catch (const SystemError&) {  // the store cannot take it: no cache's fault
    throw;
  } catch (const Error& e) {
    throw CacheLost(import.index, concat("does not give a layer: ", e.what()));
  }
}

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
    auto known = find_unpacked(store_, *chain);
    std::optional<StepLock> turn;
    if (!known) {
      turn.emplace(take_unpack_turn(store_, *chain, stop));
      known = find_unpacked(store_, *chain);  // by who had the turn before
    }
    if (known) {
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

CacheMountFill CacheImports::mount_fill() {
  if (std::ranges::all_of(imports_, [](const auto& import) { return import->wanted_mounts.empty(); }))
    return {};
  return [this](const CacheMountUse& mount, const std::filesystem::path& parent, const ItemProgress& progress,
                std::stop_token stop) { return fill_mount(mount, parent, progress, stop); };
}

bool CacheImports::fill_mount(const CacheMountUse& mount, const std::filesystem::path& parent,
                              const ItemProgress& progress, const std::stop_token& stop) {
  for (const std::unique_ptr<Import>& import : imports_) {
    if (!import->gives_mount(mount.id)) continue;
    const auto found = find_mount(import->mounts, {.name = mount.name, .platform = mount.platform});
    if (!found) continue;
    try {
      unpack_mount(*import, *found, parent, progress, stop);
      return true;
    } catch (const CacheLost& lost) {
      // What it has of steps may be whole.
      give_up(*import, import->mounts_lost, lost.message(), "cache mounts start without it");
    }
  }
  return false;
}

void CacheImports::unpack_mount(Import& import, const CacheConfigMount& mount,
                                const std::filesystem::path& parent, const ItemProgress& progress,
                                const std::stop_token& stop) {
  const Layer layer{.descriptor = {.media_type = mount.media_type, .digest = mount.blob, .size = mount.size},
                    .diff_id = mount.diff_id};
  fetch_layer(import, layer.descriptor, progress, stop);
  try {
    unpack_cache_mount(store_, layer, parent, stop);
  } catch (const InvalidInput& e) {
    throw CacheLost(import.index, concat("has bad content of a cache mount: ", e.what()));
  } catch (const IntegrityError& e) {
    throw CacheLost(import.index, concat("has bad content of a cache mount: ", e.what()));
  }
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

void CacheImports::lose(const CacheLost& lost) {
  Import& import = *imports_.at(lost.cache());
  give_up(import, import.lost, lost.message(), kGoingOn);
}

}  // namespace slipway
