#pragma once
// The process's own namespaces. slipway's work happens in a child that is root in its user namespace (if the
// caller is not root), and has private mount and pid namespaces: whatever happens to it, kill -9 included,
// the kernel takes every mount and every process of a build away with it.
#include <functional>

namespace slipway {

struct Confinement {
  bool user_namespace = false;  ///< not root: a user namespace was made
  bool many_ids = true;         ///< more than one uid is mapped (root, or newuidmap with a subuid range)
  bool pid_namespace = true;
};

/// Forks, enters the namespaces, and runs `work` there; returns its exit code. Must be called before any
/// thread exists. The caller's process stays outside: it hands SIGINT, SIGTERM and SIGHUP on (a second one
/// kills) and waits. Throws HostError if not even a user namespace is to be had, saying which kernel setting
/// refuses it.
int run_confined(const std::function<int(const Confinement&)>& work);

}  // namespace slipway
