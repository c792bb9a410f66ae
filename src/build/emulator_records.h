#pragma once
// What is known of this machine's emulators, kept beside the store's other files (ROOT/emulators/known.json)
// so that it is found out once: results of self-tests, measured speeds. All of it can be found out again, so
// a damaged file is an empty one, and of two processes that write at once the last one wins.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/logger.h"
#include "platforms/platform.h"
#include "qemu/emulator.h"

namespace slipway {

struct MeasuredSlowdown {
  double factor = 1;          ///< an emulated computation's time to that of the same natively
  double start_ms = 0;        ///< CPU time that starting a program takes
  std::string version;        ///< "qemu-aarch64 7.2.22"
  std::int64_t measured = 0;  ///< seconds since the epoch
};

/// Thread-safe between processes in that a reader never sees half a file; not for several threads at once.
class EmulatorRecords {
 public:
  /// `directory` is made when something is written. What cannot be written is logged and forgotten.
  EmulatorRecords(std::filesystem::path directory, Logger& logger)
      : directory_(std::move(directory)), logger_(logger) {}

  /// What a test of the very same file under the very same kernel said: empty if it passed. Nothing: not
  /// tested yet.
  std::optional<std::string> find_test(const Platform& platform, const Execution& execution) const;
  void put_test(const Platform& platform, const Execution& execution, const std::string& verdict);

  std::optional<MeasuredSlowdown> find_slowdown(const Platform& platform) const;
  void put_slowdown(const Platform& platform, const MeasuredSlowdown& slowdown);

 private:
  std::filesystem::path directory_;
  Logger& logger_;
};

}  // namespace slipway
