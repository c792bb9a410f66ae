#pragma once
// Caches outside the store as a build reads them. Finding a step's result there costs nothing but the cache's
// own documents: layers are fetched only when something needs them, and what then cannot be had is made anew.
#include <atomic>
#include <chrono>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/progress.h"
#include "base/synchronized.h"
#include "build/cache_specs.h"
#include "cache/cache_content.h"
#include "cache/cache_place.h"
#include "content/store.h"
#include "nodes/cache_mount_names.h"
#include "nodes/image_source.h"
#include "registry/client.h"

namespace slipway {

/// A step's result that is in a cache, and not in the store.
struct RemoteResult {
  CachedResult result;
  std::size_t cache = 0;  ///< which of CacheImports'
};

/// A cache does not give what it lists. Ends what needed that; who catches it calls CacheImports::lose().
class CacheLost final : public Error {
 public:
  CacheLost(std::size_t cache, std::string message) : Error(std::move(message)), cache_(cache) {}
  std::size_t cache() const { return cache_; }

 private:
  std::size_t cache_;
};

/// load() comes first, from one thread; the rest is thread-safe. All that is given must outlive it.
class CacheImports {
 public:
  /// How long a cache is waited for that is not required, and whose service does not ask clients to wait
  /// (GitHub's does, and has a timeout of its own).
  struct Patience {
    std::chrono::milliseconds documents = std::chrono::seconds(30);  ///< for all of them
    /// Without a byte of a layer. More than a server may ask to wait (60 s).
    std::chrono::milliseconds layer = std::chrono::seconds(90);
  };
  CacheImports(const std::vector<CacheSource>& sources, const std::vector<Platform>& platforms, Store& store,
               RegistryClient& registry, ProgressSink& progress)
      : CacheImports(sources, platforms, store, registry, progress, Patience()) {}
  CacheImports(const std::vector<CacheSource>& sources, const std::vector<Platform>& platforms, Store& store,
               RegistryClient& registry, ProgressSink& progress, Patience patience);
  ~CacheImports();

  /// Reads every cache's documents, side by side. What is wrong with one is said in a line, and the build goes
  /// on without it; of one that is required it is thrown as HostError.
  void load(std::stop_token stop);

  /// The first cache's that has it; null if none does. Caches that were lost have nothing any more.
  std::shared_ptr<const RemoteResult> find(const Digest& key) const;

  /// Of the cache, for people.
  std::string name_of(const RemoteResult& remote) const;

  /// Has the layers' blobs in the store. Throws CacheLost, Cancelled; SystemError where the store cannot take
  /// them, as what follows does.
  void fetch(const RemoteResult& remote, const ItemProgress& progress, std::stop_token stop);
  /// Makes a snapshot of it. Throws CacheLost, Cancelled.
  SnapshotId unpack(const RemoteResult& remote, const ItemProgress& progress, std::stop_token stop);
  /// Has the blob in the store if one of the caches lists it; else nothing happens. Throws as fetch() does.
  void fetch_blob(const Descriptor& blob, const ItemProgress& progress, std::stop_token stop);
  /// Gives cache mounts what the caches have of them; empty if none of the sources is to. What it throws:
  /// Cancelled, HostError if what is required cannot be had.
  CacheMountFill mount_fill();
  /// Repositories on that registry which hold a blob.
  std::vector<std::string> repositories_with(const Digest& blob, const std::string& domain) const;

  /// The build goes on without that cache and says so, once; HostError if it is required.
  void lose(const CacheLost& lost);

 private:
  struct Import;
  void give_up(Import& import, std::atomic<bool>& lost, const std::string& why, const char* consequence);
  bool fill_mount(const CacheMountUse& mount, const std::filesystem::path& parent,
                  const ItemProgress& progress, const std::stop_token& stop);
  void unpack_mount(Import& import, const CacheConfigMount& mount, const std::filesystem::path& parent,
                    const ItemProgress& progress, const std::stop_token& stop);
  void fetch_layer(Import& import, const Descriptor& layer, const ItemProgress& progress,
                   const std::stop_token& stop);

  Store& store_;
  ProgressSink& progress_;
  const Patience patience_;
  std::vector<std::unique_ptr<Import>> imports_;
};

/// The same for cache writers: a place that a source or target names.
std::unique_ptr<CachePlace> place_of(const CacheTarget& target, RegistryClient& registry, Logger& logger);

}  // namespace slipway
