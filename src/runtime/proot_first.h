#pragma once
// The first process of a step below proot, which says how the step's program ended (proot_first/main.cc says
// why proot is not asked).
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace slipway {

class ProotFirst {
 public:
  /// Puts the program into `dev`, the directory that the step sees as /dev. Throws SystemError.
  explicit ProotFirst(const std::filesystem::path& dev);

  /// What proot is to run for a step's `args`; `program`: its path within the root, if that is known.
  std::vector<std::string> command(const std::string& program, const std::vector<std::string>& args) const;
  /// Called between fork and exec; async-signal-safe. Returns 0 or an errno.
  int hand_down() const noexcept;
  /// How the step's program ended: its exit code, or 128 + the signal that killed it. `of_proot`: proot's own
  /// exit code, for where the first process was killed and could not say.
  int exit_code(int of_proot) const;

 private:
  bool possible_;  ///< the program is known for this machine
  UniqueFd result_;
};

}  // namespace slipway
