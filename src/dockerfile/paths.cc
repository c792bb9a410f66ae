#include "dockerfile/paths.h"

#include <algorithm>

#include "base/strings.h"

namespace slipway::dockerfile {

std::string clean_path(std::string_view path) {
  const bool rooted = !path.empty() && path.front() == '/';
  std::string out(rooted ? "/" : "");
  out.reserve(path.size() + 1);
  const std::size_t root = out.size();
  std::size_t climbed = root;  // the end of leading "..", which nothing takes away
  while (!path.empty()) {
    const std::string_view part = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(part.size() + 1, path.size()));
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      if (out.size() > climbed) {
        const std::size_t slash = out.rfind('/');
        out.resize(slash == std::string::npos || slash < root ? root : slash);
        continue;
      }
      if (rooted) continue;
    }
    if (out.size() > root) out += '/';
    out += part;
    if (part == "..") climbed = out.size();
  }
  return out.empty() ? "." : out;
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
