#include "qemu/emulation_policy.h"

#include "base/error.h"
#include "base/strings.h"

namespace slipway {

namespace {

EmulationPolicy parse_policy(std::string_view word, std::string_view part) {
  if (word == "auto") return EmulationPolicy::Auto;
  if (word == "accelerated") return EmulationPolicy::Accelerated;
  if (word == "qemu") return EmulationPolicy::Qemu;
  if (word == "verify") return EmulationPolicy::Verify;
  if (word == "never") return EmulationPolicy::Never;
  UsageError error(concat("--emulation=", part,
                          ": expected auto, accelerated, qemu, verify or never, or PLATFORM=POLICY"));
  if (const auto near = closest_match(word, {"auto", "accelerated", "qemu", "verify", "never"}))
    error.set_hint(concat("did you mean \"", *near, "\"?"));
  throw error;
}

}  // namespace

EmulationPolicies EmulationPolicies::parse(const std::vector<std::string>& texts) {
  EmulationPolicies policies;
  for (const std::string& text : texts) {
    for (const std::string& part : split(text, ',')) {
      const std::size_t equals = part.find('=');
      if (equals == std::string::npos) {
        policies.everywhere_ = parse_policy(part, part);
        continue;
      }
      const EmulationPolicy policy = parse_policy(part.substr(equals + 1), part);
      policies.single_.insert_or_assign(Platform::parse(part.substr(0, equals)), policy);
    }
  }
  return policies;
}

EmulationPolicy EmulationPolicies::of(const Platform& platform) const {
  const auto found = single_.find(platform);
  return found == single_.end() ? everywhere_ : found->second;
}

}  // namespace slipway
