#include "runtime/resource_limits.h"

#include <cerrno>
#include <string_view>

namespace slipway {

int resource_number(std::string_view name) {
  struct Known {
    std::string_view name;
    int number;
  };
  static constexpr Known kKnown[] = {
      {"as", RLIMIT_AS},           {"core", RLIMIT_CORE},         {"cpu", RLIMIT_CPU},
      {"data", RLIMIT_DATA},       {"fsize", RLIMIT_FSIZE},       {"locks", RLIMIT_LOCKS},
      {"memlock", RLIMIT_MEMLOCK}, {"msgqueue", RLIMIT_MSGQUEUE}, {"nice", RLIMIT_NICE},
      {"nofile", RLIMIT_NOFILE},   {"nproc", RLIMIT_NPROC},       {"rss", RLIMIT_RSS},
      {"rtprio", RLIMIT_RTPRIO},   {"rttime", RLIMIT_RTTIME},     {"sigpending", RLIMIT_SIGPENDING},
      {"stack", RLIMIT_STACK}};
  for (const Known& known : kKnown)
    if (known.name == name) return known.number;
  return -1;
}

ResourceLimits::ResourceLimits(const std::vector<Ulimit>& limits) {
  for (const Ulimit& limit : limits)
    if (const int number = resource_number(limit.name); number >= 0)
      wanted_.push_back({number, {static_cast<rlim_t>(limit.soft), static_cast<rlim_t>(limit.hard)}});
}

int ResourceLimits::apply() const noexcept {
  for (const Wanted& wanted : wanted_)
    if (::setrlimit(static_cast<__rlimit_resource_t>(wanted.resource), &wanted.limit) != 0) return errno;
  return 0;
}

}  // namespace slipway
