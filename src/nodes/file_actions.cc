#include "nodes/file_actions.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "content/owner_view.h"
#include "content/tree_paths.h"
#include "runtime/users.h"

namespace slipway {

Selection CopyPatterns::select_in(const RootedDir& tree, const PatternMatcher* ignored) const {
  return {.tree = &tree,
          .src = copy_.src,
          .allow_wildcard = copy_.allow_wildcard,
          .allow_empty_wildcard = copy_.allow_empty_wildcard,
          .follow_symlink = copy_.follow_symlink,
          .copy_dir_contents = copy_.copy_dir_contents,
          .ignored = ignored,
          // No pattern that means anything is not the same as no pattern: it selects nothing.
          .included = copy_.include.empty() ? nullptr : &included_,
          .excluded = excluded_.empty() ? nullptr : &excluded_,
          .required = copy_.required};
}

namespace {

struct OwnerIds {
  std::optional<unsigned> uid, gid;
};
/// Those that this process can give, which without root's rights or other ids are only its own.
OwnerIds had_here(const OwnerIds& owner, Logger& logger) {
  const OwnerView owners;
  if (!owners.knows_root_only()) return owner;
  if (owner.uid != 0u || owner.gid != 0u)
    logger.log(
        LogLevel::Warning,
        concat(owners.squashes() ? "without root's rights" : "in this user namespace, which has one user,",
               " what is to belong to ", *owner.uid, ":", *owner.gid, " becomes root's"));
  return {};
}

/// Absent without an owner: then what is made is ours, which is root's.
OwnerIds owner_in(const RootedDir& target, const std::optional<Owner>& owner, Logger& logger) {
  if (!owner) return {};
  const ResolvedUser user = resolve_owner(target, owner->user, owner->group);
  return had_here({.uid = user.uid, .gid = user.gid}, logger);
}

/// For WORKDIR: a user that the image does not know (yet) makes no difference there but to the owner, and
/// other builders give the directory to root, or to the user's group if only the group is unknown.
OwnerIds known_owner_in(const RootedDir& target, const Owner& owner) {
  OwnerIds known{.uid = 0, .gid = 0};
  try {
    const ResolvedUser user = resolve_owner(target, owner.user, "");
    known = {.uid = user.uid, .gid = user.gid};
  } catch (const InvalidInput&) {
  }
  try {
    if (!owner.group.empty()) known.gid = resolve_owner(target, "0", owner.group).gid;
  } catch (const InvalidInput&) {
  }
  return known;
}

/// A day before 1970 too.
struct timespec time_of(std::int64_t nanoseconds) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  std::int64_t seconds = nanoseconds / kSecond, rest = nanoseconds % kSecond;
  if (rest < 0) {
    --seconds;
    rest += kSecond;
  }
  return {.tv_sec = seconds, .tv_nsec = rest};
}

std::optional<CopiedDirectory> copy(const CopyAction& action, const RootedDir& target, const SourceTree& from,
                                    Logger& logger, std::stop_token stop) {
  const CopyPatterns patterns(action);
  Selection selection = patterns.select_in(*from.tree, from.ignored);
  selection.of_store = !from.is_roots;
  return copy_selection(selection, target, copy_options(action, target, from.is_roots, logger), stop,
                        from.listener);
}

void mkdir(const MkdirAction& action, const RootedDir& target, Logger& logger) {
  // An empty base knows nobody, whatever its Dockerfile goes on to make.
  const OwnerIds owner = action.owner && action.base >= 0
                             ? had_here(known_owner_in(target, *action.owner), logger)
                             : owner_in(target, action.owner, logger);
  // Without links: what they lead to is made, be it there or not.
  const std::string path = real_path_in(target, action.path, /*follow_last=*/true);
  const std::size_t slash = path.rfind('/');
  const std::string parent = slash == std::string::npos ? "" : path.substr(0, slash);
  if (!action.make_parents && !target.stat(parent, /*follow=*/false))
    throw InvalidInput(concat("cannot make the directory ", action.path, ": /", parent, " does not exist"));
  RootedDir::NewDirectory how{.mode = action.mode & 0777, .uid = owner.uid, .gid = owner.gid, .mtime = {}};
  if (action.timestamp) how.mtime = time_of(*action.timestamp);
  target.make_directories(path, how);
}

/// A file that is there keeps its mode, and its owner if none is given.
void mkfile(const MkfileAction& action, const RootedDir& target, Logger& logger) {
  const OwnerIds owner = owner_in(target, action.owner, logger);
  const bool existed = target.stat(action.path, /*follow=*/true).has_value();
  // O_NONBLOCK: should it be a fifo, nobody waits for its reader.
  const UniqueFd fd = target.open(action.path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK, action.mode & 0777);
  write_all(fd.get(), action.data, action.path);
  if ((owner.uid || owner.gid) && ::fchown(fd.get(), *owner.uid, *owner.gid) != 0)
    throw SystemError(errno, "chown", action.path);
  if (!existed && ::fchmod(fd.get(), action.mode & 0777) != 0)  // past the umask
    throw SystemError(errno, "chmod", action.path);
  if (action.timestamp) {
    const struct timespec times[2] = {time_of(*action.timestamp), time_of(*action.timestamp)};
    if (::futimens(fd.get(), times) != 0) throw SystemError(errno, "set times of", action.path);
  }
}

/// In a directory that is there, and in the place of nothing.
void symlink(const SymlinkAction& action, const RootedDir& target, Logger& logger) {
  const OwnerIds owner = owner_in(target, action.owner, logger);
  const RootedDir::Parent at = target.open_parent(action.path);
  if (::symlinkat(action.target.c_str(), at.directory.get(), at.name.c_str()) != 0)
    throw SystemError(errno, "symlink", action.path);
  if ((owner.uid || owner.gid) &&
      ::fchownat(at.directory.get(), at.name.c_str(), *owner.uid, *owner.gid, AT_SYMLINK_NOFOLLOW) != 0)
    throw SystemError(errno, "chown", action.path);
  if (!action.timestamp) return;
  const struct timespec times[2] = {time_of(*action.timestamp), time_of(*action.timestamp)};
  if (::utimensat(at.directory.get(), at.name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
    throw SystemError(errno, "set times of", action.path);
}

void remove(const RootedDir& target, const std::string& path, bool allow_not_found) {
  if (path_components(path).empty()) throw InvalidInput("cannot remove the root");
  if (!target.stat(path, /*follow=*/false)) {
    if (allow_not_found) return;
    throw NotFound(concat("\"", path, "\" does not exist"));
  }
  const RootedDir::Parent parent = target.open_parent(path);
  remove_tree(std::filesystem::path(concat("/proc/self/fd/", parent.directory.get())) / parent.name);
}

void rm(const RmAction& action, const RootedDir& target) {
  if (!action.allow_wildcard || !has_wildcards(action.path))
    return remove(target, action.path, action.allow_not_found);
  for (const std::string& path : matching_paths(target, action.path))
    remove(target, path, action.allow_not_found);
}

}  // namespace

CopyOptions copy_options(const CopyAction& action, const RootedDir& target, bool source_is_roots,
                         Logger& logger) {
  CopyOptions options{.dest = action.dest, .mode = action.mode, .create_dest_path = action.create_dest_path};
  options.source_is_roots = source_is_roots;
  options.attempt_unpack = action.attempt_unpack;
  if (!action.mode_change.empty()) options.mode_change = ModeChange::parse(action.mode_change);
  if (action.timestamp) {
    options.mtime = time_of(*action.timestamp);
    options.made_mtime = options.mtime->tv_sec;
  }
  const OwnerIds owner = owner_in(target, action.owner, logger);
  options.uid = owner.uid;
  options.gid = owner.gid;
  return options;
}

std::optional<CopiedDirectory> apply_file_action(const FileAction& action, const RootedDir& target,
                                                 const std::function<SourceTree(int from)>& source,
                                                 Logger& logger, std::stop_token stop) {
  if (stop.stop_requested()) throw Cancelled{};
  if (const auto* copying = std::get_if<CopyAction>(&action))
    return copy(*copying, target, source(copying->from), logger, stop);
  if (const auto* making = std::get_if<MkdirAction>(&action)) {
    mkdir(*making, target, logger);
  } else if (const auto* writing = std::get_if<MkfileAction>(&action)) {
    mkfile(*writing, target, logger);
  } else if (const auto* removing = std::get_if<RmAction>(&action)) {
    rm(*removing, target);
  } else if (const auto* linking = std::get_if<SymlinkAction>(&action)) {
    symlink(*linking, target, logger);
  }
  return std::nullopt;
}

}  // namespace slipway
