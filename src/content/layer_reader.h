#pragma once
// Reads a layer: decompresses, digests the tar's bytes, and gives its entries. Internal to layers.
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/digest.h"
#include "content/layer_tar.h"

namespace slipway {

/// "./usr//bin/" and "/usr/bin" are "usr/bin"; the root is "". Throws InvalidInput for ".." and for what no
/// file system takes.
std::string clean_entry_name(std::string_view name);

/// One owner, not thread-safe.
class LayerReader {
 public:
  enum class Filters {
    OfLayers,    ///< none, gzip (of any number of members), zstd
    All,         ///< also bzip2, xz, lz4, compress
    OfArchives,  ///< none, or one of gzip, bzip2, xz and zstd; no digest is made
  };
  enum class Start { Tar, Other, Damaged };
  /// Whether the file, by one of OfArchives' filters, begins with a tar's entry; Damaged if it is compressed
  /// and that much of it cannot be had. Moves the file's position.
  static Start start_of(int fd);
  /// `shown` names the archive in messages. The descriptor is the caller's.
  LayerReader(int fd, Filters filters, std::string shown, std::stop_token stop);
  ~LayerReader();

  /// The next entry, with names as they are in the archive; null at the end. Throws InvalidInput, Cancelled.
  const LayerEntry* next();
  /// The bytes of the entry that next() gave; holes of sparse files are left out.
  void read_bytes(const std::function<void(std::uint64_t offset, std::string_view bytes)>& use);
  /// Writes them to a file that is empty.
  void write_bytes(int fd);
  /// The digest of the whole uncompressed stream, with what follows the end of the archive.
  Digest finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway
