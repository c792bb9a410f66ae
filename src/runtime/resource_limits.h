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
  struct Wanted {
    int resource;
    struct rlimit limit;
  };
  const std::vector<Wanted>& wanted() const { return wanted_; }
  /// In the child, between fork and exec: gives the caller all of them. Async-signal-safe. 0 or an errno.
  int apply() const noexcept;

 private:
  std::vector<Wanted> wanted_;
};

}  // namespace slipway
