#pragma once
// Base images: found in the store by name, else in their registry; unpacked layer by layer when a step needs
// them.
#include <exception>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "base/synchronized.h"
#include "content/store.h"
#include "dockerfile/lower.h"
#include "manifest/image_ref.h"
#include "nodes/oci_layout.h"
#include "registry/client.h"

namespace slipway {

/// (item such as "sha256:0123… pulling", bytes so far, bytes in all)
using ItemProgress = std::function<void(const std::string& item, std::uint64_t current, std::uint64_t total)>;

/// Where the manifests and configs of images go that the store lacks.
enum class KeepDocuments { InStore, InMemory };

/// One of these sees one version of each tag: what a registry said of it first holds, for all platforms.
/// Thread-safe.
class ImageSource final : public dockerfile::ImageResolver {
 public:
  /// With InMemory nothing is written to the store, and only looking (resolve, find_unpacked_root) is
  /// possible.
  ImageSource(Store& store, RegistryClient& registry, KeepDocuments keep = KeepDocuments::InStore)
      : store_(store), registry_(registry), keep_(keep) {}

  /// Resolves them side by side, so that a registry far away is waited for once and not once an image.
  void expect(const std::vector<dockerfile::WantedImage>& wanted, std::stop_token stop) override;

  /// The store's own image of that name wins over the registry. Manifests and configs are kept in the store.
  /// Throws as the interface says; an image without the platform is InvalidInput that lists those it has.
  dockerfile::BaseImage resolve(const ImageRef& ref, const Platform& platform, std::stop_token stop) override;

  /// From now on what is asked for as `name`, and all that belongs to it, comes from `layout`, where it is
  /// `image`. Call before resolving.
  void add_layout(const ImageRef& name, OciLayout layout, const Descriptor& image);

  /// The unpacked root of a "docker-image://" source that resolve() pinned; nothing for an image without
  /// layers.
  std::optional<SnapshotId> unpack(const SourceOp& source, const ItemProgress& progress,
                                   std::stop_token stop);

  /// The image for `platform` of the same name, if `source` is one that resolve() pinned for another platform
  /// and there is one. Throws as resolve() does for everything but a missing platform.
  std::optional<SourceOp> sibling(const SourceOp& source, const Platform& platform, std::stop_token stop);

  /// The layers of a source that resolve() pinned; nothing if they are not known without fetching anything.
  std::optional<std::vector<Digest>> find_diff_ids(const SourceOp& source);

  /// What unpack() would return, if it is known without fetching or unpacking anything.
  std::optional<std::optional<SnapshotId>> find_unpacked_root(const SourceOp& source);

  /// Fetches a layer that the store has lost from the image that resolve() found it in. Throws NotFound if
  /// that is none, else as the registry's client.
  void fetch_again(const Descriptor& layer, std::stop_token stop);

  /// Repositories known to hold a blob, on the given registry: candidates for a mount instead of an upload.
  std::vector<std::string> repositories_with(const Digest& blob, const std::string& domain);

 private:
  dockerfile::BaseImage resolve_now(const ImageRef& ref, const Platform& platform, std::stop_token stop);
  /// What the registry has under the name. Platforms that ask at once wait for one answer.
  FetchedManifest ask_registry(const ImageRef& ref, const std::stop_token& stop);
  /// The bytes of a manifest or index: from the store if they are there, else fetched and kept.
  std::string document(const ImageRef& ref, const Descriptor& descriptor, std::stop_token stop);
  std::string config_bytes(const ImageRef& ref, const Descriptor& config, std::stop_token stop);
  void fetch_blob(const ImageRef& ref, const Descriptor& blob, const ItemProgress& progress,
                  std::stop_token stop);

  struct LayoutImage {
    OciLayout layout;
    Descriptor image;
  };
  std::string layout_document(const LayoutImage& layout, const Digest& digest, std::stop_token stop);
  /// Null if the name is of no layout.
  const LayoutImage* find_layout(const ImageRef& ref) const;

  void keep(const std::string& bytes);
  /// Nothing if it is neither in the store nor in memory.
  std::optional<std::string> kept(const Digest& digest);

  Store& store_;
  RegistryClient& registry_;
  const KeepDocuments keep_;
  Synchronized<std::map<Digest, std::string>> in_memory_;
  std::map<std::string, LayoutImage> layouts_;  ///< by name without tag; fixed once resolving begins
  Synchronized<std::map<dockerfile::WantedImage, dockerfile::BaseImage>> resolved_;
  Synchronized<std::map<dockerfile::WantedImage, std::exception_ptr>> failed_;  ///< till resolve() tells them
  Synchronized<std::map<ImageRef, std::shared_future<FetchedManifest>>> answers_;
  Synchronized<std::multimap<Digest, ImageRef>> homes_;
};

}  // namespace slipway
