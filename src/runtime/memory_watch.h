#pragma once
// How much memory a step's processes take together, which the kernel tells of nobody: the resources of ended
// children (getrusage(2)) are those of the largest one, and what a control group counts has the pages of
// files in it that can be dropped at any time. So they are looked at, now and then, in /proc (proc(5)).
#include <sys/types.h>

#include <chrono>
#include <cstdint>

namespace slipway {

/// One for a step; for one thread at a time. What cannot be read, as it went or is hidden, counts as nothing.
class MemoryWatch {
 public:
  /// Looks at `top` and all below it.
  void look(pid_t top);
  /// look(), and in what time to do so again: in 100 ms, or so much later that looking costs a fiftieth of a
  /// processor at most.
  std::chrono::milliseconds look_again_after(pid_t top);

  /// Bytes that they had at once at most, of the moments that were looked at: anonymous and shared memory, in
  /// core or swapped out. What several of them have counts once, from 64 MiB on: below nobody minds.
  std::uint64_t peak() const { return peak_; }

 private:
  std::uint64_t peak_ = 0;
};

}  // namespace slipway
