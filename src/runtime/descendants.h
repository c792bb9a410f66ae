#pragma once
// Ending all processes below this one, however fast they fork and whatever groups and sessions they make.
// Where a pid namespace is to be had the kernel does that.
#include <sys/types.h>

namespace slipway {

enum class HasChildren { No, Yes, Unknown };

/// Whether `parent`, a process with one thread, has any child other than `spared`. Unknown if the kernel does
/// not list them (CONFIG_PROC_CHILDREN) or there is no such process. Async-signal-safe, as all of these.
HasChildren has_children(pid_t parent, pid_t spared = 0) noexcept;

/// Kills all below the calling process, a subreaper (prctl(2)) with one thread, and waits until the last one
/// is gone. Without /proc it does nothing.
void end_descendants() noexcept;

/// Kills all below the calling process, as above, but `spared`, a child of its that is stopped meanwhile.
/// Waits for none.
void kill_descendants(pid_t spared) noexcept;

}  // namespace slipway
