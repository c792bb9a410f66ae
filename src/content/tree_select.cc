// What Selection::src names: wildcards, links, and the message when it is nothing.
#include <fcntl.h>

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "content/file_bytes.h"
#include "content/tree.h"
#include "content/tree_paths.h"
#include "content/tree_walk.h"

namespace slipway {
namespace {

bool needs_glob(std::string_view component) {
  return component.find_first_of("*?[\\") != std::string_view::npos;
}

/// Names below `directory` (a real path) that match the components from `next` on. Links that a wildcard
/// finds on the way are not followed, so that a loop of links cannot make the list endless.
void expand(const RootedDir& tree, const std::string& directory, const std::vector<std::string>& pattern,
            std::size_t next, std::vector<std::string>& found) {
  if (next == pattern.size()) {
    found.push_back(directory);
    return;
  }
  const auto status = tree.stat(directory, /*follow=*/false);
  if (!status || !S_ISDIR(status->st_mode)) return;
  std::vector<std::string> names;
  if (needs_glob(pattern[next])) {
    const Glob glob(pattern[next], Glob::Dialect::Go);
    const UniqueFd open = tree.open(directory, O_RDONLY | O_DIRECTORY);
    names = sorted_names(open.get(), directory);
    std::erase_if(names, [&](const std::string& name) { return !glob.matches(code_points(name)); });
  } else {
    names = {pattern[next]};
  }
  for (const std::string& name : names) {
    const std::string path = directory.empty() ? name : concat(directory, "/", name);
    if (next + 1 < pattern.size() || tree.stat(path, /*follow=*/false))
      expand(tree, path, pattern, next + 1, found);
  }
}

bool selects_anything(const Selection& selection, const SelectedSource& source) {
  bool any = false;
  const TreeVisitor visitor{.enter = [&](const TreeEntry&) { return !(any = true); }, .leave = {}};
  walk_source(selection, source, visitor, {});
  return any;
}

NotFound excluded_error(const Selection& selection, const SelectedSource& source, const std::string& shown) {
  if (selection.ignored) {
    if (const auto pattern = selection.ignored->excluded_by(source.real))
      return NotFound(concat("\"", shown, "\": excluded by .dockerignore (pattern \"", *pattern, "\")"));
  }
  return NotFound(concat("\"", shown, "\": neither a file, a directory nor a link"));
}

/// Whether `path` is `directory` or something in it.
bool is_within(std::string_view path, std::string_view directory) {
  return path.starts_with(directory) &&
         (path.size() == directory.size() || directory.empty() || path[directory.size()] == '/');
}

NotFound missing_error(const Selection& selection, const SelectedSource& source, const std::string& path) {
  const std::string in_tree = source.real.empty() ? path : concat(source.real, "/", path);
  const std::string shown = concat("/", in_tree);
  const auto excluded = selection.excluded ? selection.excluded->excluded_by(path) : std::nullopt;
  if (!selection.tree->stat(in_tree, /*follow=*/false)) return NotFound(concat("\"", shown, "\": not found"));
  if (excluded)
    return NotFound(concat("\"", shown, "\": excluded by --exclude (pattern \"", *excluded, "\")"));
  if (real_path_in(*selection.tree, in_tree, /*follow_last=*/false) != in_tree)
    return NotFound(concat("\"", shown, "\": not found: a directory on the way to it is a link"));
  return excluded_error(selection, {.named = path, .real = in_tree}, shown);
}

void check_required(const Selection& selection, const std::vector<SelectedSource>& sources) {
  std::vector<std::string> missing;
  for (const std::string& path : selection.required) missing.push_back(join(path_components(path), "/"));
  const TreeVisitor visitor{.enter =
                                [&](const TreeEntry& entry) {
                                  if (!entry.only_on_the_way && !entry.relative.empty())
                                    std::erase_if(missing, [&](const std::string& path) {
                                      return is_within(entry.relative, path);
                                    });
                                  return !missing.empty();
                                },
                            .leave = {}};
  for (const SelectedSource& source : sources)
    if (!missing.empty()) walk_source(selection, source, visitor, {});
  if (!missing.empty()) throw missing_error(selection, sources.front(), missing.front());
}

}  // namespace

std::vector<std::string> matching_paths(const RootedDir& tree, const std::string& src) {
  const std::vector<std::string> pattern = path_components(src);
  std::size_t literal = 0;
  while (literal < pattern.size() && !needs_glob(pattern[literal])) ++literal;
  const std::string start = real_path_in(
      tree, join({pattern.begin(), pattern.begin() + static_cast<std::ptrdiff_t>(literal)}, "/"), true);
  std::vector<std::string> found;
  expand(tree, start, pattern, literal, found);
  std::ranges::sort(found);
  return found;
}

std::vector<SelectedSource> selected_sources(const Selection& selection) {
  const RootedDir& tree = *selection.tree;
  const std::string shown = concat("/", join(path_components(selection.src), "/"));
  const bool wild = selection.allow_wildcard && has_wildcards(selection.src);
  std::vector<SelectedSource> sources;
  std::optional<NotFound> dropped;
  const std::vector<std::string> named =
      wild ? matching_paths(tree, selection.src) : std::vector{join(path_components(selection.src), "/")};
  for (const std::string& name : named) {
    SelectedSource source{.named = name, .real = real_path_in(tree, name, selection.follow_symlink)};
    if (!tree.stat(source.real, /*follow=*/false)) {
      // Also when a wildcard found it: what is left out silently is missed too late.
      if (wild) throw NotFound(concat("\"/", name, "\": a link that leads nowhere"));
      dropped.emplace(concat("\"", shown, "\": not found"));
    } else if (selects_anything(selection, source)) {
      sources.push_back(std::move(source));
    } else if (!dropped) {
      dropped.emplace(excluded_error(selection, source, shown));
    }
  }
  if (!sources.empty()) check_required(selection, sources);
  if (!sources.empty() || (wild && selection.allow_empty_wildcard)) return sources;
  if (dropped) throw NotFound(*dropped);
  throw NotFound(concat("\"", shown, "\": nothing matches"));
}

std::vector<std::string> resolve_selection(const Selection& selection) {
  std::vector<std::string> paths;
  for (SelectedSource& source : selected_sources(selection)) paths.push_back(std::move(source.named));
  return paths;
}

}  // namespace slipway
