#pragma once
// Native twins: programs of this machine's architecture that stand in for programs of a foreign root, because
// they give the same bytes. What a twin is; where twins come from is in siblings.h and packs.h, how the
// kernel comes to run them in twin_table.h.
#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace slipway {

/// How a file is known again when it is executed. Whatever a step does to a file changes its ctime, which
/// nobody can set; overlayfs gives the inode number and times of the layer's own file.
struct FileIdentity {
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::int64_t mtime_ns = 0;  ///< nanoseconds since 1970
  std::int64_t ctime_ns = 0;

  static FileIdentity of(const struct stat& status);
  /// Of the same file, the same text: four numbers.
  std::string str() const;
  bool operator==(const FileIdentity&) const = default;
};

/// What is done to a twin's arguments (argv[0] is not one of them). `pattern` is a shell pattern (fnmatch(3)
/// without flags) that a whole argument has to match.
struct ArgumentRule {
  enum class Kind {
    Prepend,  ///< `with` goes before the arguments; no pattern
    Append,   ///< `with` goes after them; no pattern
    Replace,  ///< each argument that matches becomes `with`
    Drop,     ///< each argument that matches goes
    Decline,  ///< if any argument matches, the emulator runs the program
    Require,  ///< if none does
    DeclineVariable,  ///< if any NAME=VALUE of the environment does
  };
  Kind kind = Kind::Append;
  std::string pattern;
  std::vector<std::string> with;
  bool operator==(const ArgumentRule&) const = default;
};

struct Twin {
  std::string target;  ///< the program's clean path in the target's root, "/usr/bin/sed"
  FileIdentity identity;
  std::string package, version;  ///< that own it in both roots
  std::string source;    ///< where it comes from, for people: "debian:12 (linux/amd64)", a pack's reference
  std::size_t tree = 0;  ///< index into AcceleratedRoot::trees
  std::string program;   ///< the twin's path in that tree, no symbolic links in it
  std::string loader;    ///< its dynamic loader's path in that tree, no symbolic links in it; empty: static
  std::vector<std::string> library_path;  ///< directories of that tree
  /// Names (the last part of argv[0]; of argv[1] if that of argv[0] is `multi_call`) under which it is not
  /// for the twin.
  std::vector<std::string> declined_names;
  std::string multi_call;  ///< "busybox"; empty: it is one program
  std::vector<ArgumentRule> rules;
  std::vector<std::size_t> guards;  ///< indices into AcceleratedRoot::guards: what else must be as it was
};

/// A file of the target's root that its program would load, or a directory that it would look through: while
/// it is not the very one that was verified, the twin, which has a library of its own instead, would do
/// something else. Whatever is made or removed in a directory changes its times.
struct Guard {
  std::string path;
  std::optional<FileIdentity> identity;  ///< nothing: nothing may be there
  std::string library;  ///< its name in the cache of the target's loader; empty: that is not asked for it
  bool operator==(const Guard&) const = default;
};

/// All twins of one root, and the trees they are in.
struct AcceleratedRoot {
  std::vector<Twin> twins;  ///< no two with one inode number
  std::vector<Guard> guards;
  std::optional<Guard> loader_cache;         ///< as it was when no library was elsewhere by it
  std::vector<std::filesystem::path> trees;  ///< directories on this machine
  std::string machine;                       ///< what uname(2) says on the target: "aarch64"
  /// For people: why something that looked like a twin is none, a clause each.
  std::vector<std::string> declined;
};

}  // namespace slipway
