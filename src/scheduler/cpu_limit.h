#pragma once
// How many CPU threads a process may use at once for what it computes itself: packing, unpacking, digesting. The threads
// that ask for such work count among them (content/cpu_slots.h).
#include <cstddef>
#include <memory>

namespace slipway {

/// Holds while it lives; of several the smallest counts. 0: no limit. Made by main's thread only.
class CpuLimit {
 public:
  explicit CpuLimit(std::size_t threads);
  ~CpuLimit();

 private:
  struct Control;
  std::unique_ptr<Control> control_;
};

}  // namespace slipway
