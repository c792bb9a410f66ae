#pragma once
// Writes a layer's tar. The same calls give the same bytes, whatever the locale. Internal to layers.
#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "content/kept_xattrs.h"

namespace slipway {

struct LayerEntry {
  std::string name;  ///< "usr/bin/x", without a leading "/" or "./"; directories without the last "/"
  mode_t mode = 0;   ///< type and permissions
  std::uint64_t uid = 0, gid = 0;
  std::int64_t mtime = 0;
  long mtime_nanoseconds = 0;  ///< of entries read; never written
  std::uint64_t size = 0;
  dev_t device = 0;
  std::string link;     ///< of a symbolic link
  std::string same_as;  ///< a hard link to this entry, which came before
  Xattrs xattrs;
};

/// libarchive's restricted pax format: plain ustar where that can hold an entry, with pax records where it
/// cannot.
class LayerTar {
 public:
  using Write = std::function<void(std::string_view bytes)>;
  /// What `write` throws comes out of the call that made it.
  LayerTar(Write write, std::optional<std::int64_t> clamp_mtime);
  ~LayerTar();
  void add(const LayerEntry& entry);
  /// The bytes of the file that was just added; add() or close() throws IntegrityError if they were fewer
  /// than its size.
  void add_bytes(std::string_view bytes);
  /// Writes the end.
  void close();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway
