#include "scheduler/cpu_limit.h"

#include <oneapi/tbb/global_control.h>

namespace slipway {

struct CpuLimit::Control {
  explicit Control(std::size_t threads) : limit(tbb::global_control::max_allowed_parallelism, threads) {}
  tbb::global_control limit;
};

CpuLimit::CpuLimit(std::size_t threads) {
  if (threads > 0) control_ = std::make_unique<Control>(threads);
}

CpuLimit::~CpuLimit() = default;

}  // namespace slipway
