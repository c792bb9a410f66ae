#pragma once
// slipway.toml: settings that outlive one command. Only what is wrong with the file itself is told here, with
// its line; what settings mean is for those who use them.
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace slipway {

/// One of [[worker.oci.gcpolicy]]. Sizes as parse_space() takes them, "" for none.
struct GcPolicySetting {
  bool all = false;
  std::optional<std::int64_t> keep_seconds;
  std::vector<std::string> filters;  ///< what one of them matches
  std::string reserved, max_used, min_free, max_matched;
  bool operator==(const GcPolicySetting&) const = default;
};

/// [worker.oci] or [gc].
struct GcSetting {
  bool enabled = true;
  std::string reserved, max_used, min_free;
  std::vector<GcPolicySetting> policies;
};

struct Config {
  std::optional<GcSetting> gc;
};

/// The file that `flag` names, else SLIPWAY_CONFIG (empty: none), else slipway/slipway.toml in
/// $XDG_CONFIG_HOME (~/.config), else /etc/slipway/slipway.toml; nothing if none of those two is there.
std::optional<std::filesystem::path> find_config(const std::string& flag);

/// Throws UsageError with FILE:LINE:COLUMN for what is no TOML, no key that is known, or of a wrong type.
Config read_config(const std::filesystem::path& file);
/// `shown` is what the text is called in messages.
Config parse_config(const std::string& text, const std::string& shown);

}  // namespace slipway
