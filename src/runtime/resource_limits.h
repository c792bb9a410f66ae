#pragma once
// Resource limits of a step (getrlimit(2)).
#include <sys/resource.h>

#include <vector>

#include "graph/ops.h"

namespace slipway {

/// The RLIMIT_ number of "nofile" and so on; -1 if there is no such limit.
int resource_number(std::string_view name);

class ResourceLimits {
 public:
  explicit ResourceLimits(const std::vector<Ulimit>& limits);
  /// In the child, between fork and exec: lifts hard limits to what the step is to have, and lowers none.
  /// What is refused stays as it is, and the runtime says so. Async-signal-safe.
  void raise() const noexcept;
  /// The same place: gives the caller all of them. 0 or an errno.
  int apply() const noexcept;

 private:
  struct Wanted {
    int resource;
    struct rlimit limit;
  };
  std::vector<Wanted> wanted_;
};

}  // namespace slipway
