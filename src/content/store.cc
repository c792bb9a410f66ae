#include "content/store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <set>

#include <cerrno>
#include <cstdlib>

#include "base/error.h"
#include "base/files.h"
#include "base/regular_file.h"
#include "base/strings.h"
#include "content/database.h"
#include "content/overlay_marks.h"
#include "content/snapshot_files.h"
#include "content/spare_space.h"
#include "content/store_names.h"
#include "content/store_remains.h"
#include "content/store_session.h"

namespace slipway {
namespace fs = std::filesystem;
namespace {

constexpr const char* kOverlayAttributes = "overlay-attributes";
constexpr const char* kOciLayout = R"({"imageLayoutVersion":"1.0.0"})";

/// True if it was not there.
bool ensure_directory(const fs::path& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) == 0) return true;
  struct stat status {};
  if (errno != EEXIST) throw SystemError(errno, "mkdir", path.native());
  if (::stat(path.c_str(), &status) != 0) throw SystemError(errno, "stat", path.native());
  if (!S_ISDIR(status.st_mode)) throw SystemError(ENOTDIR, "mkdir", path.native());
  return false;
}

/// The root as an absolute path without links, made if need be. Closed to others: snapshots hold set-uid
/// programs, and contexts what people would not publish.
fs::path ensure_root(const fs::path& root) {
  std::error_code error;
  const fs::path absolute = fs::absolute(root).lexically_normal();
  if (!fs::exists(absolute, error)) {
    fs::create_directories(absolute.parent_path(), error);
    if (error) throw SystemError(error.value(), "mkdir", absolute.parent_path().native());
    ensure_directory(absolute, 0700);
  }
  const fs::path canonical = fs::canonical(absolute, error);
  if (error) throw SystemError(error.value(), "open", absolute.native());
  return canonical;
}

/// Somebody else's layout is not taken over: our index.json would replace theirs. Slipway removes what it
/// finds in places of its own, so it takes only an empty directory for a new store.
void refuse_foreign_directory(const fs::path& root) {
  if (!is_foreign_directory(root)) return;
  HostError error(concat(root.native(), " is neither empty nor a store of slipway"));
  error.set_hint("Choose another directory with --root or SLIPWAY_ROOT.");
  throw error;
}

void ensure_layout(const fs::path& root) {
  bool made = ensure_directory(root / "blobs", 0755);
  made |= ensure_directory(root / "blobs" / "sha256", 0755);
  made |= ensure_directory(root / "snapshots", 0700);
  made |= ensure_directory(root / "tmp", 0700);
  made |= ensure_directory(root / "logs", 0700);
  if (::access((root / "oci-layout").c_str(), F_OK) != 0)
    write_file_atomic(root / "oci-layout", kOciLayout, Durability::Fsync);
  if (!made) return;
  fsync_directory(root / "blobs");
  fsync_directory(root);
}

/// What deletes whole directories in snapshots is an attribute that needs rights to be seen: without them,
/// files would come back. So a store stays with processes that have the rights its first one had.
void check_overlay_attributes(const fs::path& root) {
  const std::string ours = overlay_uses_user_xattr() ? "user" : "trusted";
  const fs::path path = root / kOverlayAttributes;
  const auto recorded = read_regular_file_if_exists(path);
  if (!recorded) return write_file_atomic(path, ours + "\n", Durability::Fsync);
  if (trim(*recorded) == ours) return;
  HostError error(concat("it was made by a slipway ", ours == "user" ? "with" : "without",
                         " the rights of the machine's root, and this one runs ",
                         ours == "user" ? "without" : "with", " them"));
  error.set_hint("Choose another place with --root or SLIPWAY_ROOT.");
  throw error;
}

}  // namespace

bool is_store_name(std::string_view name) {
  static const std::set<std::string, std::less<>> kNames = {
      "blobs", "cache-mounts", "emulators",          "git",       "history",
      "http",  "index.json",   "index.json.new",     "lock",      "locks",
      "logs",  "oci-layout",   "overlay-attributes", "snapshots", "spare",
      "tmp"};
  return name.starts_with("slipway.db") || kNames.contains(name.substr(0, name.find(".tmp-")));
}

bool is_foreign_directory(const fs::path& root) {
  if (::access((root / "slipway.db").c_str(), F_OK) == 0) return false;
  // A store that was being made when its process died has the lock, made first, and nothing but our own
  // names; one whose database is lost or was set aside has that, and maybe what others put there.
  bool empty = true, foreign = false, ours = false;
  for (const fs::directory_entry& entry : fs::directory_iterator(root)) {
    const std::string name = entry.path().filename().native();
    empty = false;
    foreign = foreign || !is_store_name(name);
    ours = ours || name.starts_with("slipway.db.damaged-") || name == kOverlayAttributes;
  }
  // Asked for by name: the list need not have it if another process makes this store just now.
  const bool locked = ::access((root / "lock").c_str(), F_OK) == 0;
  return !empty && !(locked && (!foreign || ours));
}

