#pragma once
// What a host program needs of its own tree to run inside another root: its dynamic loader and its libraries,
// and whether they are what the target has too. Internal to siblings.cc, and to guards.cc, which asks the
// same of the target's tree.
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "accel/elf_image.h"
#include "accel/packages.h"
#include "base/rooted.h"

namespace slipway {

/// A file of a tree by the path that no link is part of.
struct RealFile {
  std::string path;  ///< absolute within the tree
  std::string bytes;
  struct stat status {};
};

/// Follows links within the tree; nothing for what is not a readable regular file of at most 64 MiB.
std::optional<RealFile> read_real_file(const RootedDir& tree, std::string_view path);

class HostLibraries {
 public:
  /// All are borrowed. `machine` is the ELF machine number of the host.
  HostLibraries(const RootedDir& tree, PackageDatabase& packages, const PackageDatabase& target_packages,
                std::uint16_t machine)
      : tree_(tree), packages_(packages), target_packages_(target_packages), machine_(machine) {}

  struct Closure {
    std::string loader;
    std::vector<std::string> library_path;  ///< directories
    std::set<std::string> files;            ///< the loader and all libraries, as their directories name them
    std::set<std::string> absent;           ///< where the loader looks for a library before it is found
    std::string why_not;  ///< a clause if the program cannot be run so; then nothing else holds
  };
  Closure closure_of(const ElfImage& program);
  /// What the C library of a closure loads by itself, as the loader finds it in the closure's directories:
  /// only files of packages that need nothing beyond the closure. Their packages' versions do not count.
  std::set<std::string> loaded_by_name(const Closure& closure);
  /// Is it the very file that its package has?
  bool is_its_packages(const RealFile& file);

 private:
  struct Library {
    std::string directory, path;  ///< where it was found; the file itself
    std::vector<std::string> needed;
    std::string why_not;
    std::vector<std::string> absent;
  };
  const Library& library(const std::string& name, const std::vector<std::string>& directories);
  Library look_for(const std::string& name, const std::vector<std::string>& directories);
  Library judge(const std::string& shown, const std::string& directory, const RealFile& file);
  std::vector<std::string> default_directories(const std::string& loader);

  /// Of a library that is its package's; nothing if `path` is none.
  std::optional<std::vector<std::string>> needed_by(const std::string& path);

  const RootedDir& tree_;
  PackageDatabase& packages_;
  const PackageDatabase& target_packages_;
  std::uint16_t machine_;
  std::map<std::string, std::vector<std::string>> directories_;  ///< by loader
  std::map<std::string, Library> libraries_;
  std::map<std::string, std::optional<std::vector<std::string>>> loaded_by_name_;  ///< by path
};

}  // namespace slipway
