#include "dockerfile/env_list.h"

#include "base/strings.h"

namespace slipway::dockerfile {

EnvList::EnvList(const std::vector<std::string>& strings) {
  for (const std::string& entry : strings) {
    const std::size_t equals = entry.find('=');
    set(std::string_view(entry).substr(0, equals),
        equals == std::string::npos ? std::string_view{} : std::string_view(entry).substr(equals + 1));
  }
}

void EnvList::set(std::string_view name, std::string_view value) {
  const auto known = by_name_.find(name);
  if (known != by_name_.end()) {
    std::string& old = entries_[known->second].value;
    bytes_ = bytes_ - old.size() + value.size();
    old = value;
    return;
  }
  by_name_.emplace(name, entries_.size());
  entries_.push_back({std::string(name), std::string(value)});
  bytes_ += name.size() + value.size() + 2;
}

std::optional<std::string_view> EnvList::find(std::string_view name) const {
  const auto known = by_name_.find(name);
  if (known == by_name_.end()) return std::nullopt;
  return entries_[known->second].value;
}

std::vector<std::string> EnvList::names() const {
  std::vector<std::string> out;
  for (const Entry& entry : entries_) out.push_back(entry.name);
  return out;
}

std::vector<std::string> EnvList::strings() const {
  std::vector<std::string> out;
  for (const Entry& entry : entries_) out.push_back(concat(entry.name, "=", entry.value));
  return out;
}

}  // namespace slipway::dockerfile
