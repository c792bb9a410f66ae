#include "build/mount_selection.h"

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"

namespace slipway {

namespace {

/// "500MB", "2GiB", "1g", bytes; nothing for what is no size.
std::optional<std::uint64_t> parse_size(std::string_view text) {
  const std::size_t end = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = parse_unsigned(text.substr(0, end));
  std::string unit = to_lower(text.substr(end));
  const std::uint64_t base = unit.ends_with("ib") ? 1024 : 1000;
  if (unit.ends_with("ib")) unit.resize(unit.size() - 2);
  if (unit.ends_with('b')) unit.pop_back();
  const std::string_view units = "kmgt";
  const std::size_t power = unit.empty() ? 0 : units.find(unit) + 1;
  if (!number || *number > (std::uint64_t{1} << 40) || unit.size() > 1 || (!unit.empty() && power == 0))
    return std::nullopt;
  std::uint64_t size = *number;
  for (std::size_t i = 0; i < power; ++i) {
    if (size > (std::uint64_t{1} << 50)) return std::nullopt;
    size *= base;
  }
  return size;
}

}  // namespace

bool MountSelection::has(const std::string& id) const {
  return all || std::ranges::any_of(ids, [&](const std::string& chosen) {
           return id == chosen || id.starts_with(chosen + "@");
         });
}

MountSelection take_mounts(Attributes& attributes, const char* flag) {
  const std::string value = attributes.take("mounts"), lower = to_lower(value);
  MountSelection mounts;
  if (lower == "true" || lower == "1") {
    mounts.all = true;
  } else if (!value.empty() && lower != "false" && lower != "0") {
    mounts.ids = split(value, ',');
    if (std::ranges::find(mounts.ids, std::string()) != mounts.ids.end())
      throw UsageError(concat(flag, ": mounts=", value, ": an id is empty"));
  }
  return mounts;
}

std::uint64_t take_most_mount_bytes(Attributes& attributes, const char* flag) {
  const std::string value = attributes.take("mounts-max-size");
  if (value.empty()) return kDefaultMostMountBytes;
  const auto size = parse_size(value);
  if (!size) throw UsageError(concat(flag, ": mounts-max-size=", value, " is no size (500MB, 2GB)"));
  return *size;
}

}  // namespace slipway