Store::Store(fs::path root, Logger& logger, TreeMode trees, std::unique_ptr<StoreSession> session,
             std::unique_ptr<Database> database)
    : root_(std::move(root)),
      temp_(session->directory()),
      logger_(logger),
      session_(std::move(session)),
      blobs_(root_ / "blobs" / "sha256", temp_, [this](const Digest& digest) { note_blob_use(digest); }),
      cache_mounts_(root_ / "cache-mounts", temp_),
      step_locks_(root_ / "locks"),
      database_(std::move(database)),
      snapshots_(std::make_unique<SnapshotStore>(root_ / "snapshots", temp_, *database_, trees)),
      images_(std::make_unique<ImageNames>(*database_, root_)),
      results_(std::make_unique<ResultRecords>(*database_, [this](SnapshotId id) { return is_whole(id); })),
      file_digests_(std::make_unique<FileDigests>(*database_)) {}

std::unique_ptr<Store> Store::open(const fs::path& root, Logger& logger, TreeMode trees) {
  try {
    fs::path canonical = ensure_root(root);
    std::unique_ptr<StoreSession> session;
    std::unique_ptr<Database> database;
    {
      refuse_foreign_directory(canonical);
      const StoreLock lock(canonical);
      ensure_layout(canonical);
      keep_spare_space(canonical);
      check_overlay_attributes(canonical);
      // If the database is damaged this ends with the lock held: who replaces it sees no user of it in us.
      auto begun = std::make_unique<StoreSession>(canonical, logger);
      database = std::make_unique<Database>(canonical / "slipway.db", begun->name(),
                                            [&] { refuse_lost_database(canonical); });
      if (begun->found_dead()) database->drop_leases_except(living_sessions(canonical).names);
      session = std::move(begun);
    }
    std::unique_ptr<Store> store(
        new Store(std::move(canonical), logger, trees, std::move(session), std::move(database)));
    store->recover();
    return store;
  } catch (Error& e) {
    e.add_context(concat("opening the store at ", root.native()));
    throw;
  }
}

/// What an end without a goodbye asks for. Does nothing, and looks at next to nothing, after an orderly one.
void Store::recover() {
  for (const SnapshotId id : database_->drop_snapshots_of_other_boots(boot_id())) {
    logger_.log(LogLevel::Info,
                concat("snapshot ", id.value, " was not yet durable when the machine went down: dropped"));
    remove_tree(move_aside(root_ / "snapshots" / std::to_string(id.value), temp_));
  }
  const bool unclean = session_->found_dead();
  if (unclean) {
    // If we are killed here, the next start finds our own directory dead and does this again.
    clear_snapshot_leftovers(root_ / "snapshots", temp_, *database_);
    step_locks_.clear_leftovers();
    session_->clear_adopted();
  }
  if (unclean || ::access((root_ / "index.json").c_str(), F_OK) != 0) images_->rewrite_index();
}

void Store::make_durable() {
  const SnapshotId newest = database_->newest_snapshot();
  const UniqueFd fd = open_file(root_, O_RDONLY | O_DIRECTORY);
  if (::syncfs(fd.get()) != 0) throw SystemError(errno, "syncfs", root_.native());
  // Those that others commit meanwhile have larger ids: they are not covered by this sync and not marked.
  database_->mark_durable_up_to(newest);
}

Store::~Store() {
  try {
    if (snapshots_->has_committed()) make_durable();
  } catch (const Error& e) {
    logger_.log(LogLevel::Warning,
                concat("new snapshots may be lost if the machine goes down: ", std::string_view(e.what())));
  }
  try {
    database_->release_leases();
  } catch (const Error&) {
    // They name a session that is about to go: whoever prunes next drops them.
  }
}

void Store::lease(LeaseKind kind, const std::string& target) { database_->lease(kind, target); }

bool Store::is_whole(SnapshotId snapshot) {
  if (whole_.lock()->contains(snapshot)) return true;
  const std::vector<Database::SnapshotRow> chain = database_->snapshot_chain(snapshot);
  for (const Database::SnapshotRow& part : chain) {
    std::error_code error;
    if (fs::status(snapshots_->diff_directory(part.id), error).type() != fs::file_type::not_found) continue;
    if (lost_.lock()->insert(part.id).second)
      logger_.log(LogLevel::Warning, concat("snapshot ", part.id.value,
                                            "'s directory is missing: what was made of it is made "
                                            "again; `slipway store check --repair` forgets it"));
    return false;
  }
  auto whole = whole_.lock();
  for (const Database::SnapshotRow& part : chain) whole->insert(part.id);
  return !chain.empty();
}

/// The time of last use is the file's own, not yet a row's: there are many blobs, and it may be lost.
void Store::note_blob_use(const Digest& digest) {
  if (database_->lease(LeaseKind::Blob, digest.str()))
    ::utimensat(AT_FDCWD, blobs_.path_of(digest).c_str(), nullptr, AT_SYMLINK_NOFOLLOW);
}

fs::path default_store_root() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value ? value : "");
  };
  if (const std::string root = variable("SLIPWAY_ROOT"); !root.empty()) return root;
  // Root of a user namespace is no root here: /var/lib belongs to somebody it has no id for.
  if (::geteuid() == 0 && ::access("/var/lib", W_OK) == 0) return "/var/lib/slipway";
  if (const std::string data = variable("XDG_DATA_HOME"); data.starts_with('/'))
    return fs::path(data) / "slipway";
  if (const std::string home = variable("HOME"); home.starts_with('/'))
    return fs::path(home) / ".local/share/slipway";
  HostError error("there is no place for the store: neither HOME nor XDG_DATA_HOME is set");
  error.set_hint("Name one with --root or SLIPWAY_ROOT.");
  throw error;
}

}  // namespace slipway
