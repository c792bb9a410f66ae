#pragma once
// glibc's /etc/ld.so.cache, in the format of its own since 2.32 (magic "glibc-ld.so.cache1.1"),
// little-endian: where the loader looks up libraries by name. Without a library of its own and without trust,
// as the table's reader.
#include <cstdint>

#include "accel/exec/matching.h"

namespace slipway {

class LoaderCache {
 public:
  /// `bytes` has to be aligned to 8 and to outlive the object.
  LoaderCache(const char* bytes, std::uint64_t size) : bytes_(bytes), size_(size) {}

  bool is_valid() const {
    if (size_ < sizeof(Header)) return false;
    for (std::uint64_t i = 0; i < sizeof kMagic - 1; ++i)
      if (bytes_[i] != kMagic[i]) return false;
    return texts_end() <= size_ && header().strings > 0 && bytes_[texts_end() - 1] == 0;
  }

  /// Of a valid cache: whether `accept` takes all places that it has for a library, of whatever machine.
  /// False also for a damaged one.
  template <class Accept>
  bool each_place_of(const char* library, Accept accept) const {
    const auto* entries = reinterpret_cast<const Entry*>(bytes_ + sizeof(Header));
    for (std::uint32_t i = 0; i < header().count; ++i) {
      if (entries[i].name >= texts_end() || entries[i].place >= texts_end()) return false;
      if (twin_file::equal(bytes_ + entries[i].name, library) && !accept(bytes_ + entries[i].place))
        return false;
    }
    return true;
  }

 private:
  static constexpr char kMagic[] = "glibc-ld.so.cache1.1";
  struct Header {
    char magic[20];
    std::uint32_t count, strings, flags, extensions, unused[3];
  };
  struct Entry {
    std::uint32_t flags, name, place, version;
    std::uint64_t capabilities;
  };
  static_assert(sizeof(Header) == 48 && sizeof(Entry) == 24);
  const Header& header() const { return *reinterpret_cast<const Header*>(bytes_); }

  /// Behind the last text, whose last byte is a NUL.
  std::uint64_t texts_end() const {
    return sizeof(Header) + std::uint64_t{header().count} * sizeof(Entry) + header().strings;
  }

  const char* bytes_;
  std::uint64_t size_;
};

}  // namespace slipway
