#include "nodes/context_trees.h"

#include <sys/stat.h>

#include <cerrno>

#include "base/error.h"
#include "cache/cache_key.h"
#include "content/tree.h"
#include "nodes/file_actions.h"

namespace slipway {

std::filesystem::path ContextTrees::tree(const std::string& name, const Mount& mount, const Vertex& vertex,
                                         std::stop_token stop) {
  const CopyAction selection = selection_of_mount(mount);
  std::promise<std::shared_ptr<const Copy>> promise;
  Shared shared;
  bool ours = false;
  {
    auto copies = copies_.lock();
    const auto [known, is_new] = copies->try_emplace({name, selection.src});
    if (is_new) known->second = promise.get_future().share();
    shared = known->second;
    ours = is_new;
  }
  if (ours) {
    try {
      promise.set_value(make(name, selection, vertex, stop));
    } catch (...) {
      promise.set_exception(std::current_exception());
    }
  }
  const auto copy = shared.get();
  contexts_.check_is(copy->content, name, selection, vertex);
  return copy->path;
}

std::shared_ptr<const ContextTrees::Copy> ContextTrees::make(const std::string& name,
                                                             const CopyAction& selection,
                                                             const Vertex& vertex,
                                                             const std::stop_token& stop) {
  TempDir directory(temp_, "context");
  std::filesystem::path path = directory.path() / "content";
  const RootedDir target(directory.path());
  // A context's own root is a directory like any new one, whatever the caller's happens to be.
  if (selection.src == "/") target.make_directories("content", {.mode = 0755});
  const LocalContext& context = contexts_.at(name);
  const CopyPatterns patterns(selection);
  Selection selected = patterns.select_in(context.tree, &context.ignored);
  selected.copy_dir_contents = selection.src == "/";  // any other directory comes as it is
  CopyRecord record;
  try {
    copy_selection(selected, target, {.dest = "/content", .source_is_roots = true, .for_layer = false}, stop,
                   [&](const TakenEntry& taken) { record.add(taken); });
  } catch (const NotFound& missing) {
    rethrow_missing_source(missing, vertex, "the build context " + context.shown);
  }
  Digest content = contexts_.check_copied(name, selection, vertex, record, target, stop)->digest;
  return std::make_shared<const Copy>(
      Copy{.directory = std::move(directory), .path = std::move(path), .content = std::move(content)});
}

}  // namespace slipway
