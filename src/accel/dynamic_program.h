#pragma once
// What starts a program of one tree inside another root: its dynamic loader and the directories of its
// libraries, found in its own tree as its loader would find them there. Nothing is run. Trees are untrusted:
// no path leaves them, what is read is bounded.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/rooted.h"

namespace slipway {

/// All paths are absolute in the tree and have no symbolic links in them.
struct DynamicProgram {
  std::string program;
  std::string loader;                     ///< empty: a static program
  std::vector<std::string> library_path;  ///< in the order in which to search them
  /// A clause if the program cannot be started so ("it needs libisl.so.23, which is not there"); then the
  /// rest does not hold.
  std::string why_not;
};

/// For 64-bit little-endian ELF programs of the machine that this process runs on; a program that says
/// itself where its libraries are (DT_RPATH, DT_RUNPATH) is refused, as these paths would mean the other
/// root's. Throws SystemError only if the tree itself fails (EIO).
DynamicProgram resolve_dynamic_program(const RootedDir& tree, std::string_view path);

/// A regular file of a tree, links followed within it, with the path that it really has there; nothing if it
/// is not there, not regular, not readable, or goes round in links. A FIFO is not waited for.
struct FoundFile {
  UniqueFd fd;  ///< can be read
  std::string path;
  struct stat status {};
};
std::optional<FoundFile> find_regular_file(const RootedDir& tree, std::string_view path);

/// Absolute, without empty, "." and ".." components, NUL or newline, at most 4095 bytes.
bool is_clean_absolute_path(std::string_view path);

}  // namespace slipway
