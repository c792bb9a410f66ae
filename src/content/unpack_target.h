#pragma once
// Writes a layer's entries into the directory of a snapshot's own changes, as overlayfs keeps them. Internal
// to layers.
#include <filesystem>
#include <functional>
#include <string>

#include "base/logger.h"
#include "base/rooted.h"
#include "content/layer_tar.h"
#include "content/lower_view.h"
#include "content/unpack_metadata.h"

namespace slipway {

/// Nothing is written outside of `upper`, whatever the entries say. Not thread-safe.
class UnpackTarget {
 public:
  /// `lower` is what the snapshot stands on; `layer` names the layer in warnings.
  UnpackTarget(const std::filesystem::path& upper, LowerDirectory lower, Logger& logger, std::string layer);

  /// Writes the bytes of a regular file to a descriptor.
  using WriteBytes = std::function<void(int fd)>;
  /// Names must be clean (clean_entry_name). Throws InvalidInput for what makes no sense, SystemError.
  void add(const LayerEntry& entry, const WriteBytes& write_bytes);
  /// Call once after the last entry.
  void finish();

 private:
  struct Place {
    int directory = -1;
    std::string name;
    std::string directory_path;
  };
  int directory_for(const std::string& path);
  UniqueFd make_directory_path(const std::string& path);
  void make_implicit_directory(const std::string& path, const std::optional<struct stat>& whiteout);
  std::optional<struct stat> status_at(const Place& place) const;
  void remove_existing(const Place& place, const std::string& path, const struct stat& status);

  void add_root(const LayerEntry& entry);
  void add_whiteout(const Place& place, const std::string& path);
  void hide(const Place& marker, const std::string& name);
  void add_directory(const Place& place, const LayerEntry& entry, const std::optional<struct stat>& replaced);
  void add_file(const Place& place, const LayerEntry& entry, const WriteBytes& write_bytes);
  void add_special(const Place& place, const LayerEntry& entry);
  void add_hard_link(const Place& place, const LayerEntry& entry);
  void copy_from_lower(const Place& place, const LayerEntry& entry);
  void make_opaque(int directory, const std::string& path);
  LowerDirectory lower_directory(const std::string& path) const;
  bool hides_lower(const std::string& path) const;

  RootedDir root_;
  LowerDirectory lower_;
  UnpackMetadata metadata_;
  UniqueFd last_directory_;  ///< most entries lie beside the one before
  std::string last_directory_path_;
};

}  // namespace slipway
