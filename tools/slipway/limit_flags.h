#pragma once
// What a step may use, as docker's flags write it. Each throws UsageError that names its flag.
#include <chrono>
#include <string>
#include <vector>

#include "graph/ops.h"

namespace slipway {

/// "512m", "2GiB", "1048576": bytes, more than none.
std::uint64_t parse_bytes(const std::string& text, const char* flag);
/// A number from 0 to `most`.
std::uint64_t parse_count(const std::string& text, const char* flag, std::uint64_t most);
/// "1.5": processors.
double parse_cpus(const std::string& text);
/// "90s", "10m", "1h30m", "0" (none).
std::chrono::milliseconds parse_timeout(const std::string& text, const char* flag);
/// NAME=SOFT[:HARD], -1 or "unlimited" for none.
std::vector<Ulimit> parse_ulimits(const std::vector<std::string>& texts);
/// HOST:ADDRESS or HOST=ADDRESS; the address may be IPv6, with or without brackets.
std::vector<ExtraHost> parse_hosts(const std::vector<std::string>& texts);

}  // namespace slipway
