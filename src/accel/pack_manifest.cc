// Reads accel.json. Unknown keys are refused: a rule that is not understood is one that is not kept.
#include <algorithm>
#include <initializer_list>
#include <map>
#include <nlohmann/json.hpp>

#include "accel/dynamic_program.h"
#include "accel/packs.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"

namespace slipway {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxManifest = std::size_t{4} << 20;
constexpr std::size_t kMaxPrograms = 4096;
constexpr std::size_t kMaxRules = 256;
constexpr std::size_t kMaxText = 4095;
constexpr std::int64_t kFormat = 1;

const std::map<std::string, ArgumentRule::Kind, std::less<>> kKinds{
    {"prepend", ArgumentRule::Kind::Prepend}, {"append", ArgumentRule::Kind::Append},
    {"replace", ArgumentRule::Kind::Replace}, {"drop", ArgumentRule::Kind::Drop},
    {"decline", ArgumentRule::Kind::Decline}, {"require", ArgumentRule::Kind::Require},
    {"decline-variable", ArgumentRule::Kind::DeclineVariable},
};

/// A JSON value and where it is: "$.programs[3].rules".
class Node {
 public:
  Node(const json& value, std::string path) : value_(value), path_(std::move(path)) {}

  [[noreturn]] void refuse(std::string_view why) const { throw InvalidInput(concat(path_, ": ", why)); }

  void only(std::initializer_list<std::string_view> keys) const {
    if (!value_.is_object()) refuse("expected an object");
    for (const auto& [key, ignored] : value_.items())
      if (std::ranges::find(keys, key) == keys.end()) refuse(concat("unknown key '", key.substr(0, 64), "'"));
  }
  bool has(const char* key) const { return value_.contains(key); }
  Node at(const char* key) const {
    if (!value_.is_object()) refuse("expected an object");
    const auto found = value_.find(key);
    if (found == value_.end()) refuse(concat("'", key, "' is missing"));
    return {*found, concat(path_, ".", key)};
  }
  std::vector<Node> elements(std::size_t limit) const {
    if (!value_.is_array()) refuse("expected an array");
    if (value_.size() > limit) refuse(concat(value_.size(), " entries; more than ", limit, " are refused"));
    std::vector<Node> all;
    for (std::size_t i = 0; i < value_.size(); ++i) all.emplace_back(value_[i], concat(path_, "[", i, "]"));
    return all;
  }
  std::string text() const {
    if (!value_.is_string()) refuse("expected a string");
    const auto& text = value_.get_ref<const std::string&>();
    if (text.empty()) refuse("is empty");
    if (text.size() > kMaxText) refuse(concat("longer than ", kMaxText, " bytes"));
    if (std::ranges::any_of(text, [](unsigned char c) { return c < ' ' || c == 0x7f; }))
      refuse("has a control character in it");
    return text;
  }
  std::string path_text() const {
    std::string text = this->text();
    if (!is_clean_absolute_path(text)) refuse(concat("'", text, "' is not a clean absolute path"));
    return text;
  }
  std::vector<std::string> texts(std::size_t limit) const {
    std::vector<std::string> all;
    for (const Node& element : elements(limit)) all.push_back(element.text());
    return all;
  }
  std::int64_t number() const {
    if (!value_.is_number_integer()) refuse("expected a whole number");
    return value_.get<std::int64_t>();
  }

