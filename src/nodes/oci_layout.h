#pragma once
// An OCI image layout directory of the caller's, to read images from. Its bytes are checked when they are put
// into the store, never trusted.
#include <filesystem>
#include <stop_token>
#include <string>
#include <string_view>

#include "content/store.h"
#include "manifest/oci.h"

namespace slipway {

/// Immutable, thread-safe.
class OciLayout {
 public:
  /// Throws InvalidInput if the directory is no layout.
  explicit OciLayout(std::filesystem::path directory);

  /// What "TAG" or "sha256:…" names in it; empty: "latest", or the only image. Throws InvalidInput that lists
  /// what there is.
  Descriptor find(std::string_view tag_or_digest) const;

  /// Puts a blob into the store. Throws InvalidInput if the layout does not have it, IntegrityError if its
  /// bytes are others.
  void copy_blob(const Digest& digest, Store& store, std::stop_token stop) const;

  /// The bytes of a manifest or config, and of nothing larger. Throws the same.
  std::string read_document(const Digest& digest) const;

  const std::filesystem::path& directory() const { return directory_; }

 private:
  std::filesystem::path directory_;
};

}  // namespace slipway
