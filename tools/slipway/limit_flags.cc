#include "slipway/limit_flags.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "base/error.h"
#include "base/strings.h"
#include "dockerfile/size_text.h"

namespace slipway {

namespace {

constexpr std::array<std::string_view, 16> kLimits = {
    "as",   "core",   "cpu",   "data", "fsize",  "locks",  "memlock",    "msgqueue",
    "nice", "nofile", "nproc", "rss",  "rtprio", "rttime", "sigpending", "stack"};

std::optional<double> parse_number(std::string_view text) {
  double value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::int64_t limit_value(std::string_view text, const std::string& whole) {
  if (text == "-1" || text == "unlimited") return -1;
  const auto number = parse_unsigned(text);
  if (!number || *number > static_cast<std::uint64_t>(INT64_MAX))
    throw UsageError(concat("--ulimit ", whole, ": \"", text, "\" is no limit: a number, or -1 for none"));
  return static_cast<std::int64_t>(*number);
}

Ulimit parse_ulimit(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    throw UsageError(concat("--ulimit ", text, ": expected NAME=SOFT[:HARD], such as nofile=1024:4096"));
  const std::string name = text.substr(0, equals);
  if (std::ranges::find(kLimits, name) == kLimits.end()) {
    UsageError error(concat("--ulimit ", text, ": there is no limit \"", name, "\""));
    const std::vector<std::string> names(kLimits.begin(), kLimits.end());
    const auto near = closest_match(name, names);
    error.set_hint(near ? concat("did you mean ", *near, "?") : concat("the limits are ", join(names, ", ")));
    throw error;
  }
  const std::string_view values = std::string_view(text).substr(equals + 1);
  const std::size_t colon = values.find(':');
  Ulimit limit{.name = name, .soft = limit_value(values.substr(0, colon), text)};
  limit.hard = colon == std::string_view::npos ? limit.soft : limit_value(values.substr(colon + 1), text);
  if (limit.hard != -1 && (limit.soft == -1 || limit.soft > limit.hard))
    throw UsageError(concat("--ulimit ", text, ": the soft limit is above the hard one"));
  return limit;
}

bool is_address(const std::string& text) {
  std::array<unsigned char, sizeof(struct in6_addr)> address{};
  return ::inet_pton(AF_INET, text.c_str(), address.data()) == 1 ||
         ::inet_pton(AF_INET6, text.c_str(), address.data()) == 1;
}

ExtraHost parse_host(const std::string& text) {
  const std::size_t separator = text.find_first_of(":=");
  ExtraHost host{.host = text.substr(0, separator), .address = {}};
  if (separator != std::string::npos) host.address = text.substr(separator + 1);
  if (host.address.starts_with('[') && host.address.ends_with(']'))
    host.address = host.address.substr(1, host.address.size() - 2);
  const bool name_fits = !host.host.empty() &&
                         std::ranges::all_of(host.host, [](unsigned char c) { return c > 0x20 && c != '#'; });
  if (name_fits && is_address(host.address)) return host;
  UsageError error(concat("--add-host ", text, ": expected HOST:ADDRESS, such as db:10.0.0.7"));
  if (host.address == "host-gateway")
    error.set_hint("steps use the network of this machine: the host itself is 127.0.0.1");
  throw error;
}

}  // namespace

std::uint64_t parse_bytes(const std::string& text, const char* flag) {
  const auto bytes = dockerfile::parse_memory_size(text);
  if (bytes && *bytes > 0) return static_cast<std::uint64_t>(*bytes);
  throw UsageError(concat(flag, " ", text, ": expected a size above 0, such as 512m or 2g"));
}

std::uint64_t parse_count(const std::string& text, const char* flag, std::uint64_t most) {
  if (const auto number = parse_unsigned(text); number && *number <= most) return *number;
  throw UsageError(concat(flag, " ", text, ": expected a number from 0 to ", most));
}

double parse_cpus(const std::string& text) {
  const auto number = parse_number(text);
  if (number && *number >= 0.01 && *number <= 100'000) return *number;
  throw UsageError(concat("--cpus ", text, ": expected a number of processors, such as 1.5 (0.01 or more)"));
}

std::chrono::milliseconds parse_timeout(const std::string& text, const char* flag) {
  constexpr double kLongest = 1e12;  // thirty years in milliseconds
  const auto refuse = [&] {
    return UsageError(concat(flag, " ", text, ": expected a duration such as 90s, 10m or 1h30m"));
  };
  if (text == "0") return std::chrono::milliseconds(0);
  std::string_view rest = text;
  double milliseconds = 0;
  while (!rest.empty()) {
    const std::size_t unit_at = rest.find_first_not_of("0123456789.");
    const auto number = parse_number(rest.substr(0, unit_at));
    if (!number || unit_at == std::string_view::npos) throw refuse();
    rest.remove_prefix(unit_at);
    const std::string_view unit = rest.substr(0, rest.find_first_of("0123456789."));
    rest.remove_prefix(unit.size());
    const double factor = unit == "ms"  ? 1
                          : unit == "s" ? 1e3
                          : unit == "m" ? 60e3
                          : unit == "h" ? 3600e3
                                        : 0;
    milliseconds += *number * factor;
    if (factor == 0 || milliseconds > kLongest) throw refuse();
  }
  if (milliseconds < 1) throw refuse();
  return std::chrono::milliseconds(static_cast<std::int64_t>(milliseconds));
}

std::vector<Ulimit> parse_ulimits(const std::vector<std::string>& texts) {
  std::vector<Ulimit> out;
  for (const std::string& text : texts) {
    Ulimit limit = parse_ulimit(text);
    std::erase_if(out, [&](const Ulimit& earlier) { return earlier.name == limit.name; });
    out.push_back(std::move(limit));
  }
  return out;
}

std::vector<ExtraHost> parse_hosts(const std::vector<std::string>& texts) {
  std::vector<ExtraHost> out;
  for (const std::string& text : texts) out.push_back(parse_host(text));
  return out;
}

}  // namespace slipway
