#pragma once
// What a root file system's package database says about its programs: dpkg's (Debian's layout and distroless
// images' /var/lib/dpkg/status.d) and apk's. Roots are untrusted: whatever is malformed, too large or led
// astray is "not known" and never an error. Not for installing anything, nor for versions' order.
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "accel/twin.h"
#include "base/checksum.h"
#include "base/rooted.h"
#include "platforms/platform.h"

namespace slipway {

struct Package {
  std::string name, version, architecture;
  bool operator==(const Package&) const = default;
};

struct OwnedFile {
  Package package;
  Checksum checksum;
  bool operator==(const OwnedFile&) const = default;
};

/// The root's directories that became links in the merge of / and /usr: "/bin/sed" is "/usr/bin/sed" where
/// /bin is a link to usr/bin. Databases spell paths either way.
class MergedDirectories {
 public:
  explicit MergedDirectories(const RootedDir& root);
  /// `path` as the file system has it, if it is absolute and clean.
  std::string canonical(std::string_view path) const;

 private:
  std::map<std::string, std::string, std::less<>> links_;  ///< "bin" -> "usr/bin"
};

/// Not thread-safe: lists of files are read when they are first asked for.
class PackageDatabase {
 public:
  enum class Kind { Dpkg, Apk };
  using Files = std::map<std::string, std::optional<Checksum>, std::less<>>;  ///< by canonical path

  /// The packages of `platform`'s architecture that `root` (borrowed) has installed; nothing if no database
  /// of a known kind is there or it cannot be trusted.
  static std::unique_ptr<PackageDatabase> open(const RootedDir& root, const Platform& platform);
  virtual ~PackageDatabase() = default;

  /// From now on a file of a package that `base` (borrowed) has at the same version is known only if its
  /// checksum is the one there: a step may install what it has patched, without another version.
  void hold_to(PackageDatabase& base) { base_ = &base; }

  Kind kind() const { return kind_; }
  /// Nothing unless it is unpacked whole, once.
  const Package* package(std::string_view name) const;
  /// All files that a package owns, none if it is not known.
  const Files& files(std::string_view name);
  /// The checksum of a file of that package; nothing if the package does not own the path.
  std::optional<OwnedFile> file(std::string_view package, std::string_view path);
  /// Whose a path is. Reads the lists of all packages in the worst case; libraries are found early.
  std::optional<OwnedFile> owner(std::string_view path);

 protected:
  struct Entry {
    Package package;
    std::string list, checksums;  ///< dpkg: where they are; empty: there is none
    std::optional<Files> files;
  };
  PackageDatabase(Kind kind, const RootedDir& root) : kind_(kind), root_(root), directories_(root) {}
  virtual Files read_files(const Entry&) { return {}; }
  /// A second package of one name makes the name unknown.
  void add(Entry entry);

  Kind kind_;
  const RootedDir& root_;
  MergedDirectories directories_;
  std::map<std::string, Entry, std::less<>> entries_;
  std::map<std::string, bool, std::less<>> ambiguous_;

 private:
  bool is_as_in_base(const OwnedFile& file, std::string_view path) const;

  PackageDatabase* base_ = nullptr;
};

/// Tells cheaply whether a root still has the database that another, or the same one earlier, had: after a
/// step that leaves it equal there are no new twins to look for.
struct DatabaseState {
  struct File {
    std::string path;
    std::optional<FileIdentity> identity;  ///< nothing: not there
    bool operator==(const File&) const = default;
  };
  std::vector<File> files;

  /// Throws nothing: what cannot be looked at counts as not there.
  static DatabaseState of(const RootedDir& root);
  bool operator==(const DatabaseState&) const = default;
};

/// A regular file's bytes, links followed within the root; nothing if it is not there, not regular (a FIFO is
/// not waited for), larger than `limit`, or cannot be read. `status` is filled if given.
std::optional<std::string> read_regular(const RootedDir& root, std::string_view path, std::size_t limit,
                                        struct stat* status = nullptr);

/// A version without the "+b1" of a rebuild of the same source, which Debian makes for one architecture alone
/// and reserves that suffix for.
std::string_view without_rebuild(std::string_view version);

/// Absolute, without "." and "..", doubled or trailing slashes, NUL or newline.
bool is_clean_path(std::string_view path);

/// For open() and tests.
std::unique_ptr<PackageDatabase> open_dpkg(const RootedDir& root, const Platform& platform);
std::unique_ptr<PackageDatabase> open_apk(const RootedDir& root, const Platform& platform);

}  // namespace slipway
