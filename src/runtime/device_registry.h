#pragma once
// Devices by name, as the Container Device Interface describes them (CNCF CDI 0.x): JSON files that say what
// a container needs to use one.
#include <filesystem>
#include <string>
#include <vector>

#include "graph/ops.h"
#include "runtime/sandbox.h"

namespace slipway {

/// What a step needs for its devices: variables, device nodes and other files, all as binds.
struct DeviceEdits {
  std::vector<std::string> env;
  std::vector<SandboxMount> mounts;
};

/// Reads its files each time it is asked. Thread-safe.
class DeviceRegistry {
 public:
  /// Of two files that describe a device, the one in the later directory counts.
  explicit DeviceRegistry(std::vector<std::filesystem::path> directories)
      : directories_(std::move(directories)) {}
  /// /etc/cdi, /var/run/cdi.
  static std::vector<std::filesystem::path> standard_directories();

  /// "vendor/class=name", "vendor/class=*" (all), "vendor/class" (the first), or a class that devices name
  /// themselves
  /// ("org.mobyproject.buildkit.device.class"). Throws InvalidInput for a name that is none, and for an
  /// unknown device that is not optional; for a file that cannot be read, or one in YAML, only if a device is
  /// not found without it.
  DeviceEdits edits_for(const std::vector<DeviceRequest>& requests) const;

  /// True if the files themselves say that every build may use all devices of that name
  /// ("org.mobyproject.buildkit.device.autoallow"), or if there is none of that name.
  bool is_free_for_all(const std::string& name) const;

 private:
  std::vector<std::filesystem::path> directories_;
};

}  // namespace slipway
