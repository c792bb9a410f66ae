#include "nodes/local_contexts.h"

#include <cerrno>

#include "base/strings.h"
#include "content/tree.h"
#include "nodes/file_actions.h"
#include "nodes/near_path.h"

namespace slipway {

void LocalContexts::add(const std::string& name, const std::filesystem::path& directory,
                        const std::vector<std::string>& ignore_patterns, const std::string& shown) {
  contexts_.emplace(name, LocalContext{.shown = shown.empty() ? directory.native() : shown,
                                       .tree = RootedDir(directory),
                                       .ignored = PatternMatcher(ignore_patterns)});
}

const LocalContext& LocalContexts::at(const std::string& name) const {
  const auto found = contexts_.find(name);
  if (found == contexts_.end()) throw NotFound(concat("there is no local source named \"", name, "\""));
  return found->second;
}

std::string selection_key(const std::string& name, const CopyAction& copy) {
  std::string key;
  const auto add = [&key](const std::vector<std::string>& fields) {
    key += concat(fields.size(), ";");
    for (const std::string& field : fields) key += concat(field.size(), ":", field);
  };
  add({name, copy.src});
  add(copy.include);
  add(copy.exclude);
  add(copy.required);
  for (const bool flag :
       {copy.follow_symlink, copy.copy_dir_contents, copy.allow_wildcard, copy.allow_empty_wildcard})
    key += flag ? '+' : '-';
  return key;
}

namespace {

/// Where the instruction's first line names the path that `message` begins with, in quotes; else where the
/// instruction is.
SourceLocation place_of_source(SourceLocation where, std::string_view message) {
  if (!message.starts_with("\"/")) return where;
  const std::string_view path = message.substr(2, message.find('"', 2) - 2);
  const auto ends_word = [&](std::size_t at) {
    return at >= where.line_text.size() ||
           std::string_view(" \t\"',/\\").find(where.line_text[at]) != std::string_view::npos;
  };
  for (std::size_t at = where.line_text.find(path); !path.empty() && at != std::string::npos;
       at = where.line_text.find(path, at + 1)) {
    const bool begins_word =
        at > 0 && std::string_view(" \t\"'/=").find(where.line_text[at - 1]) != std::string_view::npos;
    if (!begins_word || !ends_word(at + path.size())) continue;
    where.column = static_cast<int>(at) + 1;
    break;
  }
  return where;
}

}  // namespace

Digest LocalContexts::digest(const std::string& name, const CopyAction& copy, const Vertex& vertex,
                             std::stop_token stop) {
  auto now = list_now(name, copy, vertex, stop);
  if (listener_) listener_(vertex, name, copy, *now);
  const std::string selection = selection_key(name, copy);
  auto seen = seen_.lock();
  for (const auto& [place, other] : *seen)  // the steps of all platforms share one
    if (place.second == selection && other.list && other.digest == now->digest) now = other.list;
  seen->insert_or_assign({vertex.digest, selection}, Seen{.digest = now->digest, .list = now});
  return now->digest;
}

Digest LocalContexts::seen(const std::string& name, const CopyAction& copy, const Vertex& vertex,
                           std::stop_token stop) {
  const auto known = find_seen(name, copy, vertex);
  return known ? known->digest : digest(name, copy, vertex, std::move(stop));
}

std::shared_ptr<const SelectionList> LocalContexts::listed(const std::string& name, const CopyAction& copy,
                                                           const Vertex& vertex) {
  const auto known = find_seen(name, copy, vertex);
  return known ? known->list : nullptr;
}

std::optional<LocalContexts::Seen> LocalContexts::find_seen(const std::string& name, const CopyAction& copy,
                                                            const Vertex& vertex) {
  auto seen = seen_.lock();
  const auto known = seen->find({vertex.digest, selection_key(name, copy)});
  return known == seen->end() ? std::nullopt : std::optional(known->second);
}

void LocalContexts::forget_lists(const Vertex& vertex) {
  std::vector<std::shared_ptr<const SelectionList>> freed;  // without the lock: they are large
  auto seen = seen_.lock();
  for (auto at = seen->lower_bound({vertex.digest, ""});
       at != seen->end() && at->first.first == vertex.digest; ++at)
    freed.push_back(std::move(at->second.list));
}

namespace {

[[noreturn]] void throw_changed(const CopyAction& copy, const Vertex& vertex) {
  InvalidInput changed(concat("\"", copy.src, "\" in the build context changed while the build ran"));
  changed.set_hint("run the build again");
  if (vertex.info.location) changed.set_location(*vertex.info.location);
  throw changed;
}

}  // namespace

std::shared_ptr<const SelectionList> LocalContexts::check_copied(const std::string& name,
                                                                 const CopyAction& copy, const Vertex& vertex,
                                                                 const CopyRecord& record,
                                                                 const RootedDir& target,
                                                                 std::stop_token stop) {
  auto now = list_now(name, copy, vertex, stop);
  check_is(now->digest, name, copy, vertex);
  const auto before = listed(name, copy, vertex);
  if (!record.is_of(before ? *before : *now, *now, target, stop)) throw_changed(copy, vertex);
  return now;
}

void LocalContexts::check_is(const Digest& content, const std::string& name, const CopyAction& copy,
                             const Vertex& vertex) {
  const auto before = find_seen(name, copy, vertex);
  if (before && before->digest != content) throw_changed(copy, vertex);
}

std::shared_ptr<const SelectionList> LocalContexts::list_now(const std::string& name, const CopyAction& copy,
                                                             const Vertex& vertex,
                                                             const std::stop_token& stop) {
  const LocalContext& context = at(name);
  try {
    const CopyPatterns patterns(copy);
    return list_selection(patterns.select_in(context.tree, &context.ignored), /*of_context=*/true, digests_,
                          stop);
  } catch (const NotFound& missing) {
    const auto near = near_path(context.tree, context.ignored, copy.src);
    rethrow_missing_source(missing, vertex, concat("the build context ", context.shown),
                           near ? concat("did you mean ", *near, "?") : "");
  } catch (InvalidInput& invalid) {
    if (!invalid.location() && vertex.info.location) invalid.set_location(*vertex.info.location);
    throw;
  } catch (const SystemError& e) {
    if (e.error_number() != EACCES && e.error_number() != EPERM) throw;
    InvalidInput unreadable(concat(e.what(), " (in the build context ", context.shown, ")"));
    if (vertex.info.location) unreadable.set_location(*vertex.info.location);
    throw unreadable;
  }
}

void rethrow_missing_source(const NotFound& missing, const Vertex& vertex, const std::string& where,
                            const std::string& hint) {
  const std::string what = missing.what();
  InvalidInput error(concat(what, " (looked in ", where, ")"));
  if (vertex.info.location) error.set_location(place_of_source(*vertex.info.location, what));
  if (!hint.empty()) error.set_hint(hint);
  throw error;
}

}  // namespace slipway
