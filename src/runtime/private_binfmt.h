#pragma once
// A binfmt_misc table for one child process and its descendants (Linux 6.7): the child is given a user
// namespace and a mount namespace of its own, mounts binfmt_misc there, and registers the emulator. The
// host's table is not involved.
#include <filesystem>
#include <string>

#include "base/error.h"
#include "qemu/emulator.h"
#include "runtime/binfmt_entry.h"

namespace slipway {

/// Everything is prepared before the fork; enter() then makes system calls only. One object serves one child.
class PrivateBinfmt {
 public:
  /// `mount_point`: an empty directory. `execution`: of kind PrivateBinfmt.
  PrivateBinfmt(const std::filesystem::path& mount_point, const Execution& execution);
  ~PrivateBinfmt();
  PrivateBinfmt(const PrivateBinfmt&) = delete;
  PrivateBinfmt& operator=(const PrivateBinfmt&) = delete;

  /// In the child, between fork and exec. Async-signal-safe. Returns 0 or an errno.
  int enter() const noexcept;
  /// In the parent, once the child has ended: throws the HostError that says what enter() failed at, if it
  /// did.
  void throw_if_failed() const;

  /// For a child that is another program and calls enter_private_binfmt itself; valid as long as this object.
  BinfmtEntryPlan plan() const;

 private:
  std::string mount_point_, register_file_, registration_, interpreter_, stand_in_, uid_lines_, gid_lines_;
  BinfmtEntryFailure* shared_;  ///< in memory that parent and child share
};

/// Throws the HostError that says what failed.
[[noreturn]] void throw_binfmt_failure(const BinfmtEntryFailure& failure);

}  // namespace slipway
