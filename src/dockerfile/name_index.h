#pragma once
// Finds an entry of a list by its name.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace slipway::dockerfile {

/// Positions in a vector whose elements have a `name`, sorted by it. A list that is copied for each stage
/// and lane costs one allocation for it, not one a name.
class NameIndex {
 public:
  template <class Entries>
  std::optional<std::size_t> find(const Entries& entries, std::string_view name) const {
    const auto at = lower_bound(entries, name);
    if (at == sorted_.end() || entries[*at].name != name) return std::nullopt;
    return *at;
  }

  /// Notes the last element, whose name is new.
  template <class Entries>
  void added(const Entries& entries) {
    sorted_.insert(lower_bound(entries, entries.back().name), static_cast<std::uint32_t>(entries.size() - 1));
  }

 private:
  template <class Entries>
  std::vector<std::uint32_t>::const_iterator lower_bound(const Entries& entries,
                                                         std::string_view name) const {
    return std::lower_bound(
        sorted_.begin(), sorted_.end(), name,
        [&](std::uint32_t at, std::string_view wanted) { return entries[at].name < wanted; });
  }

  std::vector<std::uint32_t> sorted_;
};

}  // namespace slipway::dockerfile
