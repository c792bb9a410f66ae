#pragma once
// Image references: [host[:port]/]repository[:tag][@digest], normalised as Docker does (distribution/reference
// grammar): "alpine" is docker.io/library/alpine:latest.
#include <compare>
#include <optional>
#include <string>
#include <string_view>

#include "base/digest.h"

namespace slipway {

/// Immutable; only parse() makes one.
class ImageRef {
 public:
  /// Throws InvalidInput naming what is wrong (upper case, empty tag, bad port…).
  static ImageRef parse(std::string_view text);

  const std::string& domain() const { return domain_; }       ///< "docker.io", "127.0.0.1:5000"
  const std::string& repository() const { return repository_; }  ///< "library/alpine"
  /// Empty only when a digest is given without a tag; otherwise defaulted to "latest".
  const std::string& tag() const { return tag_; }
  const std::optional<Digest>& digest() const { return digest_; }
  /// What a registry resolves: the digest if there is one, else the tag.
  std::string identifier() const { return digest_ ? digest_->str() : tag_; }
  std::string str() const;       ///< normalised, whole: "docker.io/library/alpine:latest"
  std::string familiar() const;  ///< as people write it: "alpine:latest"
  /// domain/repository without tag and digest.
  std::string name() const { return domain_ + "/" + repository_; }
  ImageRef with_digest(const Digest& digest) const;
  auto operator<=>(const ImageRef&) const = default;

 private:
  ImageRef() = default;
  std::string domain_, repository_, tag_;
  std::optional<Digest> digest_;
};

}  // namespace slipway
