#include "dockerfile/paths.h"

#include <vector>

#include "base/strings.h"

namespace slipway::dockerfile {

std::string clean_path(std::string_view path) {
  const bool rooted = !path.empty() && path.front() == '/';
  std::vector<std::string> kept;
  for (std::string& part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      if (!kept.empty() && kept.back() != "..") {
        kept.pop_back();
        continue;
      }
      if (rooted) continue;
    }
    kept.push_back(std::move(part));
  }
  const std::string joined = join(kept, "/");
  if (rooted) return concat("/", joined);
  return joined.empty() ? "." : joined;
}

std::string clean_absolute(std::string_view path) { return clean_path(concat("/", path)); }

std::string resolve_path(std::string_view directory, std::string_view path) {
  if (!path.empty() && path.front() == '/') return clean_path(path);
  return clean_absolute(concat(directory, "/", path));
}

std::string workdir_path(std::string_view directory, std::string_view path) {
  if (path.empty()) return std::string(directory);
  if (path.front() == '/') return std::string(path);
  return clean_absolute(concat(directory, "/", path));
}

std::string base_name(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  if (path.empty()) return ".";
  if (path == "/") return "/";
  const std::size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

}  // namespace slipway::dockerfile
