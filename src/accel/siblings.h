#pragma once
// Finds a root's native twins in its sibling: the merged tree of the same image for this machine. A program
// has a twin if both package databases have its package at the same version (for dpkg's, rebuilds of one
// source are the same, as what the architectures have are two builds of it anyway; libraries are held to the
// version as it is), the package is on the reviewed list (neutral_packages.h), and the files are the very
// ones of their packages, in both roots, and of the base image: a package that a step has installed may say
// anything. Everything else runs under the emulator; what looked like a twin is named with the reason. Steps
// are not to meet another root in their own: the twins are copied out of the sibling, with their loaders and
// libraries, and nothing else is.
#include <filesystem>
#include <string>

#include "accel/neutral_packages.h"
#include "accel/twin.h"
#include "platforms/platform.h"

namespace slipway {

struct Siblings {
  std::filesystem::path target;  ///< the foreign root: the base image's merged tree, or a step's
  std::filesystem::path base;    ///< that tree; empty: `target` is it
  Platform target_platform;
  std::filesystem::path host;  ///< the same image for this machine, read-only
  Platform host_platform;
  /// Where the twins go, some of them re-told (machine_names.h), with the loaders and libraries that they
  /// need, all under their own paths: the one tree of what is found. Made if there are twins; what is in it
  /// already may be overwritten. One directory a pair of roots.
  std::filesystem::path copies;
  std::string source;  ///< Twin::source
};

/// Reads both trees, runs nothing, writes into `copies` only. Trees of unknown kinds, or of machines that
/// were not reviewed, have no twins: that is said in `declined`. Throws SystemError if a tree cannot be
/// opened or a copy not written.
AcceleratedRoot find_siblings(const Siblings& siblings,
                              const NeutralPackages& list = NeutralPackages::reviewed());

}  // namespace slipway
