#pragma once
// Nobody survives a step. crun killed by a signal leaves its container behind, and until it has written its
// state nobody else knows who that is. So a process of ours stands between: as a subreaper (prctl(2)) it
// inherits whatever crun leaves, and it goes only when they are all gone.

namespace slipway {

enum class KeptProgram {
  Runtime,  ///< ends when the step's first process has
  Tracer,   ///< proot: the parent of the step's first process, ends only when all of the step's have
};

/// Called between fork and exec; async-signal-safe. The calling process becomes the keeper and does not
/// return: it ends with the exit code of the one that does (128 + signal if killed). SIGTERM, or the death of
/// its parent, makes it kill all below it first; so does, below a tracer, the end of the step's first
/// process. Returns 0 in a new child, which goes on to exec and dies with its keeper, or an errno.
int fork_under_keeper(KeptProgram program = KeptProgram::Runtime) noexcept;

}  // namespace slipway
