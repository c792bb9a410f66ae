#include "accel/accelerated_root_json.h"

#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "accel/packages.h"
#include "base/error.h"
#include "base/strings.h"

namespace slipway {
namespace {

using nlohmann::json;
using Kind = ArgumentRule::Kind;

constexpr int kSchemaVersion = 2;
constexpr std::array<std::pair<Kind, const char*>, 7> kKinds = {
    {{Kind::Prepend, "prepend"},
     {Kind::Append, "append"},
     {Kind::Replace, "replace"},
     {Kind::Drop, "drop"},
     {Kind::Decline, "decline"},
     {Kind::Require, "require"},
     {Kind::DeclineVariable, "decline-variable"}}};

[[noreturn]] void refuse(std::string_view what) { throw InvalidInput(concat("kept native twins: ", what)); }

json encode_rule(const ArgumentRule& rule) {
  std::string kind;
  for (const auto& [value, name] : kKinds) {
    if (value == rule.kind) kind = name;
  }
  return {{"kind", kind}, {"pattern", rule.pattern}, {"with", rule.with}};
}

json encode_twin(const Twin& twin) {
  json rules = json::array();
  for (const ArgumentRule& rule : twin.rules) rules.push_back(encode_rule(rule));
  return {{"target", twin.target},
          {"inode", twin.identity.inode},
          {"size", twin.identity.size},
          {"mtime", twin.identity.mtime_ns},
          {"ctime", twin.identity.ctime_ns},
          {"package", twin.package},
          {"version", twin.version},
          {"source", twin.source},
          {"tree", twin.tree},
          {"program", twin.program},
          {"loader", twin.loader},
          {"libraryPath", twin.library_path},
          {"declinedNames", twin.declined_names},
          {"multiCall", twin.multi_call},
          {"rules", rules},
          {"guards", twin.guards}};
}

json encode_guard(const Guard& guard) {
  json encoded = {{"path", guard.path}, {"library", guard.library}};
  if (guard.identity)
    encoded["identity"] = {{"inode", guard.identity->inode},
                           {"size", guard.identity->size},
                           {"mtime", guard.identity->mtime_ns},
                           {"ctime", guard.identity->ctime_ns}};
  return encoded;
}

/// A member of the wanted type. nlohmann would turn numbers of one kind into another.
const json& member(const json& object, const char* name, bool (json::*is_right)() const noexcept) {
  if (!object.is_object() || !object.contains(name) || !(object.at(name).*is_right)())
    refuse(concat("\"", name, "\" is missing or of another type"));
  return object.at(name);
}

std::string text_of(const json& object, const char* name) { return member(object, name, &json::is_string); }
template <class T>
T number_of(const json& object, const char* name) {
  constexpr bool kSigned = std::is_signed_v<T>;
  return member(object, name, kSigned ? &json::is_number_integer : &json::is_number_unsigned)
      .template get<T>();
}
std::vector<std::string> texts_of(const json& object, const char* name) {
  std::vector<std::string> texts;
  for (const json& text : member(object, name, &json::is_array)) {
    if (!text.is_string()) refuse(concat("\"", name, "\" holds something else than text"));
    texts.push_back(text);
  }
  return texts;
}
void check_members(const json& object, std::size_t count) {
  if (!object.is_object() || object.size() != count) refuse("there are other members than known ones");
}

ArgumentRule decode_rule(const json& value) {
  check_members(value, 3);
  const std::string kind = text_of(value, "kind");
  for (const auto& [known, name] : kKinds) {
    if (kind == name)
      return {.kind = known, .pattern = text_of(value, "pattern"), .with = texts_of(value, "with")};
  }
  refuse(concat("no rule is called \"", kind, '"'));
}

FileIdentity decode_identity(const json& value) {
  return {.inode = number_of<std::uint64_t>(value, "inode"),
          .size = number_of<std::uint64_t>(value, "size"),
          .mtime_ns = number_of<std::int64_t>(value, "mtime"),
          .ctime_ns = number_of<std::int64_t>(value, "ctime")};
}

Guard decode_guard(const json& value) {
  const bool is_there = value.is_object() && value.contains("identity");
  check_members(value, is_there ? 3 : 2);
  Guard guard{.path = text_of(value, "path"), .identity = {}, .library = text_of(value, "library")};
  if (is_there) {
    check_members(value.at("identity"), 4);
    guard.identity = decode_identity(value.at("identity"));
  }
  return guard;
}

Twin decode_twin(const json& value) {
  check_members(value, 16);
  Twin twin{.target = text_of(value, "target"),
            .identity = decode_identity(value),
            .package = text_of(value, "package"),
            .version = text_of(value, "version"),
            .source = text_of(value, "source"),
            .tree = number_of<std::uint64_t>(value, "tree"),
            .program = text_of(value, "program"),
            .loader = text_of(value, "loader"),
            .library_path = texts_of(value, "libraryPath"),
            .declined_names = texts_of(value, "declinedNames"),
            .multi_call = text_of(value, "multiCall"),
            .rules = {},
            .guards = {}};
  for (const json& rule : member(value, "rules", &json::is_array)) twin.rules.push_back(decode_rule(rule));
  for (const json& guard : member(value, "guards", &json::is_array)) {
    if (!guard.is_number_unsigned()) refuse("a guard's number is none");
    twin.guards.push_back(guard.get<std::size_t>());
  }
  if (!is_clean_path(twin.target) || !is_clean_path(twin.program)) refuse("a program's path is not clean");
  if (!twin.loader.empty() && !is_clean_path(twin.loader)) refuse("a loader's path is not clean");
  for (const std::string& directory : twin.library_path) {
    if (!is_clean_path(directory)) refuse("a library path is not clean");
  }
  return twin;
}

}  // namespace

std::string encode(const AcceleratedRoot& root) {
  json trees = json::array(), twins = json::array();
  for (const std::filesystem::path& tree : root.trees) trees.push_back(tree.native());
  for (const Twin& twin : root.twins) twins.push_back(encode_twin(twin));
  json guards = json::array(), caches = json::array();
  for (const Guard& guard : root.guards) guards.push_back(encode_guard(guard));
  if (root.loader_cache) caches.push_back(encode_guard(*root.loader_cache));
  const json document = {{"schemaVersion", kSchemaVersion}, {"guards", guards}, {"loaderCache", caches},
                         {"machine", root.machine},         {"trees", trees},   {"twins", twins},
                         {"declined", root.declined}};
  // Paths and names come from images and may be no UTF-8; such text is read back as another, and then no file
  // matches it.
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

AcceleratedRoot decode_accelerated_root(std::string_view text) {
  const json document = json::parse(text, nullptr, false);
  if (document.is_discarded()) refuse("not JSON");
  check_members(document, 7);
  if (number_of<std::int64_t>(document, "schemaVersion") != kSchemaVersion) refuse("of another version");
  AcceleratedRoot root;
  root.machine = text_of(document, "machine");
  for (const std::string& tree : texts_of(document, "trees")) root.trees.emplace_back(tree);
  root.declined = texts_of(document, "declined");
  for (const json& value : member(document, "guards", &json::is_array))
    root.guards.push_back(decode_guard(value));
  for (const json& value : member(document, "loaderCache", &json::is_array))
    root.loader_cache = decode_guard(value);
  std::set<std::uint64_t> inodes;
  for (const json& value : member(document, "twins", &json::is_array)) {
    root.twins.push_back(decode_twin(value));
    if (root.twins.back().tree >= root.trees.size()) refuse("a twin is in a tree that is not listed");
    for (const std::size_t guard : root.twins.back().guards)
      if (guard >= root.guards.size()) refuse("a twin has a guard that is not listed");
    if (!inodes.insert(root.twins.back().identity.inode).second) refuse("two twins have one inode");
  }
  return root;
}

}  // namespace slipway