 private:
  const json& value_;
  std::string path_;
};

ArgumentRule read_rule(const Node& node) {
  node.only({"kind", "pattern", "with"});
  ArgumentRule rule;
  const std::string name = node.at("kind").text();
  const auto kind = kKinds.find(name);
  if (kind == kKinds.end())
    node.at("kind").refuse(concat("'", name, "' is not one of prepend, append, replace, drop, decline, require, decline-variable"));
  rule.kind = kind->second;
  using enum ArgumentRule::Kind;
  const bool wants_pattern = rule.kind != Prepend && rule.kind != Append;
  const bool wants_arguments = !wants_pattern || rule.kind == Replace;
  if (node.has("pattern") && !wants_pattern) node.refuse(concat("a '", name, "' rule has no pattern"));
  if (node.has("with") && !wants_arguments) node.refuse(concat("a '", name, "' rule has no 'with'"));
  if (wants_pattern) rule.pattern = node.at("pattern").text();
  if (wants_arguments) rule.with = node.at("with").texts(kMaxRules);
  if (wants_arguments && rule.with.empty()) node.at("with").refuse("is empty");
  return rule;
}

std::string read_sha256(const Node& node) {
  std::string digits = node.text();
  if (!Digest::is_valid("sha256:" + digits)) node.refuse("expected 64 hexadecimal digits");
  return digits;
}

PackCondition read_condition(const Node& node) {
  if (node.has("file")) {
    node.only({"file", "sha256"});
    return {.of = PackCondition::Of::File,
            .path = node.at("file").path_text(),
            .content = {read_sha256(node.at("sha256"))}};
  }
  node.only({"directory", "names"});
  PackCondition condition{.of = PackCondition::Of::Directory,
                          .path = node.at("directory").path_text(),
                          .content = node.at("names").texts(kMaxRules)};
  std::ranges::sort(condition.content);
  return condition;
}

PackProgram read_program(const Node& node) {
  node.only({"target", "package", "version", "sha256", "twin", "when", "rules"});
  PackProgram program;
  program.target = node.at("target").path_text();
  program.package = node.at("package").text();
  program.version = node.at("version").text();
  program.sha256 = read_sha256(node.at("sha256"));
  program.twin = node.at("twin").path_text();
  if (node.has("when"))
    for (const Node& entry : node.at("when").elements(kMaxRules))
      program.conditions.push_back(read_condition(entry));
  if (node.has("rules"))
    for (const Node& entry : node.at("rules").elements(kMaxRules)) program.rules.push_back(read_rule(entry));
  return program;
}

/// Before the parser builds anything. The format needs five levels.
void check_depth(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (in_string && text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      in_string = !in_string;
    } else if (!in_string && (text[i] == '[' || text[i] == '{')) {
      if (++depth > 16) throw InvalidInput("nested too deep");
    } else if (!in_string && (text[i] == ']' || text[i] == '}')) {
      --depth;
    }
  }
}

json parse_json(std::string_view text) {
  if (text.size() > kMaxManifest)
    throw InvalidInput(concat(text.size(), " bytes; more than ", kMaxManifest, " are refused"));
  check_depth(text);
  try {
    return json::parse(text);
  } catch (const json::parse_error& e) {
    throw InvalidInput(concat("not valid JSON (at byte ", e.byte, " of ", text.size(), ")"));
  } catch (const json::exception&) {
    throw InvalidInput("not valid JSON (a number is out of range)");
  }
}

Platform read_platform(const Node& node) {
  try {
    return Platform::parse(node.text());
  } catch (const UsageError& e) {
    node.refuse(e.message());
  }
}

}  // namespace

Pack parse_pack(std::string_view text, std::string reference) try {
  const json document = parse_json(text);
  const Node root(document, "$");
  const std::int64_t format = root.at("format").number();
  if (format != kFormat)
    throw InvalidInput(concat("format ", format, "; this slipway reads format ", kFormat));
  root.only({"format", "description", "platform", "machine", "programs"});
  if (root.has("description")) root.at("description").text();
  Pack pack{.reference = reference,
            .platform = read_platform(root.at("platform")),
            .machine = root.at("machine").text(),
            .programs = {}};
  for (const Node& entry : root.at("programs").elements(kMaxPrograms))
    pack.programs.push_back(read_program(entry));
  return pack;
} catch (Error& e) {
  e.add_context(concat("toolchain pack ", reference, ", ", kPackManifest));
  throw;
}

Pack read_pack(const RootedDir& tree, std::string reference) {
  const auto file = find_regular_file(tree, kPackManifest);
  if (!file) {
    InvalidInput error(concat("toolchain pack ", reference, ": there is no ", kPackManifest, " in it"));
    error.set_hint("--accel-pack takes images made for it, such as examples/accel/debian-bookworm-arm64");
    throw error;
  }
  if (static_cast<std::uint64_t>(file->status.st_size) > kMaxManifest)
    throw InvalidInput(concat("toolchain pack ", reference, ", ", kPackManifest, ": ", file->status.st_size,
                              " bytes; more than ", kMaxManifest, " are refused"));
  return parse_pack(read_all(file->fd.get(), kPackManifest, kMaxManifest), std::move(reference));
}

}  // namespace slipway
