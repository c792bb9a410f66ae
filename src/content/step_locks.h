#pragma once
// Which steps run at this moment, on any process of the store: one that finds its step locked waits and takes
// the result instead of running it a second time. Layers that are being packed are locked in the same way.
//
//   ROOT/locks/HEX   locked with flock(2) by whoever runs the step whose key that is; gone when it ends
//
// The lock dies with its owner. Nobody waits for a step's lock while holding another; who runs a step may
// wait for a layer's, to be packed or unpacked (layers.h), and who holds such a one waits for nobody. So
// builds never wait for each other in a circle.
#include <filesystem>
#include <optional>
#include <stop_token>

#include "base/digest.h"
#include "base/unique_fd.h"

namespace slipway {

/// The right to run one step; it ends with this object.
class StepLock {
 public:
  StepLock(StepLock&&) noexcept = default;
  StepLock& operator=(StepLock&&) = delete;
  ~StepLock();

 private:
  friend class StepLocks;
  StepLock(std::filesystem::path path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  std::filesystem::path path_;
  UniqueFd fd_;
};

/// Thread-safe; safe with other processes on the same store.
class StepLocks {
 public:
  explicit StepLocks(std::filesystem::path directory) : directory_(std::move(directory)) {}

  /// Nothing if somebody else runs the step, be it in this process. Throws SystemError.
  std::optional<StepLock> try_acquire(const Digest& key) const;
  /// Returns when nobody runs the step, for the moment. The caller holds no StepLock but, for a layer's, a
  /// step's. Throws Cancelled, SystemError.
  void wait(const Digest& key, const std::stop_token& stop) const;

  /// Removes what killed processes left.
  void clear_leftovers() const;

 private:
  std::filesystem::path path_of(const Digest& key) const;

  std::filesystem::path directory_;
};

}  // namespace slipway
