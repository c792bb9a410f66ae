#include "build/entitlements.h"

#include <vector>

#include "base/error.h"
#include "base/strings.h"

namespace slipway {

namespace {

const std::vector<std::string> kNames = {"network.host", "security.insecure", "device"};

[[noreturn]] void refuse(const Vertex& vertex, const std::string& what, const std::string& entitlement) {
  InvalidInput error(concat(what, " is not allowed in this build"));
  error.set_hint(concat("if you trust the Dockerfile, allow it with --allow ", entitlement));
  if (vertex.info.location) error.set_location(*vertex.info.location);
  throw error;
}

bool may_use(const std::string& device, const Entitlements& allowed, const DeviceRegistry& devices) {
  return allowed.all_devices || allowed.devices.contains(device) ||
         allowed.devices.contains(device.substr(0, device.find('='))) || devices.is_free_for_all(device);
}

}  // namespace

void Entitlements::allow(std::string_view text) {
  if (text == "network.host") {
    network_host = true;
  } else if (text == "security.insecure") {
    security_insecure = true;
  } else if (text == "device") {
    all_devices = true;
  } else if (text.starts_with("device=") && text.size() > 7 && text.find(',') == std::string_view::npos) {
    devices.emplace(text.substr(7));
  } else {
    UsageError error(concat("--allow ", text, ": there is no such entitlement"));
    const auto near = closest_match(text, kNames);
    error.set_hint(near ? concat("did you mean ", *near, "?")
                        : concat("there are ", join(kNames, ", "), " and device=NAME"));
    throw error;
  }
}

void check_entitlements(const Graph& graph, const Entitlements& allowed, const DeviceRegistry& devices) {
  for (const Vertex& vertex : graph.vertices()) {
    const ExecOp* exec = std::get_if<ExecOp>(&vertex.op.what);
    if (!exec) continue;
    if (exec->network == NetworkMode::Host && !allowed.network_host)
      refuse(vertex, "RUN --network=host", "network.host");
    if (exec->security == SecurityMode::Insecure && !allowed.security_insecure)
      refuse(vertex, "RUN --security=insecure", "security.insecure");
    for (const DeviceRequest& device : exec->devices)
      if (!may_use(device.name, allowed, devices))
        refuse(vertex, concat("RUN --device=", device.name), concat("device=", device.name));
  }
}

}  // namespace slipway
