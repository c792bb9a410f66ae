#include "slipway/gc_policies.h"

#include "base/strings.h"
#include "slipway/prune_flags.h"

namespace slipway {
namespace {

constexpr std::int64_t kHour = 3600, kDay = 24 * kHour;

std::vector<GcPolicySetting> default_policies(GcSetting setting) {
  if (setting.reserved.empty() && setting.max_used.empty() && setting.min_free.empty()) {
    setting.reserved = "10%";
    setting.max_used = "60%";
    setting.min_free = "20%";
  }
  const GcPolicySetting capped{.reserved = setting.reserved,
                               .max_used = setting.max_used,
                               .min_free = setting.min_free,
                               .max_matched = {}};
  GcPolicySetting easily_made{.keep_seconds = 48 * kHour,
                              .filters = {"type==exec.cachemount", "type==source.git", "type==source.http"},
                              .reserved = {},
                              .max_used = "512MB",
                              .min_free = {},
                              .max_matched = {}};
  GcPolicySetting old = capped, everything = capped;
  old.keep_seconds = 60 * kDay;
  everything.all = true;
  return {std::move(easily_made), std::move(old), capped, std::move(everything)};
}

std::string text_of(const GcPolicySetting& setting, const GcLimits& limits) {
  const auto number = [](const auto& value) { return value ? std::to_string(*value) : "-"; };
  std::string text =
      concat(setting.all ? "all " : "", number(limits.reserved), ' ', number(limits.max_used), ' ',
             number(limits.min_free), ' ', number(limits.max_matched), ' ', number(limits.keep_seconds));
  for (const std::string& filter : setting.filters) text += concat("\n", filter);
  return text;
}

}  // namespace

std::vector<GcPolicy> gc_policies(const GcSetting& setting, std::uint64_t file_system) {
  std::vector<GcPolicy> policies;
  if (!setting.enabled) return policies;
  const auto space = [&](const std::string& text, const char* key) {
    return text.empty() ? std::nullopt : parse_space(text, file_system, key);
  };
  for (const GcPolicySetting& given :
       setting.policies.empty() ? default_policies(setting) : setting.policies) {
    GcPolicy policy;
    policy.request.all = given.all;
    policy.request.limits = {.max_used = space(given.max_used, "maxUsedSpace"),
                             .min_free = space(given.min_free, "minFreeSpace"),
                             .reserved = space(given.reserved, "reservedSpace"),
                             .max_matched = space(given.max_matched, "maxMatchedSpace"),
                             .keep_seconds = given.keep_seconds,
                             .keep_is_firm = !given.filters.empty()};
    if (!given.filters.empty()) policy.request.matches = parse_any_filter(given.filters);
    policy.text = text_of(given, policy.request.limits);
    policies.push_back(std::move(policy));
  }
  return policies;
}

}  // namespace slipway
