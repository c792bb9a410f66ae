#pragma once
// Plain tar files of whole entries, for OCI archives. Not for layers (content/layers.h).
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/digest.h"

namespace slipway {

/// Writes to a descriptor of the caller's. The same calls give the same bytes: mtime 0, owner 0. Throws
/// SystemError.
class TarFileWriter {
 public:
  explicit TarFileWriter(int fd);
  ~TarFileWriter();
  void add_directory(const std::string& name);
  void add_bytes(const std::string& name, std::string_view bytes);
  /// `size` bytes from `fd`; throws IntegrityError if it holds fewer, or bytes of another digest.
  void add_file(const std::string& name, int fd, const Digest& digest, std::uint64_t size);
  /// Writes the end; without it the archive is incomplete.
  void close();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway
