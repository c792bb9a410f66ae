#pragma once
// How hard one registry may be pressed by all threads together: a few blob transfers at once (small JSON requests go
// through freely, so that they never wait behind a layer), and silence for as long as a Retry-After asked for.
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <stop_token>
#include <string>
#include <utility>

#include "registry/retry.h"

namespace slipway {

/// Thread-safe.
class HostLimits {
 public:
  static constexpr int kTransfersPerHost = 4;

  /// Held while a blob moves.
  class Permit {
   public:
    Permit(Permit&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)), host_(std::move(other.host_)) {}
    Permit& operator=(Permit&&) = delete;
    ~Permit();

   private:
    friend class HostLimits;
    Permit(HostLimits& owner, std::string host) : owner_(&owner), host_(std::move(host)) {}
    HostLimits* owner_;
    std::string host_;
  };

  /// Waits for a free place. Throws Cancelled.
  Permit begin_transfer(const std::string& host, const std::stop_token& stop);
  /// Nobody talks to `host` for that long.
  void hold_off(const std::string& host, Seconds duration);
  /// Waits until a hold-off is over. Throws Cancelled.
  void wait_until_open(const std::string& host, const std::stop_token& stop);

 private:
  // The mutex belongs to the condition variable; both members below are reached with it held.
  std::mutex mutex_;
  std::condition_variable_any freed_;
  std::map<std::string, int> transfers_;
  std::map<std::string, std::chrono::steady_clock::time_point> closed_until_;
};

}  // namespace slipway
