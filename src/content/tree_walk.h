#pragma once
// The one walk that decides what a Selection covers; digesting and copying are its two users, so they cannot
// differ. Internal to the tree functions (tree.h).
#include <sys/stat.h>

#include <cstddef>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "content/tree.h"

namespace slipway {

/// One thing that Selection::src names.
struct SelectedSource {
  std::string named;  ///< as the pattern found it, relative to the tree's root
  std::string real;   ///< with links followed: what is read; what .dockerignore is asked about
};

/// What src names, sorted. Throws NotFound as resolve_selection() does.
std::vector<SelectedSource> selected_sources(const Selection& selection);

struct TreeEntry {
  std::string relative;  ///< to the source; "" is the source itself
  std::string shown;     ///< for messages: within the tree
  struct stat status {};
  int directory = -1;  ///< what holds it, open
  std::string name;    ///< in `directory`
  /// A directory that is not selected itself, only something in it is (Selection::included, excluded).
  bool only_on_the_way = false;
  bool of_store = false;  ///< as Selection says

  bool is_directory() const { return S_ISDIR(status.st_mode); }
  bool is_file() const { return S_ISREG(status.st_mode); }
  bool is_link() const { return S_ISLNK(status.st_mode); }
  /// Opens a regular file or a directory for reading. Throws SystemError.
  UniqueFd open() const;
};

/// Directories come before what is in them, names in byte order. `leave` is called for each directory after
/// its contents. `enter` returns false to end the walk.
struct TreeVisitor {
  std::function<bool(const TreeEntry&)> enter;
  std::function<void(const TreeEntry&)> leave;
  /// So many entries of a directory are looked at together, by all threads of TBB's arena, before the first of them
  /// comes. What is changed meanwhile comes as it was.
  std::size_t look_ahead = 1;
};

/// A directory that is excluded, but holds something that is included again, comes just before that. Sockets
/// never come. Throws Cancelled, SystemError.
void walk_source(const Selection& selection, const SelectedSource& source, const TreeVisitor& visitor,
                 const std::stop_token& stop);

}  // namespace slipway
