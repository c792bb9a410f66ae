#include "dockerfile/ports.h"

#include <arpa/inet.h>

#include <utility>

#include "base/strings.h"

namespace slipway::dockerfile {
namespace {

using Range = std::pair<unsigned, unsigned>;

std::optional<unsigned> parse_port(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  const std::optional<std::uint64_t> number = parse_unsigned(text);
  if (!number || *number > 65535) return std::nullopt;
  return static_cast<unsigned>(*number);
}

std::optional<Range> parse_range(std::string_view text) {
  const std::size_t dash = text.find('-');
  const std::optional<unsigned> first = parse_port(text.substr(0, dash));
  const std::optional<unsigned> last =
      dash == std::string_view::npos ? first : parse_port(text.substr(dash + 1));
  if (!first || !last || *last < *first) return std::nullopt;
  return Range{*first, *last};
}

bool is_address(std::string_view text) {
  if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
  in6_addr address{};
  const std::string zeroed(text);
  return inet_pton(AF_INET, zeroed.c_str(), &address) == 1 ||
         inet_pton(AF_INET6, zeroed.c_str(), &address) == 1;
}

/// [IP:]HOST, of which the ports must be as many as the container's, if those are more than one.
bool is_host_part(std::string_view text, const Range& ports) {
  const std::size_t colon = text.rfind(':');
  if (colon != std::string_view::npos && colon > 0 && !is_address(text.substr(0, colon))) return false;
  const std::string_view host = colon == std::string_view::npos ? text : text.substr(colon + 1);
  if (host.empty()) return true;
  const std::optional<Range> range = parse_range(host);
  if (!range) return false;
  return ports.first == ports.second || range->second - range->first == ports.second - ports.first;
}

}  // namespace

std::optional<ExposedPorts> parse_exposed_ports(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  const std::string_view container = colon == std::string_view::npos ? text : text.substr(colon + 1);
  const std::size_t slash = container.find('/');
  const std::optional<Range> range = parse_range(container.substr(0, slash));
  if (!range) return std::nullopt;
  if (colon != std::string_view::npos && !is_host_part(text.substr(0, colon), *range)) return std::nullopt;
  ExposedPorts out{range->first, range->second, "tcp"};
  if (slash != std::string_view::npos && slash + 1 < container.size())
    out.protocol = to_lower(container.substr(slash + 1));
  if (out.protocol != "tcp" && out.protocol != "udp" && out.protocol != "sctp") return std::nullopt;
  return out;
}

}  // namespace slipway::dockerfile
