#pragma once
// Reading the table of native twins, as slipway-exec does: no library, no allocation, no trust. Whatever the
// bytes are, nothing outside of them is read, and what does not fit is as if it were not there.
#include "accel/exec/table_format.h"

namespace slipway::twin_file {

class Table {
 public:
  /// `bytes` has to be aligned to 8 and to outlive the object.
  Table(const void* bytes, std::uint64_t size) : bytes_(static_cast<const char*>(bytes)), size_(size) {}

  bool is_valid() const {
    if (size_ < sizeof(Header)) return false;
    const Header& head = header();
    const Entry* entries;
    const Text* variables;
    return head.magic == kMagic && head.size == size_ && find(head.entries, entries) &&
           find(head.declined_variables, variables);
  }
  /// Of a valid table.
  const Header& header() const { return *reinterpret_cast<const Header*>(bytes_); }

  /// False if the list is not all in the table.
  template <class T>
  bool find(List list, const T*& first) const {
    if (list.offset % alignof(T) != 0 || list.offset > size_) return false;
    first = reinterpret_cast<const T*>(bytes_ + list.offset);
    return std::uint64_t{list.count} * sizeof(T) <= size_ - list.offset;
  }
  /// Null if the text or the NUL behind it is not in the table.
  const char* text(Text text) const {
    if (std::uint64_t{text.offset} + text.size >= size_) return nullptr;
    return bytes_[std::uint64_t{text.offset} + text.size] == 0 ? bytes_ + text.offset : nullptr;
  }

  /// The entry of just this file, in a valid table.
  const Entry* entry(std::uint64_t inode, std::uint64_t size, std::int64_t mtime_ns,
                     std::int64_t ctime_ns) const {
    const Entry* entries;
    if (!find(header().entries, entries)) return nullptr;
    std::uint32_t low = 0, high = header().entries.count;
    while (low < high) {
      const std::uint32_t middle = low + (high - low) / 2;
      if (entries[middle].inode < inode)
        low = middle + 1;
      else
        high = middle;
    }
    if (low == header().entries.count) return nullptr;
    const Entry& at = entries[low];
    const bool same =
        at.inode == inode && at.size == size && at.mtime_ns == mtime_ns && at.ctime_ns == ctime_ns;
    return same ? &at : nullptr;
  }

 private:
  const char* bytes_;
  std::uint64_t size_;
};

}  // namespace slipway::twin_file
