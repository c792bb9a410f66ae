#pragma once
// The checksums that package databases keep of their files. Not for content of our own: that is
// base/digest.h. They tell an unchanged file from a changed one and are no defence against somebody who
// forges them.
#include <string>
#include <string_view>

namespace slipway {

enum class ChecksumKind { Md5, Sha1 };

struct Checksum {
  ChecksumKind kind = ChecksumKind::Md5;
  std::string hex;  ///< lower case
  bool operator==(const Checksum&) const = default;
};

/// Throws HostError where the machine's OpenSSL is set up to refuse the algorithm (FIPS).
Checksum checksum_of(ChecksumKind kind, std::string_view bytes);

/// Lower-case hexadecimal digits of bytes.
std::string to_hex(std::string_view bytes);

}  // namespace slipway
