#pragma once
// chmod(1)'s symbolic modes: "u=rwX,go=rX", "+x", "a+x,u-w", "g=u". Octal modes are not for this.
#include <string_view>
#include <vector>

namespace slipway {

/// A value; immutable, thread-safe. There is no umask: without a "who", all three classes change.
class ModeChange {
 public:
  /// Throws InvalidInput, which shows `text`.
  static ModeChange parse(std::string_view text);

  /// The permission bits (07777) that a file of this mode (st_mode, with its type) gets.
  unsigned apply(unsigned mode) const;

 private:
  struct Step {
    enum class Kind { Clear, Set, SetIfExecutable, AddCopy, RemoveCopy, ReplaceByCopy };
    Kind kind = Kind::Set;
    unsigned bits = 0;   ///< what is cleared or set; of copies: the rwx of the classes that receive
    unsigned shift = 0;  ///< of copies: where the class that gives has its rwx
  };
  class Parser;
  std::vector<Step> steps_;
};

}  // namespace slipway
