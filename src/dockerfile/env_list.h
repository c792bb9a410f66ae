#pragma once
// Environment variables in the order they were first set, as an image config keeps them.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dockerfile/name_index.h"

namespace slipway::dockerfile {

class EnvList {
 public:
  struct Entry {
    std::string name, value;
  };

  EnvList() = default;
  /// From KEY=VALUE strings; the last of equal keys wins.
  explicit EnvList(const std::vector<std::string>& strings);

  void set(std::string_view name, std::string_view value);
  std::optional<std::string_view> find(std::string_view name) const;
  std::vector<std::string> strings() const;  ///< KEY=VALUE
  const std::vector<Entry>& entries() const { return entries_; }
  std::vector<std::string> names() const;
  std::size_t bytes() const { return bytes_; }

 private:
  std::vector<Entry> entries_;
  NameIndex by_name_;
  std::size_t bytes_ = 0;
};

}  // namespace slipway::dockerfile
