#pragma once
// How the kernel comes to run native twins (twin.h) in a step. The step's private binfmt_misc has, for
// foreign programs, an emulator with slipway-exec on it (graft.h), which looks the program up in a table.
// This writes that table and the directory around it, and reads how often each twin ran.
//
// The directory is seen in the step as /dev/.slipway. In it:
//   table      what twins there are (exec/table_format.h)
//   counts     eight bytes for each twin: how often it ran
//   uname.so   preloaded into twins, so that uname(2) says the target's machine (shim/uname.cc)
//   run/N/     links of programs' names to one dynamic loader or static twin: what is executed by way of such
//   a
//              link has its name for the kernel (ps, pkill)
//   tree/N/    empty: where AcceleratedRoot::trees[N] is mounted
// The emulator runs a program that has a twin if the file is not the one that was verified; if the process
// gained privileges; if the environment reaches into dynamic loaders and C libraries (LD_*, GLIBC_TUNABLES,
// MALLOC_*,
// ...), is for the emulator (QEMU_*), or has a locale of another charset than UTF-8; if the name or an
// argument is a declined one; if there is an /etc/ld.so.preload; in a chroot, which has no /dev/.slipway; and
// if the twin cannot be executed. Of an ArgumentRule's kinds, each argument goes by the first of Replace and
// Drop that it matches.
//
// Steps can do to themselves what they like: nothing here is trusted by slipway after the step has run.
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "accel/twin.h"

namespace slipway {

/// What to mount so that a step has its twins, in this order.
struct TwinMounts {
  struct Mount {
    std::filesystem::path source;  ///< on this machine
    std::string target;            ///< in the step: "/dev/.slipway/tree/0"
    bool writable = false;
  };
  /// The directory itself, read-only; `counts` over itself, writable; each tree, read-only. None may be
  /// mounted noexec.
  std::vector<Mount> mounts;
  /// For people: which twins cannot be run, and why, a clause each. The emulator runs these programs.
  std::vector<std::string> left_out;
};

/// Fills `directory` (made if it is not there, else it must be empty). `names` are names besides the targets'
/// own that twins are called by ("sh" for dash): without its link a twin runs, but is not called so by the
/// kernel. Throws HostError where slipway-exec is not to be had (programs.h), InvalidInput, SystemError.
TwinMounts prepare_twin_directory(const AcceleratedRoot& root, const std::filesystem::path& directory,
                                  const std::vector<std::string>& names = {});

/// The table of the twins for which `root` has what it takes to run them; why others are left out goes to
/// `left_out`.
std::string encode_twin_table(const AcceleratedRoot& root, std::vector<std::string>& left_out);

/// Where a step sees AcceleratedRoot::trees[tree].
std::string tree_in_step(std::size_t tree);

/// For each twin of `root`, how often it was executed so far in steps that had `directory`. Zeroes for what
/// cannot be read: a step can damage the file.
std::vector<std::uint64_t> read_twin_counts(const std::filesystem::path& directory,
                                            const AcceleratedRoot& root);

}  // namespace slipway
