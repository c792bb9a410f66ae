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
  if (const auto known = by_name_.find(entries_, name)) {
    std::string& old = entries_[*known].value;
    bytes_ = bytes_ - old.size() + value.size();
    old = value;
    return;
  }
  entries_.push_back({std::string(name), std::string(value)});
  by_name_.added(entries_);
  bytes_ += name.size() + value.size() + 2;
}

std::optional<std::string_view> EnvList::find(std::string_view name) const {
  const auto known = by_name_.find(entries_, name);
  if (!known) return std::nullopt;
  return entries_[*known].value;
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
