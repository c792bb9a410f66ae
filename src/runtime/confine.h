#pragma once
// The process's own namespaces. slipway's work happens in a child that is root in its user namespace (if the
// caller is not root), and has private mount and pid namespaces: whatever happens to it, kill -9 included,
// the kernel takes every mount and every process of a build away with it. Where namespaces are refused, as in
// most containers, the same processes do without: there are no mounts then, and who dies takes along what it
// started.
#include <functional>
#include <optional>
#include <string>

#include "runtime/isolation.h"

namespace slipway {

struct Confinement {
  bool possible = true;         ///< false: there is no way to run steps here; `refusal` says why
  bool user_namespace = false;  ///< not root: a user namespace was made
  bool many_ids = true;         ///< more than one uid is mapped (root, or newuidmap with a subuid range)
  bool pid_namespace = true;
  /// How steps can be isolated here. Other than Oci: there are no namespaces at all, and mounts are not to be
  /// had.
  Isolation isolation = Isolation::Oci;
  std::string refusal;  ///< why namespaces were refused, if that was found out
};

/// Forks, enters the namespaces, and runs `work` there; returns its exit code. Must be called before any
/// thread exists. The caller's process stays outside: it hands SIGINT, SIGTERM and SIGHUP on (a second one
/// kills) and waits. `wanted`: the only isolation to try; absent, namespaces first, and what does without
/// them where they are refused. Throws HostError if it is not to be had, saying which kernel setting refuses.
int run_confined(const std::function<int(const Confinement&)>& work, std::optional<Isolation> wanted = {});

}  // namespace slipway
