#pragma once
// What EXPOSE takes: [[IP:]HOST:]PORT[-PORT][/PROTOCOL].
#include <optional>
#include <string>
#include <string_view>

namespace slipway::dockerfile {

struct ExposedPorts {
  unsigned first = 0, last = 0;
  std::string protocol;  ///< "tcp", "udp" or "sctp"
};

/// Nothing if `text` is none of that.
std::optional<ExposedPorts> parse_exposed_ports(std::string_view text);

}  // namespace slipway::dockerfile
