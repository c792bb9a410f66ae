#include "build/local_export.h"

#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/rooted.h"
#include "base/strings.h"
#include "content/tree.h"

namespace slipway {

std::string tree_directory(const AssembledImage& image, std::size_t platforms) {
  if (platforms < 2) return "/";
  std::string platform = image.manifest.platform->str();
  std::ranges::replace(platform, '/', '_');
  return concat("/", platform, "/");
}

void export_trees(Store& store, const std::vector<AssembledImage>& images,
                  const std::filesystem::path& directory, std::stop_token stop) {
  std::error_code problem;
  std::filesystem::create_directories(directory, problem);
  if (problem) throw SystemError(problem.value(), "make directory", directory.native());
  const RootedDir target(directory);
  for (const AssembledImage& image : images) {
    const std::string dest = tree_directory(image, images.size());
    if (!image.tree) {
      target.make_directories(dest, {});
      continue;
    }
    const MountedTree view = store.snapshots().view(*image.tree);
    const RootedDir tree(view.path());
    copy_selection({.tree = &tree, .src = "/", .allow_wildcard = false, .of_store = true}, target,
                   {.dest = dest, .uid = ::geteuid(), .gid = ::getegid(), .for_layer = false}, stop);
  }
}

}  // namespace slipway
