#pragma once
// What goes on inside the namespaces of run_confined(): process 1, which reaps and hands signals on, and the
// mounts.
#include <signal.h>
#include <sys/types.h>

#include <functional>

#include "runtime/confine.h"

namespace slipway {

/// Where preparing the namespaces ended.
enum class ConfineStage : int { Ready, Mounts, Proc };

/// Makes the mount namespace ours: nothing leaks out, /proc is that of our pid namespace, and crun finds
/// cgroups in a state that it accepts. Returns Ready, or what failed with errno set.
ConfineStage prepare_mounts(bool pid_namespace);

/// Forks `work` and serves as its init until it ends; returns the exit code to end with. `blocked` are the
/// signals that are blocked here and handed on; `original` is the mask that `work` gets. The caller must be
/// in a session of its own.
int serve_as_init(const std::function<int()>& work, const sigset_t& blocked, const sigset_t& original,
                  bool pid_namespace);

}  // namespace slipway
