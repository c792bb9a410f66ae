#include "platforms/cpu_level.h"

namespace slipway {

namespace {

#if defined(__x86_64__)
bool cpu_has(const std::string& variant) {
  if (variant == "v2") return __builtin_cpu_supports("x86-64-v2");
  if (variant == "v3") return __builtin_cpu_supports("x86-64-v3");
  if (variant == "v4") return __builtin_cpu_supports("x86-64-v4");
  return variant.empty();
}
#else
bool cpu_has(const std::string&) { return true; }  // never asked: no amd64 host
#endif

}  // namespace

std::optional<std::string> missing_cpu_level(const Platform& host, const Platform& target) {
  if (host.architecture() != "amd64" || target.architecture() != "amd64") return std::nullopt;
  if (cpu_has(target.variant())) return std::nullopt;
  return "x86-64-" + target.variant();
}

}  // namespace slipway
