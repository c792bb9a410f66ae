#include "runtime/cgroup_files.h"

#include <algorithm>
#include <sstream>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"

namespace slipway {
namespace fs = std::filesystem;

namespace {

/// The path of our group in the hierarchy that has the controller (cgroups(7), /proc/PID/cgroup); v2 if
/// empty.
std::optional<std::string> own_group(std::string_view text, std::string_view controller) {
  for (const std::string& line : split(text, '\n')) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string list = line.substr(first + 1, second - first - 1);
    const bool fits = controller.empty() ? list.empty() : has_word(list, controller, ',');
    if (fits) return line.substr(second + 1);
  }
  return std::nullopt;
}

}  // namespace

bool has_word(std::string_view text, std::string_view word, char separator) {
  const std::vector<std::string> words = split(trim(text), separator);
  return std::ranges::find(words, word) != words.end();
}

bool CgroupMount::may_have(std::string_view controller) const {
  return v2 || has_word(options, controller, ',');
}

std::vector<CgroupMount> parse_cgroup_mounts(std::string_view mountinfo) {
  std::vector<CgroupMount> found;
  for (const std::string& line : split(mountinfo, '\n')) {
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    const std::vector<std::string> fields = split(line.substr(0, dash), ' ');
    const std::vector<std::string> rest = split(line.substr(dash + 3), ' ');
    if (fields.size() < 5 || rest.size() < 3 || !rest[0].starts_with("cgroup")) continue;
    found.push_back({.root = fields[3], .point = fields[4], .v2 = rest[0] == "cgroup2", .options = rest[2]});
  }
  return found;
}

std::optional<fs::path> own_cgroup(const CgroupMount& mount, std::string_view own_cgroups,
                                   std::string_view controller) {
  const auto group = own_group(own_cgroups, mount.v2 ? std::string_view() : controller);
  if (!group) return std::nullopt;
  const fs::path relative = fs::path(*group).lexically_relative(mount.root);
  if (relative.empty() || *relative.begin() == "..") return std::nullopt;
  return relative == "." ? mount.point : mount.point / relative;
}

std::string cgroup_text(const fs::path& file) {
  try {
    return read_file_if_exists(file).value_or("");
  } catch (const SystemError&) {
    return "";
  }
}

std::uint64_t cgroup_counter(const fs::path& file, std::string_view name) {
  std::istringstream lines(cgroup_text(file));
  std::string key;
  std::uint64_t value = 0;
  while (lines >> key >> value)
    if (key == name) return value;
  return 0;
}

}  // namespace slipway
