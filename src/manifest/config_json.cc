// Image configs (image-spec config.md) with Docker's extensions, and the time stamps in them.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/strings.h"
#include "manifest/json_platform.h"
#include "manifest/oci.h"

namespace slipway {
namespace {

using nlohmann::ordered_json;

constexpr const char* kInlineCache = "moby.buildkit.cache.v0";  // bytes, as Go writes them: base64

// Go writes sets as objects with empty values: {"80/tcp":{}}.
std::vector<std::string> read_set(const JsonNode& object, std::string_view key) {
  std::vector<std::string> out;
  if (const auto set = object.find(key))
    for (const auto& [name, value] : set->members()) out.push_back(name);
  return out;
}

ordered_json write_set(std::vector<std::string> names) {
  std::ranges::sort(names);
  ordered_json out = ordered_json::object();
  for (const std::string& name : names) out[name] = ordered_json::object();
  return out;
}

std::optional<std::vector<std::string>> read_optional_strings(const JsonNode& object, std::string_view key) {
  const auto node = object.find(key);
  if (!node) return std::nullopt;
  // Images of Docker's first years have a bare string here.
  if (node->is_string()) return std::vector<std::string>{node->string()};
  return node->strings();
}

HealthCheck read_health_check(const JsonNode& node) {
  HealthCheck out;
  out.test = node.strings_or_empty("Test");
  out.interval_ns = node.integer_or("Interval", 0);
  out.timeout_ns = node.integer_or("Timeout", 0);
  out.start_period_ns = node.integer_or("StartPeriod", 0);
  out.start_interval_ns = node.integer_or("StartInterval", 0);
  const std::int64_t retries = node.integer_or("Retries", 0);
  if (retries < 0 || retries > std::numeric_limits<int>::max())
    node.refuse(concat("Retries ", retries, " is out of range"));
  out.retries = static_cast<int>(retries);
  return out;
}

ordered_json write_health_check(const HealthCheck& check) {
  ordered_json out = ordered_json::object();
  if (!check.test.empty()) out["Test"] = check.test;
  if (check.interval_ns != 0) out["Interval"] = check.interval_ns;
  if (check.timeout_ns != 0) out["Timeout"] = check.timeout_ns;
  if (check.start_period_ns != 0) out["StartPeriod"] = check.start_period_ns;
  if (check.start_interval_ns != 0) out["StartInterval"] = check.start_interval_ns;
  if (check.retries != 0) out["Retries"] = check.retries;
  return out;
}

RuntimeConfig read_runtime_config(const JsonNode& node) {
  RuntimeConfig out;
  out.user = node.string_or("User");
  out.exposed_ports = read_set(node, "ExposedPorts");
  out.env = node.strings_or_empty("Env");
  out.entrypoint = read_optional_strings(node, "Entrypoint");
  out.cmd = read_optional_strings(node, "Cmd");
  out.volumes = read_set(node, "Volumes");
  out.working_dir = node.string_or("WorkingDir");
  out.labels = node.string_map_or_empty("Labels");
  out.stop_signal = node.string_or("StopSignal");
  if (const auto check = node.find("Healthcheck")) out.healthcheck = read_health_check(*check);
  out.shell = node.strings_or_empty("Shell");
  out.on_build = node.strings_or_empty("OnBuild");
  return out;
}

ordered_json write_runtime_config(const RuntimeConfig& config) {
  ordered_json out = ordered_json::object();
  if (!config.user.empty()) out["User"] = config.user;
  if (!config.exposed_ports.empty()) out["ExposedPorts"] = write_set(config.exposed_ports);
  if (!config.env.empty()) out["Env"] = config.env;
  if (config.entrypoint && !config.entrypoint->empty()) out["Entrypoint"] = *config.entrypoint;
  if (config.cmd && !config.cmd->empty()) out["Cmd"] = *config.cmd;
  if (!config.volumes.empty()) out["Volumes"] = write_set(config.volumes);
  if (!config.working_dir.empty()) out["WorkingDir"] = config.working_dir;
  if (!config.labels.empty()) out["Labels"] = config.labels;
  if (!config.stop_signal.empty()) out["StopSignal"] = config.stop_signal;
  if (config.healthcheck) out["Healthcheck"] = write_health_check(*config.healthcheck);
  if (!config.shell.empty()) out["Shell"] = config.shell;
  if (!config.on_build.empty()) out["OnBuild"] = config.on_build;
  return out;
}

History read_history(const JsonNode& node) {
  return History{.created = node.string_or("created"),
                 .created_by = node.string_or("created_by"),
                 .comment = node.string_or("comment"),
                 .author = node.string_or("author"),
                 .empty_layer = node.boolean_or("empty_layer", false)};
}

ordered_json write_history(const History& entry) {
  ordered_json out = ordered_json::object();
  if (!entry.created.empty()) out["created"] = entry.created;
  if (!entry.created_by.empty()) out["created_by"] = entry.created_by;
  if (!entry.author.empty()) out["author"] = entry.author;
  if (!entry.comment.empty()) out["comment"] = entry.comment;
  if (entry.empty_layer) out["empty_layer"] = true;
  return out;
}

std::vector<Digest> read_diff_ids(const JsonNode& root) {
  std::vector<Digest> out;
  const auto rootfs = root.find("rootfs");
  if (!rootfs) return out;
  if (const std::string type = rootfs->string_or("type", "layers"); type != "layers")
    rootfs->refuse(concat("type \"", type.substr(0, 100), "\" is not \"layers\""));
  const auto ids = rootfs->find("diff_ids");
  if (!ids) return out;
  for (const JsonNode& id : ids->elements()) {
    if (!Digest::is_valid(id.string())) id.refuse("not a digest (sha256: and 64 hex digits)");
    out.push_back(Digest::parse(id.string()));
  }
  return out;
}

ImageConfig read_image_config(const JsonNode& root) {
  const std::string architecture = root.at("architecture").string();
  const std::string os = root.at("os").string();
  ImageConfig out{.platform = Platform::from_fields(os, architecture, root.string_or("variant"),
                                                    root.string_or("os.version"))};
  out.created = root.string_or("created");
  out.author = root.string_or("author");
  if (const auto config = root.find("config")) out.config = read_runtime_config(*config);
  out.diff_ids = read_diff_ids(root);
  if (const auto history = root.find("history"))
    for (const JsonNode& entry : history->elements()) out.history.push_back(read_history(entry));
  return out;
}

}  // namespace

Parsed<ImageConfig> parse_image_config(std::string raw) {
  const JsonDocument document(raw, "image config");
  ImageConfig config = read_image_config(document.root());
  Digest digest = Digest::of(raw);
  return Parsed<ImageConfig>{std::move(config), std::move(raw), std::move(digest)};
}

std::string to_json(const ImageConfig& config) {
  ordered_json out;
  if (!config.created.empty()) out["created"] = config.created;
  if (!config.author.empty()) out["author"] = config.author;
  write_platform(out, config.platform);
  // Optional in the spec, but there are engines that take its absence badly.
  out["config"] = write_runtime_config(config.config);
  ordered_json diff_ids = ordered_json::array();
  for (const Digest& id : config.diff_ids) diff_ids.push_back(id.str());
  out["rootfs"]["type"] = "layers";
  out["rootfs"]["diff_ids"] = std::move(diff_ids);
  if (!config.history.empty()) {
    ordered_json history = ordered_json::array();
    for (const History& entry : config.history) history.push_back(write_history(entry));
    out["history"] = std::move(history);
  }
  if (!config.inline_cache.empty()) out[kInlineCache] = base64_encode(config.inline_cache);
  return dump(out);
}

std::string inline_cache_of(std::string_view raw_config) {
  const JsonDocument document(raw_config, "image config");
  const std::string encoded = document.root().string_or(kInlineCache);
  return encoded.empty() ? "" : base64_decode(encoded);
}

std::string rfc3339(std::int64_t seconds, std::uint32_t nanoseconds) {
  using namespace std::chrono;
  const sys_seconds when{std::chrono::seconds{seconds}};
  const sys_days day = floor<days>(when);
  const year_month_day date{day};
  const hh_mm_ss time{when - day};
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                static_cast<int>(time.seconds().count()));
  std::string out = text.data();
  if (nanoseconds != 0) {
    std::snprintf(text.data(), text.size(), ".%09u", nanoseconds);
    std::string fraction = text.data();
    fraction.erase(fraction.find_last_not_of('0') + 1);
    out += fraction;
  }
  return out + "Z";
}

}  // namespace slipway
