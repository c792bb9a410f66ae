#include "nodes/file_actions.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
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

ResolvedUser owner_in(const RootedDir& target, const std::optional<Owner>& owner) {
  return owner ? resolve_owner(target, owner->user, owner->group) : ResolvedUser{};
}

void copy(const CopyAction& action, const RootedDir& target, const SourceTree& from, std::stop_token stop) {
  const CopyPatterns patterns(action);
  CopyOptions options{.dest = action.dest, .mode = action.mode, .create_dest_path = action.create_dest_path};
  options.attempt_unpack = action.attempt_unpack;
  ModeChange change;
  if (!action.mode_change.empty()) {
    change = ModeChange::parse(action.mode_change);
    options.mode_change = &change;
  }
  if (action.owner) {
    const ResolvedUser owner = owner_in(target, action.owner);
    options.uid = owner.uid;
    options.gid = owner.gid;
  }
  copy_selection(patterns.select_in(*from.tree, from.ignored), target, options, stop);
}

void mkdir(const MkdirAction& action, const RootedDir& target) {
  const ResolvedUser owner = owner_in(target, action.owner);
  if (!action.make_parents) {
    const RootedDir::Parent parent = target.open_parent(action.path);
    struct stat status {};
    if (::fstatat(parent.directory.get(), parent.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0)
      throw InvalidInput(concat("cannot make the directory ", action.path, ": it exists"));
  }
  target.make_directories(action.path, {.mode = action.mode, .uid = owner.uid, .gid = owner.gid});
}

void mkfile(const MkfileAction& action, const RootedDir& target) {
  const ResolvedUser owner = owner_in(target, action.owner);
  const UniqueFd fd = target.open(action.path, O_WRONLY | O_CREAT | O_TRUNC, action.mode);
  write_all(fd.get(), action.data, action.path);
  if (::fchown(fd.get(), owner.uid, owner.gid) != 0) throw SystemError(errno, "chown", action.path);
  if (::fchmod(fd.get(), action.mode) != 0) throw SystemError(errno, "chmod", action.path);
}

void rm(const RmAction& action, const RootedDir& target) {
  if (action.allow_wildcard && has_wildcards(action.path))
    throw InvalidInput(concat("removing by wildcard (", action.path, ") is not supported"));
  if (!target.stat(action.path, /*follow=*/false)) {
    if (action.allow_not_found) return;
    throw NotFound(concat("\"", action.path, "\" does not exist"));
  }
  const RootedDir::Parent parent = target.open_parent(action.path);
  remove_tree(std::filesystem::path(concat("/proc/self/fd/", parent.directory.get())) / parent.name);
}

}  // namespace

void apply_file_op(const FileOp& op, std::size_t input_count, const RootedDir& target,
                   const std::function<SourceTree(int input)>& source, std::stop_token stop) {
  for (const FileAction& action : op.actions) {
    if (stop.stop_requested()) throw Cancelled{};
    if (const auto* copying = std::get_if<CopyAction>(&action)) {
      if (copying->from >= 0 && static_cast<std::size_t>(copying->from) >= input_count)
        throw InvalidInput(
            "a copy from the result of an earlier action of the same operation is not supported");
      copy(*copying, target, source(copying->from), stop);
    } else if (const auto* making = std::get_if<MkdirAction>(&action)) {
      mkdir(*making, target);
    } else if (const auto* writing = std::get_if<MkfileAction>(&action)) {
      mkfile(*writing, target);
    } else if (const auto* removing = std::get_if<RmAction>(&action)) {
      rm(*removing, target);
    }
  }
}

}  // namespace slipway
