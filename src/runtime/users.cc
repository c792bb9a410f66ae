#include "runtime/users.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"

namespace slipway {
namespace {

// The files come from an image: whatever is in them, reading them costs little.
constexpr std::size_t kMaxDatabase = 10u << 20;
// What the ecosystem takes for the largest id.
constexpr std::uint64_t kMaxId = 2147483647;

struct PasswdEntry {
  std::string name;
  unsigned uid = 0, gid = 0;
  std::string home;
};
struct GroupEntry {
  std::string name;
  unsigned gid = 0;
  std::vector<std::string> members;
};

std::optional<unsigned> parse_id(std::string_view text) {
  const auto number = parse_unsigned(text);
  if (!number || *number > kMaxId) return std::nullopt;
  return static_cast<unsigned>(*number);
}

std::string read_database(const RootedDir& root, std::string_view path) {
  // Not blocking: an image may hold a FIFO there.
  const auto fd = root.try_open(path, O_RDONLY | O_NONBLOCK);
  if (!fd) return "";
  struct stat status {};
  if (::fstat(fd->get(), &status) != 0 || !S_ISREG(status.st_mode)) return "";
  return read_all(fd->get(), concat("the image's ", path), kMaxDatabase);
}

// Lines that are no entries (comments, NIS marks, junk) are passed over, as libc does.
std::vector<PasswdEntry> read_passwd(const RootedDir& root) {
  std::vector<PasswdEntry> entries;
  for (const std::string& line : split(read_database(root, "/etc/passwd"), '\n')) {
    const std::vector<std::string> fields = split(line, ':');
    if (fields.size() < 4 || fields[0].empty()) continue;
    const auto uid = parse_id(fields[2]), gid = parse_id(fields[3]);
    if (!uid || !gid) continue;
    entries.push_back(
        {.name = fields[0], .uid = *uid, .gid = *gid, .home = fields.size() > 5 ? fields[5] : ""});
  }
  return entries;
}

std::vector<GroupEntry> read_groups(const RootedDir& root) {
  std::vector<GroupEntry> entries;
  for (const std::string& line : split(read_database(root, "/etc/group"), '\n')) {
    const std::vector<std::string> fields = split(line, ':');
    if (fields.size() < 3 || fields[0].empty()) continue;
    const auto gid = parse_id(fields[2]);
    if (!gid) continue;
    GroupEntry entry{.name = fields[0], .gid = *gid};
    if (fields.size() > 3) entry.members = split(trim(fields[3]), ',');
    entries.push_back(std::move(entry));
  }
  return entries;
}

template <class Entry>
InvalidInput unknown(std::string_view kind, std::string_view name, std::string_view file,
                     const std::vector<Entry>& entries) {
  InvalidInput error(concat(kind, " \"", name, "\" is neither a number nor in the image's ", file));
  std::vector<std::string> names;
  for (const Entry& entry : entries) names.push_back(entry.name);
  if (const auto near = closest_match(name, names)) error.set_hint(concat("did you mean \"", *near, "\"?"));
  return error;
}

unsigned group_id(const std::vector<GroupEntry>& groups, std::string_view group) {
  for (const GroupEntry& entry : groups)
    if (entry.name == group) return entry.gid;
  if (const auto number = parse_id(group)) return *number;
  throw unknown("group", group, "/etc/group", groups);
}

void add_supplementary(ResolvedUser& user, const std::string& name, const std::vector<GroupEntry>& groups) {
  for (const GroupEntry& entry : groups) {
    if (std::find(entry.members.begin(), entry.members.end(), name) == entry.members.end()) continue;
    if (std::find(user.groups.begin(), user.groups.end(), entry.gid) == user.groups.end())
      user.groups.push_back(entry.gid);
  }
}

}  // namespace

// As the OCI runtimes do: an entry is taken by its name or by its number, whichever comes first in the file;
// a number that has no entry is used as it is, with group 0.
ResolvedUser resolve_user(const RootedDir& root, std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::string_view user = text.substr(0, colon).empty() ? "0" : text.substr(0, colon);
  const std::string_view group = colon == std::string_view::npos ? "" : text.substr(colon + 1);
  const auto number = parse_id(user);

  ResolvedUser resolved;
  std::string name;
  const std::vector<PasswdEntry> users = read_passwd(root);
  for (const PasswdEntry& entry : users) {
    if (entry.name != user && !(number && entry.uid == *number)) continue;
    name = entry.name;
    resolved.uid = entry.uid;
    resolved.gid = entry.gid;
    if (!entry.home.empty()) resolved.home = entry.home;
    break;
  }
  if (name.empty()) {
    if (!number) throw unknown("user", user, "/etc/passwd", users);
    resolved.uid = *number;
  }
  const std::vector<GroupEntry> groups = read_groups(root);
  if (!group.empty()) {
    resolved.gid = group_id(groups, group);
  } else if (!name.empty()) {
    add_supplementary(resolved, name, groups);
  }
  // The primary group among the others: a file that it may not read must not become readable by giving it up.
  if (std::find(resolved.groups.begin(), resolved.groups.end(), resolved.gid) == resolved.groups.end())
    resolved.groups.insert(resolved.groups.begin(), resolved.gid);
  return resolved;
}

ResolvedUser resolve_owner(const RootedDir& root, std::string_view user, std::string_view group) {
  ResolvedUser resolved;
  if (const auto number = parse_id(user.empty() ? "0" : user)) {
    resolved.uid = resolved.gid = *number;
  } else {
    const std::vector<PasswdEntry> entries = read_passwd(root);
    const auto entry =
        std::find_if(entries.begin(), entries.end(), [&](const PasswdEntry& e) { return e.name == user; });
    if (entry == entries.end()) throw unknown("user", user, "/etc/passwd", entries);
    resolved.uid = entry->uid;
    resolved.gid = entry->gid;
    if (!entry->home.empty()) resolved.home = entry->home;
  }
  if (const auto number = parse_id(group)) {
    resolved.gid = *number;
  } else if (!group.empty()) {
    resolved.gid = group_id(read_groups(root), group);
  }
  return resolved;
}

}  // namespace slipway
