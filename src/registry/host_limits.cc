#include "registry/host_limits.h"

#include <algorithm>

#include "base/error.h"

namespace slipway {

HostLimits::Permit HostLimits::begin_transfer(const std::string& host, const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  if (!freed_.wait(lock, stop, [&] { return transfers_[host] < kTransfersPerHost; })) throw Cancelled();
  ++transfers_[host];
  return Permit(*this, host);
}

HostLimits::Permit::~Permit() {
  if (!owner_) return;
  {
    const std::scoped_lock lock(owner_->mutex_);
    --owner_->transfers_[host_];
  }
  owner_->freed_.notify_all();
}

void HostLimits::hold_off(const std::string& host, Seconds duration) {
  const auto until = std::chrono::steady_clock::now() +
                     std::chrono::duration_cast<std::chrono::steady_clock::duration>(duration);
  const std::scoped_lock lock(mutex_);
  auto& closed = closed_until_[host];
  closed = std::max(closed, until);
}

void HostLimits::wait_until_open(const std::string& host, const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  const auto it = closed_until_.find(host);
  if (it == closed_until_.end()) return;
  const auto until = it->second;
  if (until <= std::chrono::steady_clock::now()) return;
  lock.unlock();
  sleep_unless_stopped(until - std::chrono::steady_clock::now(), stop);
}

}  // namespace slipway
