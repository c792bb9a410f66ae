#pragma once
// What a Dockerfile may do only if whoever builds it says so (--allow): an untrusted one must not get it by
// asking.
#include <set>
#include <string>
#include <string_view>

#include "graph/graph.h"
#include "runtime/device_registry.h"

namespace slipway {

struct Entitlements {
  bool network_host = false;       ///< RUN --network=host
  bool security_insecure = false;  ///< RUN --security=insecure
  bool all_devices = false;        ///< RUN --device, whatever it names
  std::set<std::string> devices;   ///< RUN --device with one of these names, or of these kinds (VENDOR/CLASS)

  /// Adds "network.host", "security.insecure", "device" or "device=NAME". Throws UsageError for anything
  /// else.
  void allow(std::string_view text);
};

/// Throws InvalidInput at the instruction that needs what is not allowed; the hint names the flag.
void check_entitlements(const Graph& graph, const Entitlements& allowed, const DeviceRegistry& devices);

}  // namespace slipway
