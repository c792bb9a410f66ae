#include "slipway/config_file.h"

#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include <cstdlib>
#include <functional>
#include <map>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "slipway/prune_flags.h"

namespace slipway {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void fail(const std::string& shown, const toml::source_region& at, const std::string& what,
                       const std::string& hint = {}) {
  UsageError error(concat(shown, ":", at.begin.line, ":", at.begin.column, ": ", what));
  if (!hint.empty()) error.set_hint(hint);
  throw error;
}

/// A table whose keys are all known, or it is refused.
class Section {
 public:
  using Readers = std::map<std::string, std::function<void(const toml::node&)>, std::less<>>;

  Section(const std::string& shown, std::string name) : shown_(shown), name_(std::move(name)) {}

  void read(const toml::node& node, const Readers& readers) const {
    const toml::table* table = node.as_table();
    if (!table) fail(shown_, node.source(), concat(name_, " is not a table"));
    for (const auto& [key, value] : *table) {
      const auto reader = readers.find(key.str());
      if (reader == readers.end()) unknown(key, readers);
      reader->second(value);
    }
  }

  bool boolean(const toml::node& node, const char* key) const {
    if (const auto value = node.value_exact<bool>()) return *value;
    fail(shown_, node.source(), concat(key, ": expected true or false"));
  }

  /// A number of bytes or a text that says a size, as a text.
  std::string space(const toml::node& node, const char* key) const {
    const std::string text = number_or_text(node, key, "a size, such as \"20GB\", \"10%\" or a number");
    constexpr std::uint64_t kAny = std::uint64_t{1} << 40;
    checked(node, [&] { parse_space(text, kAny, key); });
    return text;
  }

  std::optional<std::int64_t> duration(const toml::node& node, const char* key) const {
    const std::string text = number_or_text(node, key, "a duration, such as \"48h\", or seconds");
    std::optional<std::int64_t> seconds;
    checked(node, [&] { seconds = parse_keep_duration(text, key); });
    return seconds;
  }

  std::string number_or_text(const toml::node& node, const char* key, std::string_view expected) const {
    if (const auto number = node.value_exact<std::int64_t>()) return std::to_string(*number);
    if (const auto text = node.value_exact<std::string>()) return *text;
    fail(shown_, node.source(), concat(key, ": expected ", expected));
  }

  std::vector<std::string> filters(const toml::node& node, const char* key) const {
    const toml::array* array = node.as_array();
    if (!array) fail(shown_, node.source(), concat(key, ": expected a list of texts"));
    std::vector<std::string> all;
    for (const toml::node& entry : *array) {
      const auto text = entry.value_exact<std::string>();
      if (!text) fail(shown_, entry.source(), concat(key, ": expected a list of texts"));
      checked(entry, [&] {
        if (parse_record_filters({*text}).keep_seconds)
          throw UsageError(concat(key, ": until is said by keepDuration here"));
      });
      all.push_back(*text);
    }
    return all;
  }

 private:
  [[noreturn]] void unknown(const toml::key& key, const Readers& readers) const {
    std::vector<std::string> known;
    for (const auto& [name, reader] : readers) known.push_back(name);
    const auto near = closest_match(std::string(key.str()), known);
    fail(shown_, key.source(), concat("there is no key \"", key.str(), "\" in ", name_),
         near ? concat("did you mean ", *near, "?") : concat("its keys are ", join(known, ", ")));
  }

  template <class Check>
  void checked(const toml::node& node, Check check) const {
    try {
      check();
    } catch (const UsageError& e) {
      fail(shown_, node.source(), e.message(), e.hint());
    }
  }

