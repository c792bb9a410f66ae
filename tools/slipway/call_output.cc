#include "slipway/call_output.h"

#include <nlohmann/json.hpp>

#include "base/strings.h"
#include "slipway/table.h"
#include "slipway/terminal_text.h"
#include "slipway/warning_text.h"

namespace slipway {

namespace {

using Json = nlohmann::ordered_json;

std::string print(const Json& json) {
  // Dockerfiles need not be UTF-8.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

Json location(int first, int last) {
  return {{"ranges", Json::array({Json{{"start", {{"line", first}}}, {"end", {{"line", last}}}}})}};
}

void put_unless_empty(Json& object, const char* key, const std::string& value) {
  if (!value.empty()) object[key] = value;
}

/// What a build would stop at.
Json build_error(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const LocatedError& located) {
    Json out{{"message", located.what()}};
    const auto& where = located.location();
    out["location"] = where ? location(where->line, where->line) : Json::object();
    return out;
  } catch (const Error& other) {
    return {{"message", other.what()}, {"location", Json::object()}};
  }
}

std::string clean(const std::string& text) { return join(clean_lines(text), "\n"); }

Json mounts(const std::vector<dockerfile::OutlineMount>& list, const char* name_key) {
  Json out = Json::array();
  for (const dockerfile::OutlineMount& mount : list) {
    Json entry{{name_key, mount.id}};
    if (mount.required) entry["required"] = true;
    entry["location"] = location(mount.lines.first, mount.lines.last);
    out.push_back(std::move(entry));
  }
  return out;
}

std::string mount_table(const char* title, const std::vector<dockerfile::OutlineMount>& list) {
  if (list.empty()) return {};
  Table table({title, "REQUIRED"});
  for (const dockerfile::OutlineMount& mount : list)
    table.add({clean_line(mount.id), mount.required ? "true" : ""});
  return "\n" + table.text();
}

}  // namespace

std::string check_text(const CheckResult& result) {
  std::string out;
  for (const dockerfile::LintHit& hit : result.hits) {
    const Warned warned{.message = hit.message, .rule = std::string(hit.rule->name), .where = hit.where};
    out += concat(clean(concat("WARNING: ", warning_text(warned))), "\n\n");
  }
  if (result.error) return out;
  const std::size_t count = result.hits.size();
  return out + (count == 0
                    ? "Check complete, no warnings found.\n"
                    : concat("Check complete, ", count, count == 1 ? " warning" : " warnings", " found.\n"));
}

std::string check_json(const CheckResult& result) {
  Json out{{"warnings", Json::array()}, {"sources", Json::array()}};
  for (const dockerfile::LintHit& hit : result.hits)
    out["warnings"].push_back({{"ruleName", hit.rule->name},
                               {"description", hit.rule->description},
                               {"detail", hit.message},
                               {"location", location(hit.first_line, hit.last_line)}});
  out["sources"].push_back(
      {{"filename", result.filename}, {"language", "Dockerfile"}, {"data", base64_encode(result.text)}});
  if (result.error) out["buildError"] = build_error(result.error);
  return print(out);
}

std::string outline_text(const dockerfile::Outline& outline) {
  std::string out =
      concat("TARGET:      ", outline.name.empty() ? "(default)" : clean_line(outline.name), "\n");
  if (!outline.description.empty()) out += concat("DESCRIPTION: ", clean_line(outline.description), "\n");
  if (!outline.args.empty()) {
    Table table({"BUILD ARG", "VALUE", "DESCRIPTION"});
    for (const dockerfile::OutlineArg& arg : outline.args)
      table.add({clean_line(arg.name), clean_line(arg.value), clean_line(arg.description)});
    out += "\n" + table.text();
  }
  out += mount_table("SECRET", outline.secrets) + mount_table("SSH", outline.ssh);
  if (!outline.caches.empty()) {
    Table table({"CACHE MOUNT"});
    for (const dockerfile::OutlineMount& mount : outline.caches) table.add({clean_line(mount.id)});
    out += "\n" + table.text();
  }
  return out;
}

std::string outline_json(const dockerfile::Outline& outline, const std::string& dockerfile_text) {
  Json out = Json::object();
  put_unless_empty(out, "name", outline.name);
  put_unless_empty(out, "description", outline.description);
  for (const dockerfile::OutlineArg& arg : outline.args) {
    Json entry{{"name", arg.name}};
    put_unless_empty(entry, "description", arg.description);
    put_unless_empty(entry, "value", arg.value);
    entry["location"] = location(arg.lines.first, arg.lines.last);
    out["args"].push_back(std::move(entry));
  }
  if (!outline.secrets.empty()) out["secrets"] = mounts(outline.secrets, "name");
  if (!outline.ssh.empty()) out["ssh"] = mounts(outline.ssh, "name");
  if (!outline.caches.empty()) out["cache"] = mounts(outline.caches, "ID");
  out["sources"] = Json::array({base64_encode(dockerfile_text)});
  return print(out);
}

std::string targets_text(const std::vector<dockerfile::TargetEntry>& targets) {
  Table table({"TARGET", "BASE", "PLATFORM", "DESCRIPTION"});
  for (const dockerfile::TargetEntry& target : targets) {
    std::string name = clean_line(target.name);
    if (target.is_default) name += name.empty() ? "(default)" : " (default)";
    table.add({name, clean_line(target.base), clean_line(target.platform), clean_line(target.description)});
  }
  return table.text();
}

std::string targets_json(const std::vector<dockerfile::TargetEntry>& targets,
                         const std::string& dockerfile_text) {
  Json out{{"targets", Json::array()}};
  for (const dockerfile::TargetEntry& target : targets) {
    Json entry = Json::object();
    put_unless_empty(entry, "name", target.name);
    if (target.is_default) entry["default"] = true;
    put_unless_empty(entry, "description", target.description);
    put_unless_empty(entry, "base", target.base);
    put_unless_empty(entry, "platform", target.platform);
    entry["location"] = location(target.lines.first, target.lines.last);
    out["targets"].push_back(std::move(entry));
  }
  out["sources"] = Json::array({base64_encode(dockerfile_text)});
  return print(out);
}

}  // namespace slipway
