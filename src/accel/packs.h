#pragma once
// Toolchain packs: ordinary images for this machine with programs (cross compilers) that give the bytes which
// programs of a target's root give, and a file, accel.json, that says which stands for which. Here that file
// is read and held against a root. What a pack's file looks like: docs/packs.md. What a pack claims is
// trusted as far as its user trusts the image; how it is written is not.
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "accel/twin.h"
#include "base/rooted.h"
#include "platforms/platform.h"

namespace slipway {

inline constexpr const char* kPackManifest = "/usr/share/slipway/accel.json";

/// What must be so in the target's root, and remain as it is while steps run. A directory has exactly these
/// entries (one that is not there has none): for programs that load whatever lies in it. A file has exactly
/// these bytes: for programs that go by it.
struct PackCondition {
  enum class Of { Directory, File } of = Of::Directory;
  std::string path;
  std::vector<std::string> content;  ///< sorted names; of a file its SHA-256 alone, hexadecimal
  bool operator==(const PackCondition&) const = default;
};

struct PackProgram {
  std::string target;            ///< path in the target's root
  std::string package, version;  ///< that must own it there
  std::string sha256;            ///< of the target's file, hexadecimal
  std::string twin;              ///< path in the pack
  std::vector<PackCondition> conditions;
  std::vector<ArgumentRule> rules;  ///< "{pack}" in `with` is where the step sees the pack's tree
  bool operator==(const PackProgram&) const = default;
};

struct Pack {
  std::string reference;  ///< of the image, for people
  Platform platform;      ///< of the targets
  std::string machine;    ///< what uname(2) says there
  std::vector<PackProgram> programs;
};

/// Throws InvalidInput that names the pack: no manifest, a malformed one, one of another format.
Pack read_pack(const RootedDir& tree, std::string reference);
/// The same for a manifest's text.
Pack parse_pack(std::string_view text, std::string reference);

/// Package and version that own a path of the target's root.
using PackageOwner =
    std::function<std::optional<std::pair<std::string, std::string>>(const std::string& path)>;

struct PackMatch {
  std::vector<Twin> twins;            ///< no two with one inode number; their guards are indices into:
  std::vector<Guard> guards;          ///< what conditions are about
  std::vector<std::string> declined;  ///< why programs that the root has got no twin, a clause each
};

/// What a pack's clauses begin with, but for that it is for another platform.
std::string pack_clause(const std::string& reference);

/// What the conditions of a pack see of a root, as text: a root that gives the same has the same answers.
std::string seen_by_conditions(const Pack& pack, const RootedDir& root);

/// Where a pack's tree is for the twins: Twin::tree, and its path in the step.
struct PackPlace {
  std::size_t tree = 0;
  std::string mounted_at;
};

/// The twins that `pack`, whose tree is `tree`, has for `target`. What the root does not have at all is
/// passed over without a word. Throws SystemError if a tree cannot be read.
PackMatch match_pack(const Pack& pack, const RootedDir& tree, const Platform& platform,
                     const RootedDir& target, const PackageOwner& owner, const PackPlace& place);

}  // namespace slipway