  const std::string& shown_;
  const std::string name_;
};

GcPolicySetting policy_from(const std::string& shown, const std::string& name, const toml::node& node) {
  const Section section(shown, concat("[[", name, ".gcpolicy]]"));
  GcPolicySetting policy;
  std::string keep_bytes;
  section.read(
      node,
      {{"all", [&](const toml::node& value) { policy.all = section.boolean(value, "all"); }},
       {"keepDuration",
        [&](const toml::node& value) { policy.keep_seconds = section.duration(value, "keepDuration"); }},
       {"filters", [&](const toml::node& value) { policy.filters = section.filters(value, "filters"); }},
       {"reservedSpace",
        [&](const toml::node& value) { policy.reserved = section.space(value, "reservedSpace"); }},
       {"keepBytes", [&](const toml::node& value) { keep_bytes = section.space(value, "keepBytes"); }},
       {"maxUsedSpace",
        [&](const toml::node& value) { policy.max_used = section.space(value, "maxUsedSpace"); }},
       {"minFreeSpace",
        [&](const toml::node& value) { policy.min_free = section.space(value, "minFreeSpace"); }},
       {"maxMatchedSpace",
        [&](const toml::node& value) { policy.max_matched = section.space(value, "maxMatchedSpace"); }}});
  if (policy.reserved.empty()) policy.reserved = keep_bytes;
  return policy;
}

GcSetting gc_from(const std::string& shown, const std::string& name, const toml::node& node) {
  const Section section(shown, concat("[", name, "]"));
  GcSetting gc;
  std::string keep_storage;
  section.read(
      node,
      {{"gc", [&](const toml::node& value) { gc.enabled = section.boolean(value, "gc"); }},
       {"gckeepstorage",
        [&](const toml::node& value) { keep_storage = section.space(value, "gckeepstorage"); }},
       {"reservedSpace",
        [&](const toml::node& value) { gc.reserved = section.space(value, "reservedSpace"); }},
       {"maxUsedSpace", [&](const toml::node& value) { gc.max_used = section.space(value, "maxUsedSpace"); }},
       {"minFreeSpace", [&](const toml::node& value) { gc.min_free = section.space(value, "minFreeSpace"); }},
       {"gcpolicy", [&](const toml::node& value) {
          const toml::array* policies = value.as_array();
          if (!policies) fail(shown, value.source(), concat("gcpolicy: write [[", name, ".gcpolicy]]"));
          for (const toml::node& policy : *policies) gc.policies.push_back(policy_from(shown, name, policy));
        }}});
  if (gc.reserved.empty()) gc.reserved = keep_storage;
  return gc;
}

std::string user_config_home() {
  if (const char* home = std::getenv("XDG_CONFIG_HOME"); home && *home) return home;
  if (const char* home = std::getenv("HOME"); home && *home) return concat(home, "/.config");
  return {};
}

}  // namespace

std::optional<fs::path> find_config(const std::string& flag) {
  if (!flag.empty()) return flag;
  if (const char* named = std::getenv("SLIPWAY_CONFIG"))
    return *named ? std::optional<fs::path>(named) : std::nullopt;
  std::error_code none;
  if (const std::string home = user_config_home(); !home.empty())
    if (const fs::path own = fs::path(home) / "slipway" / "slipway.toml"; fs::exists(own, none)) return own;
  if (const fs::path all = "/etc/slipway/slipway.toml"; fs::exists(all, none)) return all;
  return std::nullopt;
}

Config parse_config(const std::string& text, const std::string& shown) {
  Config config;
  toml::table whole;
  try {
    whole = toml::parse(text);
  } catch (const toml::parse_error& e) {
    fail(shown, e.source(), std::string(e.description()));
  }
  const auto take = [&](const std::string& name) {
    return [&config, &shown, name](const toml::node& node) {
      if (config.gc)
        fail(shown, node.source(), "[gc] and [worker.oci] are two names of one section: keep one of them");
      config.gc = gc_from(shown, name, node);
    };
  };
  const Section top(shown, "slipway.toml"), worker(shown, "[worker]");
  top.read(whole, {{"gc", take("gc")}, {"worker", [&](const toml::node& node) {
                                          worker.read(node, {{"oci", take("worker.oci")}});
                                        }}});
  return config;
}

Config read_config(const fs::path& file) {
  constexpr std::size_t kLongest = std::size_t{1} << 20;
  try {
    return parse_config(read_file(file, kLongest), file.native());
  } catch (const SystemError& e) {
    throw UsageError(concat("the configuration: ", e.message()));
  } catch (const InvalidInput& e) {
    throw UsageError(concat("the configuration: ", e.message()));
  }
}

}  // namespace slipway
