#include "content/snapshot_links.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <tbb/parallel_for_each.h>
#include <tbb/task_arena.h>
#include <unistd.h>

#include <cerrno>
#include <exception>
#include <map>

#include "base/rooted.h"
#include "base/strings.h"
#include "base/synchronized.h"

namespace slipway {

namespace {

struct LinkedDirectory {
  std::string path;
  std::vector<std::string> names;
};

std::vector<LinkedDirectory> by_directory(const std::vector<std::string>& paths) {
  std::map<std::string_view, std::size_t> places;
  std::vector<LinkedDirectory> directories;
  for (const std::string& path : paths) {
    const std::size_t slash = path.rfind('/');
    const std::string_view parent = std::string_view(path).substr(0, slash == std::string::npos ? 0 : slash);
    const auto [place, is_new] = places.try_emplace(parent, directories.size());
    if (is_new) directories.push_back({.path = std::string(parent), .names = {}});
    directories[place->second].names.push_back(path.substr(slash + 1));
  }
  return directories;
}

/// Whatever is wrong with the earlier tree only means that it cannot be used.
RootedDir earlier_tree(const std::filesystem::path& directory) {
  try {
    return RootedDir(directory);
  } catch (const SystemError& e) {
    throw ReuseLost(e.error_number(), "open", directory.native());
  }
}

void link_names(const RootedDir& from, const RootedDir& to, const LinkedDirectory& directory) {
  const auto source = from.try_open(directory.path, O_RDONLY | O_DIRECTORY);
  if (!source) throw ReuseLost(ENOENT, "open", directory.path);
  const UniqueFd target = to.open(directory.path, O_RDONLY | O_DIRECTORY);
  struct stat before {};
  if (::fstat(target.get(), &before) != 0) throw SystemError(errno, "stat", directory.path);
  for (const std::string& name : directory.names) {
    const auto link = [&] {
      return ::linkat(source->get(), name.c_str(), target.get(), name.c_str(), 0) == 0;
    };
    if (link() || (errno == EEXIST && ::unlinkat(target.get(), name.c_str(), 0) == 0 && link())) continue;
    throw ReuseLost(errno, "link", concat(directory.path, "/", name));
  }
  const struct timespec times[2] = {before.st_atim, before.st_mtim};
  if (::futimens(target.get(), times) != 0) throw SystemError(errno, "set times of", directory.path);
}

}  // namespace

void link_reused(const ReusedFiles& files, const std::filesystem::path& upper) {
  if (files.paths.empty()) return;
  const RootedDir from = earlier_tree(files.from), to(upper);
  Synchronized<std::exception_ptr> first_error;  // nothing may be thrown out of a task
  const std::vector<LinkedDirectory> directories = by_directory(files.paths);
  tbb::this_task_arena::isolate([&] {
    tbb::parallel_for_each(directories, [&](const LinkedDirectory& directory) {
      try {
        link_names(from, to, directory);
      } catch (...) {
        auto error = first_error.lock();
        if (!*error) *error = std::current_exception();
      }
    });
  });
  if (auto error = *first_error.lock()) std::rethrow_exception(error);
}

}  // namespace slipway
