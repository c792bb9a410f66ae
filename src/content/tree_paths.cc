#include "content/tree_paths.h"

#include <algorithm>
#include <deque>

#include "base/error.h"
#include "base/strings.h"
#include "content/file_bytes.h"

namespace slipway {
namespace {

constexpr int kMostLinks = 40;  // as the kernel

}  // namespace

std::vector<std::string> path_components(std::string_view path) {
  std::vector<std::string> parts;
  for (std::string& part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      parts.push_back(std::move(part));
    } else if (!parts.empty()) {
      parts.pop_back();
    }
  }
  return parts;
}

std::string real_path_in(const RootedDir& tree, std::string_view path, bool follow_last) {
  const std::vector<std::string> named = split(path, '/');
  std::deque<std::string> todo(named.begin(), named.end());
  while (!todo.empty() && (todo.back().empty() || todo.back() == ".")) todo.pop_back();
  std::vector<std::string> done;
  int links = 0;
  while (!todo.empty()) {
    const std::string part = std::move(todo.front());
    todo.pop_front();
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      if (!done.empty()) done.pop_back();
      continue;
    }
    done.push_back(part);
    if (todo.empty() && !follow_last) break;
    const std::string here = join(done, "/");
    const auto status = tree.stat(here, /*follow=*/false);
    if (!status || !S_ISLNK(status->st_mode)) continue;
    if (++links > kMostLinks) throw InvalidInput(concat("\"/", path, "\": too many symbolic links"));
    const RootedDir::Parent parent = tree.open_parent(here);
    const std::string target = link_target(parent.directory.get(), parent.name, here);
    done.pop_back();
    if (target.starts_with('/')) done.clear();
    const std::vector<std::string> parts = split(target, '/');
    todo.insert(todo.begin(), parts.begin(), parts.end());
  }
  return join(done, "/");
}

std::string_view base_name(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace slipway
