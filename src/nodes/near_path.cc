#include "nodes/near_path.h"

#include <dirent.h>

#include <memory>
#include <vector>

#include "base/error.h"
#include "base/strings.h"

namespace slipway {
namespace {

// Untrusted: a directory may hold any number of names, and a path any number of parts.
constexpr std::size_t kMaxNames = 2000, kMaxParts = 32;
// One letter off is another name when there are but two.
constexpr std::size_t kMinFuzzy = 3;

std::vector<std::string> some_names(const RootedDir& tree, const std::string& directory) {
  std::vector<std::string> names;
  auto fd = tree.try_open(directory, O_RDONLY | O_DIRECTORY);
  if (!fd) return names;
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(fd->get()), ::closedir);
  if (!stream) return names;
  fd->release();
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != ".." && names.size() < kMaxNames) names.emplace_back(name);
  }
  return names;
}

std::optional<std::string> near_name(std::string_view name, const std::vector<std::string>& names) {
  for (const std::string& candidate : names)
    if (to_lower(candidate) == to_lower(name)) return candidate;
  return name.size() < kMinFuzzy ? std::nullopt : closest_match(name, names);
}

}  // namespace

std::optional<std::string> near_path(const RootedDir& tree, const PatternMatcher& ignored,
                                     std::string_view path) try {
  std::string at;
  bool corrected = false;
  std::size_t parts = 0;
  for (const std::string& part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (++parts > kMaxParts || part.find_first_of("*?[\\") != std::string::npos) return std::nullopt;
    const std::string there = at.empty() ? part : concat(at, "/", part);
    if (tree.stat(there, /*follow=*/false)) {
      at = there;
      continue;
    }
    std::vector<std::string> names = some_names(tree, at.empty() ? "." : at);
    std::erase_if(names, [&](const std::string& name) {
      return ignored.excludes(at.empty() ? name : concat(at, "/", name));
    });
    const auto near = near_name(part, names);
    if (!near) return std::nullopt;
    at = at.empty() ? *near : concat(at, "/", *near);
    corrected = true;
  }
  return corrected ? std::optional(concat("/", at)) : std::nullopt;
} catch (const Error&) {
  return std::nullopt;
}

}  // namespace slipway
