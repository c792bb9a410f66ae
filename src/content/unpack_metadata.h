#pragma once
// Owners, modes, attributes and times of what unpacking makes, and what to do where this process may not set
// them. Internal to layers.
#include <map>
#include <string>

#include "base/logger.h"
#include "base/rooted.h"
#include "content/layer_tar.h"
#include "content/owner_view.h"

namespace slipway {

/// Not thread-safe; one layer's.
class UnpackMetadata {
 public:
  /// `layer` names it in warnings, of which each kind comes once.
  UnpackMetadata(Logger& logger, std::string layer) : logger_(logger), layer_(std::move(layer)) {}

  /// For a regular file or a directory that is open. A directory's mode and time are set by
  /// finish_directories(): what is still to be put into it would change them.
  void apply(int fd, const LayerEntry& entry);
  /// For anything else, by name.
  void apply_at(int directory, const std::string& name, const LayerEntry& entry);
  void remember_directory(const std::string& path, const LayerEntry& entry);
  /// It was removed again, with all that is in it.
  void forget_directory(const std::string& path);
  /// Deepest first.
  void finish_directories(const RootedDir& root);

  void warn_device(const std::string& path);

 private:
  void check_owner(int result, const std::string& path);
  void warn_once(bool& warned, const std::string& what);

  struct Directory {
    mode_t mode = 0755;
    struct timespec mtime {};
  };
  const OwnerView owners_;
  Logger& logger_;
  std::string layer_;
  std::map<std::string, Directory> directories_;
  bool warned_owner_ = false, warned_device_ = false, warned_xattr_ = false;
};

}  // namespace slipway
