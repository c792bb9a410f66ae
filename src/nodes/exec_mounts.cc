#include "nodes/exec_mounts.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "base/rooted.h"
#include "base/strings.h"
#include "content/tree.h"
#include "nodes/file_actions.h"
#include "runtime/mount_stubs.h"

namespace slipway {

namespace fs = std::filesystem;

namespace {

CacheUse use_of(CacheSharing sharing, MountMeans means) {
  switch (sharing) {
    case CacheSharing::Private:
      return CacheUse::Private;
    case CacheSharing::Locked:
      return CacheUse::Locked;
    case CacheSharing::Shared:
      break;
  }
  // A directory can be moved into one root only.
  return means == MountMeans::Moving ? CacheUse::Locked : CacheUse::Shared;
}

bool is_inside(const std::string& path, const std::string& directory) {
  return path.size() > directory.size() && path.starts_with(directory) &&
         (directory.ends_with('/') || path[directory.size()] == '/');
}

/// True if another mount of the step is to be on a place in this one, which then must be made there.
bool holds_others(const ExecOp& exec, const Mount& mount) {
  return std::ranges::any_of(exec.mounts,
                             [&](const Mount& other) { return is_inside(other.dest, mount.dest); });
}

}  // namespace

void ExecMounts::add_to(SandboxSpec& spec, const ExecOp& exec, Caches kind, std::stop_token stop) {
  scratch_.clear();
  // First of all what may have to be waited for, always in the same order, so that no two steps wait for each
  // other.
  std::vector<const Mount*> caches;
  for (const Mount& mount : exec.mounts)
    if (mount.type == MountType::Cache) caches.push_back(&mount);
  std::ranges::sort(caches, {}, [&](const Mount* mount) { return cache_mount_use(vertex_, *mount).name; });
  std::map<const Mount*, fs::path> sources;
  for (const Mount* mount : caches) sources[mount] = cache_source(*mount, stop);
  std::map<fs::path, fs::path> copies;  // of a cache that is mounted twice there is one
  if (kind == Caches::Dropped)
    for (auto& [mount, source] : sources) {
      fs::path& copy = copies[source];
      if (copy.empty()) copy = writable_copy(source, stop);
      source = copy;
    }

  for (const Mount& mount : exec.mounts) {
    if (mount.dest == "/") continue;
    if (mount.type == MountType::Bind) {
      sources[&mount] = bind_source(mount, holds_others(exec, mount), stop);
    } else if (mount.type == MountType::Tmpfs) {
      spec.tmpfs.push_back({.dest = mount.dest,
                            .size = static_cast<std::uint64_t>(std::max<std::int64_t>(mount.tmpfs_size, 0)),
                            .readonly = mount.readonly});
    }
    if (const auto source = sources.find(&mount); source != sources.end())
      spec.mounts.push_back({.source = source->second,
                             .dest = mount.dest,
                             .readonly = mount.readonly,
                             .lasting = mount.type == MountType::Cache && kind == Caches::Kept});
  }
}

// --- bind ------------------------------------------------------------------------------------------------

fs::path ExecMounts::bind_source(const Mount& mount, bool needs_places, const std::stop_token& stop) {
  // Where nothing can be mounted, nothing can be mounted read-only either: the step gets a copy of its own.
  const bool copies = store_.snapshots().mode() == TreeMode::Copies;
  // The places of mounts in a read-only one are made in a layer above it, too.
  const bool writable = !mount.readonly || needs_places || copies;
  const VertexResult* input = input_of(mount);
  if (input && !input->context.empty()) {
    const fs::path tree = contexts_.tree(input->context, mount, vertex_, stop);
    return writable ? writable_copy(tree, stop) : tree;
  }
  // Of a file system that is copied, only the part that is mounted.
  if (copies) return writable_copy(within(tree_of(mount, /*writable=*/false, stop), mount), stop);
  return within(tree_of(mount, writable, stop), mount);
}

fs::path ExecMounts::writable_copy(const fs::path& source, const std::stop_token& stop) {
  if (fs::is_directory(fs::symlink_status(source))) {
    scratch_.push_back(store_.snapshots().prepare_above(source, stop));
    return scratch_.back().root();
  }
  const fs::path own = new_directory("bind");
  const RootedDir from(source.parent_path()), to(own);
  copy_selection(
      {.tree = &from, .src = source.filename().native(), .allow_wildcard = false, .of_store = true}, to,
      {.dest = "/content", .for_layer = false}, stop);
  return own / "content";
}

fs::path ExecMounts::tree_of(const Mount& mount, bool writable, const std::stop_token& stop) {
  const VertexResult* input = input_of(mount);
  if (!input || !input->snapshot) return new_directory("empty");
  if (writable) {
    scratch_.push_back(store_.snapshots().prepare(*input->snapshot, stop));
    return scratch_.back().root();
  }
  auto view = views_.find(mount.input);
  if (view == views_.end())
    view = views_.emplace(mount.input, store_.snapshots().view(*input->snapshot, stop)).first;
  return view->second.path();
}

// Nobody else writes to these trees, so a path without links stays one.
fs::path ExecMounts::within(const fs::path& tree, const Mount& mount) const {
  if (mount.selector.empty() || mount.selector == "/") return tree;
  const RootedDir root(tree);
  const std::string place = resolve_in_root(root, mount.selector);
  const auto status = root.stat(place, /*follow=*/false);
  if (!status)
    refuse(concat("\"", mount.selector, "\": not found (looked in the file system of that stage or image)"));
  if (!S_ISDIR(status->st_mode) && !S_ISREG(status->st_mode))
    refuse(concat("\"", mount.selector, "\" cannot be mounted: it is neither a file nor a directory"));
  return tree / place.substr(1);
}

// --- cache -----------------------------------------------------------------------------------------------

fs::path ExecMounts::cache_source(const Mount& mount, const std::stop_token& stop) {
  const CacheMountUse use = cache_mount_use(vertex_, mount);
  auto lease = caches_.find(use.name);
  if (lease == caches_.end()) {
    CacheMounts::Request request{
        .name = use.name, .use = use_of(mount.cache->sharing, means_), .fill = {}, .on_wait = {}};
    if (imported_ || input_of(mount))
      request.fill = [&](const fs::path& parent) {
        if (!import_cache(use, parent, stop) && input_of(mount)) fill_cache(mount, parent, stop);
      };
    request.on_wait = [&] {
      say(concat("waiting for the cache mount \"", mount.cache->id, "\", which another step is using\n"));
    };
    lease = caches_.emplace(use.name, store_.cache_mounts().acquire(request, stop)).first;
  }
  return lease->second.path();
}

bool ExecMounts::import_cache(const CacheMountUse& use, const fs::path& parent, const std::stop_token& stop) {
  if (!imported_) return false;
  const auto progress = [&](const std::string& item, std::uint64_t current, std::uint64_t total) {
    progress_.emit(BytesMoved{.id = vertex_.digest.str(),
                              .item = item,
                              .current = current,
                              .total = total,
                              .done = current == total});
  };
  if (!imported_(use, parent, progress, stop)) return false;
  say(concat("the cache mount \"", use.id, "\" starts with what the layer cache has of it\n"));
  return true;
}

void ExecMounts::fill_cache(const Mount& mount, const fs::path& parent, const std::stop_token& stop) {
  const VertexResult& input = *input_of(mount);
  const fs::path source = !input.context.empty() ? contexts_.tree(input.context, mount, vertex_, stop)
                                                 : within(tree_of(mount, /*writable=*/false, stop), mount);
  if (!fs::is_directory(fs::symlink_status(source)))
    refuse(concat("\"", mount.selector, "\" cannot be a cache mount: it is not a directory"));
  const RootedDir from(source.parent_path()), to(parent);
  // The directory itself, so that it keeps its owner and mode.
  copy_selection({.tree = &from,
                  .src = source.filename().native(),
                  .allow_wildcard = false,
                  .copy_dir_contents = false,
                  .of_store = true},
                 to, {.dest = "/new", .for_layer = false}, stop);
}

// --- both ------------------------------------------------------------------------------------------------

const VertexResult* ExecMounts::input_of(const Mount& mount) const {
  return mount.input < 0 ? nullptr : &inputs_.at(static_cast<std::size_t>(mount.input));
}

fs::path ExecMounts::new_directory(std::string_view name) {
  directories_.emplace_back(store_.temp_directory(), name);
  fs::path path = directories_.back().path();
  if (::chmod(path.c_str(), 0755) != 0) throw SystemError(errno, "chmod", path.native());
  return path;
}

void ExecMounts::say(std::string text) {
  progress_.emit(StepLog{.id = vertex_.digest.str(), .stream = 2, .bytes = std::move(text)});
}

void ExecMounts::refuse(std::string message) const {
  if (vertex_.info.location) throw InvalidInput(std::move(message), *vertex_.info.location);
  throw InvalidInput(std::move(message));
}

}  // namespace slipway
