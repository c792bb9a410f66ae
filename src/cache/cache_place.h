#pragma once
// Where a layer cache lives outside the store: a directory, a registry. What is read there is not trusted:
// layers are checked by digest when they are put into the store, and by diff id when they are unpacked.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "cache/cache_manifest.h"
#include "content/blob_store.h"
#include "registry/client.h"

namespace slipway {

/// A layer on its way into a cache.
struct LayerUpload {
  Descriptor layer;
  /// Its bytes; called only if the place does not have them.
  std::function<UniqueFd()> open;
  /// Repositories of a registry that may have it.
  std::function<std::vector<std::string>(const std::string& domain)> repositories;
};

/// Thread-safe. All throw TransportError, Denied, SystemError, Cancelled beside what they say.
class CachePlace {
 public:
  virtual ~CachePlace() = default;
  /// For people: "the cache in ci-cache", "the cache registry.example.com/app:cache".
  virtual std::string name() const = 0;

  virtual FoundCache read(std::stop_token stop) = 0;
  /// Puts a layer into the store. `progress` is called once when its turn has come, and for what arrives. Throws
  /// NotFound, IntegrityError; SystemError for what the store cannot take only.
  virtual void fetch(const Descriptor& layer, BlobStore& into, const TransferProgress& progress,
                     std::stop_token stop) = 0;
  /// Repositories of that registry which hold what read() lists.
  virtual std::vector<std::string> repositories(const std::string& domain) const = 0;

  /// Whether it still has a blob that read() lists, as far as that costs nothing to know.
  virtual bool holds(const Digest&, std::uint64_t) const { return true; }
  /// Has the layer there, before write() refers to it.
  virtual void add(const LayerUpload& upload, std::stop_token stop) = 0;
  /// Replaces what is there if that is still `version` (FoundCache). False: somebody else was faster.
  virtual bool write(const CacheConfig& config, const std::string& version, std::stop_token stop) = 0;
  /// How long after a write another's, begun before it, may still replace it unseen. Zero where write()
  /// cannot be fooled.
  virtual std::chrono::milliseconds doubt() const = 0;
};

/// An OCI layout directory; the cache is one of its entries. Writers take turns by a lock on the directory.
class DirectoryCache final : public CachePlace {
 public:
  struct Options {
    std::filesystem::path directory;
    std::string tag = "latest";
    std::optional<Digest> digest;  ///< read this one, whatever its tag
    CacheForm form;
    std::vector<Platform> platforms;  ///< of images with a cache in them
  };
  explicit DirectoryCache(Options options) : options_(std::move(options)) {}

  std::string name() const override;
  FoundCache read(std::stop_token stop) override;
  void fetch(const Descriptor& layer, BlobStore& into, const TransferProgress& progress,
             std::stop_token stop) override;
  std::vector<std::string> repositories(const std::string&) const override { return {}; }
  bool holds(const Digest& blob, std::uint64_t size) const override;
  void add(const LayerUpload& upload, std::stop_token stop) override;
  bool write(const CacheConfig& config, const std::string& version, std::stop_token stop) override;
  std::chrono::milliseconds doubt() const override { return std::chrono::milliseconds(0); }

 private:
  FoundCache read_once() const;
  std::filesystem::path blob_path(const Digest& digest) const;
  std::string small_blob(const Descriptor& blob) const;
  std::optional<Descriptor> find_entry(const Index& index) const;
  void remove_unused(const std::string& old_manifest, const Index& index) const;

  const Options options_;
};

/// A tag of a repository. Registries have no compare-and-swap that all honour: write() looks again right
/// before it writes, asks for a conditional write, and doubt() says how long to wait before looking whether
/// the write has lasted.
class RegistryCache final : public CachePlace {
 public:
  struct Options {
    ImageRef ref;
    CacheForm form;
    std::vector<Platform> platforms;  ///< of images with a cache in them
  };
  /// `registry` must outlive it.
  RegistryCache(Options options, RegistryClient& registry)
      : options_(std::move(options)), registry_(registry) {}

  std::string name() const override;
  FoundCache read(std::stop_token stop) override;
  void fetch(const Descriptor& layer, BlobStore& into, const TransferProgress& progress,
             std::stop_token stop) override;
  std::vector<std::string> repositories(const std::string& domain) const override;
  void add(const LayerUpload& upload, std::stop_token stop) override;
  bool write(const CacheConfig& config, const std::string& version, std::stop_token stop) override;
  std::chrono::milliseconds doubt() const override;

 private:
  std::string small_blob(const Descriptor& blob, const std::stop_token& stop);

  const Options options_;
  RegistryClient& registry_;
  std::atomic<std::int64_t> slowest_write_ms_{0};
};

}  // namespace slipway
