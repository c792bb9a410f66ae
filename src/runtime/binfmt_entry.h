#pragma once
// The system calls that give the calling process a binfmt_misc table of its own (Linux 6.7): a user namespace
// with its parent's ids, a mount namespace, the mounts, the registration. For the time between fork and exec,
// and for programs without our libraries: async-signal-safe, no allocation, nothing but C.

namespace slipway {

/// Zero-terminated, all of them.
struct BinfmtEntryPlan {
  const char* mount_point;    ///< an existing directory
  const char* register_file;  ///< MOUNT_POINT/register
  const char* registration;   ///< the line for it
  const char* interpreter;    ///< the path in it; "-": nothing stands in for it
  const char* stand_in;       ///< the program that the kernel is to find there, or "-"
  const char* uid_lines;      ///< for /proc/PID/uid_map
  const char* gid_lines;
};

struct BinfmtEntryFailure {
  enum class Stage : int { NotFailed, Process, UserNamespace, Maps, Mount, Register };
  Stage stage = Stage::NotFailed;
  int error = 0;  ///< an errno
};

/// The caller must have one thread only. Its death signal (PR_SET_PDEATHSIG) is SIGKILL afterwards.
BinfmtEntryFailure enter_private_binfmt(const BinfmtEntryPlan& plan) noexcept;

}  // namespace slipway
