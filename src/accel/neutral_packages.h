#pragma once
// The reviewed list of packages whose programs give the same bytes on every machine that has twins, and how
// the machines are spelled inside programs. The list itself is neutral_packages.json, embedded when slipway
// is built; each entry there says why. Paths are as after the merge of / and /usr; where a root is not
// merged, the other spelling is tried too.
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "accel/char_signs.h"
#include "accel/packages.h"
#include "accel/twin.h"

namespace slipway {

struct NeutralProgram {
  std::string pattern;     ///< of a path, fnmatch(3) with FNM_PATHNAME
  std::vector<std::string> only_on;  ///< architectures of both roots; empty: all
  bool is_retold = false;  ///< names of the machine are compiled in; only a re-told copy may be used
  CharFunctions unsigned_chars;  ///< of a re-told program's copy
  std::string multi_call;
  std::vector<std::string> declined_names;
  std::vector<ArgumentRule> rules;
};

struct NeutralPackage {
  std::vector<NeutralProgram> programs;         ///< the first that matches counts
  std::map<std::string, std::string> excluded;  ///< pattern -> why not; comes before `programs`

  /// Why a path of the package is not for twins, though it may match `programs`.
  const std::string* exclusion(std::string_view path) const;
  /// `architectures`: of the roots.
  const NeutralProgram* program(std::string_view path, const std::vector<std::string>& architectures) const;
};

/// One machine: what uname(2) says there, how programs name it.
struct MachineNames {
  std::string uname;
  std::vector<std::string> speaks_of;  ///< text with any of them, in either case, speaks of the machine
  std::map<std::string, std::vector<std::string>> spellings;  ///< kind ("triplet", "cpu") -> alternatives
};

class NeutralPackages {
 public:
  /// The list that slipway was built with.
  static const NeutralPackages& reviewed();
  /// Throws InvalidInput.
  static NeutralPackages parse(std::string_view json);

  const std::map<std::string, NeutralPackage>& of(PackageDatabase::Kind kind) const {
    return kind == PackageDatabase::Kind::Dpkg ? dpkg_ : apk_;
  }
  /// By a platform's architecture; nothing for one that was not reviewed (32 bits, other byte order, MIPS'
  /// other signal numbers).
  const MachineNames* machine(std::string_view architecture) const;
  /// Whether a string that speaks of a machine is known to change nothing (loaders' names).
  bool is_harmless(std::string_view text) const;

 private:
  std::map<std::string, NeutralPackage> dpkg_, apk_;
  std::map<std::string, MachineNames, std::less<>> machines_;
  std::vector<std::string> harmless_;
};

}  // namespace slipway
