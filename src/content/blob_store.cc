#include "content/blob_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <limits>
#include <utility>

#include "base/error.h"
#include "base/files.h"
#include "base/regular_file.h"
#include "base/strings.h"
#include "content/blob_digest.h"
#include "content/space.h"

namespace slipway {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void throw_not_found(const Digest& digest) {
  throw NotFound(concat("blob ", digest.str(), " is not in the store"));
}

[[noreturn]] void throw_in_the_way(const Digest& digest, const fs::path& path) {
  IntegrityError error(
      concat("blob ", digest.str(), " cannot be in the store: ", path.native(), " is no regular file"));
  error.set_hint("`slipway store check --repair` takes it away.");
  throw error;
}

std::int64_t change_of(const struct stat& status) {
  return status.st_ctim.tv_sec * std::int64_t{1'000'000'000} + status.st_ctim.tv_nsec;
}

std::optional<struct stat> status_of(const fs::path& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return std::nullopt;
  return status;
}

/// The file system's own clock, as coarse as its times are: what was changed at an earlier one was changed
/// before.
std::optional<std::int64_t> now_of_file_system(const fs::path& directory) {
  if (::utimensat(AT_FDCWD, directory.c_str(), nullptr, 0) != 0) return std::nullopt;
  const std::optional<struct stat> status = status_of(directory);
  return status ? std::optional(change_of(*status)) : std::nullopt;
}

/// Runs what may fill the disk.
template <class Action>
void with_space_hint(const fs::path& where, Action action) {
  try {
    action();
  } catch (const SystemError& e) {
    throw with_space_left(e, where);
  }
}

}  // namespace

BlobWriter::BlobWriter(fs::path blobs, fs::path temp, const BlobUse* use)
    : blobs_(std::move(blobs)), use_(use) {
  std::string pattern = (temp / "blob-XXXXXX").native();
  fd_ = UniqueFd{::mkostemp(pattern.data(), O_CLOEXEC)};
  if (!fd_) throw with_space_left(SystemError(errno, "mkostemp", pattern), temp);
  temp_ = pattern;
}

BlobWriter::BlobWriter(BlobWriter&& other) noexcept
    : blobs_(std::move(other.blobs_)),
      temp_(std::exchange(other.temp_, {})),
      use_(other.use_),
      fd_(std::move(other.fd_)),
      hash_(std::move(other.hash_)),
      written_(std::exchange(other.written_, 0)) {}

BlobWriter::~BlobWriter() {
  if (!temp_.empty()) ::unlink(temp_.c_str());
}

void BlobWriter::write(std::string_view bytes) {
  with_space_hint(blobs_, [&] { write_all(fd_.get(), bytes, temp_.native()); });
  hash_.update(bytes);
  written_ += bytes.size();
}

void BlobWriter::restart() {
  if (::ftruncate(fd_.get(), 0) != 0) throw SystemError(errno, "ftruncate", temp_.native());
  if (::lseek(fd_.get(), 0, SEEK_SET) < 0) throw SystemError(errno, "lseek", temp_.native());
  hash_ = Sha256();
  written_ = 0;
}

BlobInfo BlobWriter::commit(const std::optional<Digest>& expected) {
  // Whatever happens below, the temp file goes: renamed, or removed by this copy's destructor.
  BlobWriter taken(std::move(*this));
  BlobInfo info{.digest = taken.hash_.finish(), .size = taken.written_};
  if (expected && info.digest != *expected)
    throw IntegrityError(concat("received ", info.size, " bytes with digest ", info.digest.str(), ", but ",
                                expected->str(), " was expected"));
  if (::fchmod(taken.fd_.get(), 0644) != 0) throw SystemError(errno, "fchmod", taken.temp_.native());
  with_space_hint(taken.blobs_, [&] { fsync_fd(taken.fd_.get(), taken.temp_.native()); });
  if (*taken.use_) (*taken.use_)(info.digest);
  // Also over a blob that is there: the bytes are the same, or they replace damaged ones.
  const fs::path target = taken.blobs_ / info.digest.hex();
  with_space_hint(taken.blobs_, [&] {
    if (::rename(taken.temp_.c_str(), target.c_str()) != 0) {
      if (errno == EISDIR) throw_in_the_way(info.digest, target);
      throw SystemError(errno, "rename", target.native());
    }
    taken.temp_.clear();
    fsync_directory(taken.blobs_);
  });
  return info;
}

BlobStore::BlobStore(fs::path blobs_directory, fs::path temp_directory, BlobUse use)
    : blobs_(std::move(blobs_directory)), temp_(std::move(temp_directory)), use_(std::move(use)) {}

void BlobStore::note_use(const Digest& digest) const {
  if (use_) use_(digest);
}

bool BlobStore::has(const Digest& digest) const { return size(digest).has_value(); }

std::optional<std::uint64_t> BlobStore::size(const Digest& digest) const {
  note_use(digest);
  const fs::path path = path_of(digest);
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return std::nullopt;
    throw SystemError(errno, "stat", path.native());
  }
  if (!S_ISREG(status.st_mode)) return std::nullopt;
  return static_cast<std::uint64_t>(status.st_size);
}

fs::path BlobStore::path_of(const Digest& digest) const { return blobs_ / digest.hex(); }

UniqueFd BlobStore::open(const Digest& digest) const {
  note_use(digest);
  try {
    return open_regular_file(path_of(digest), O_RDONLY | O_NOFOLLOW);
  } catch (const SystemError& e) {
    if (e.error_number() == ENOENT) throw_not_found(digest);
    throw;
  } catch (const InvalidInput&) {
    throw_in_the_way(digest, path_of(digest));
  }
}

std::string BlobStore::read(const Digest& digest, std::size_t limit) const {
  const UniqueFd fd = open(digest);
  std::string bytes = read_all(fd.get(), concat("blob ", digest.str()), limit);
  if (Digest::of(bytes) == digest) return bytes;
  IntegrityError error(
      concat("blob ", digest.str(), " is damaged in the store (", path_of(digest).native(), ")"));
  error.set_hint(
      "Remove that file; what needs it is then pulled or built again. `slipway store check` finds "
      "others.");
  throw error;
}

BlobInfo BlobStore::put(std::string_view bytes) {
  const Digest digest = Digest::of(bytes);
  // Manifests and configs of a cached build are there already: reading them is far cheaper than two fsyncs.
  // What is there was fsynced before it was renamed, so only the name may still have to become durable.
  const fs::path path = path_of(digest);
  const std::optional<struct stat> before = status_of(path);  // this use is a change as well
  if (size(digest) == bytes.size() && read_regular_file_if_exists(path) == bytes) {
    const std::optional<struct stat> after = status_of(path);
    const bool is_the_same = before && after && before->st_ino == after->st_ino;
    make_name_durable(is_the_same ? change_of(*before) : std::numeric_limits<std::int64_t>::max());
    return {.digest = digest, .size = bytes.size()};
  }
  BlobWriter writer = create();
  writer.write(bytes);
  return writer.commit(digest);
}

void BlobStore::make_name_durable(std::int64_t changed) {
  if (changed < names_synced_) return;
  const std::optional<std::int64_t> now = now_of_file_system(temp_);
  fsync_directory(blobs_);
  if (now) names_synced_ = *now;  // another thread's may be later, and is only forgotten
}

BlobWriter BlobStore::create() { return {blobs_, temp_, &use_}; }

std::vector<Digest> BlobStore::list() const {
  std::vector<Digest> digests;
  std::error_code gone;
  for (const fs::directory_entry& entry : fs::directory_iterator(blobs_)) {
    const std::string text = concat("sha256:", entry.path().filename().native());
    if (Digest::is_valid(text) && fs::is_regular_file(entry.symlink_status(gone)))
      digests.push_back(Digest::parse(text));
  }
  std::sort(digests.begin(), digests.end());
  return digests;
}

bool BlobStore::remove_if_damaged(const Digest& digest) {
  const fs::path path = path_of(digest);
  if (is_blob(path, digest)) return false;
  // Aside first, and looked at again there: another process may have put the right bytes into place.
  const fs::path aside = temp_ / concat("damaged-", digest.hex());
  if (::rename(path.c_str(), aside.c_str()) != 0) {
    if (errno == ENOENT) return false;
    throw SystemError(errno, "rename", path.native());
  }
  if (is_blob(aside, digest)) {
    if (::rename(aside.c_str(), path.c_str()) != 0) throw SystemError(errno, "rename", aside.native());
    return false;
  }
  remove_tree(aside);
  return true;
}

void BlobStore::remove(const Digest& digest) {
  const fs::path path = path_of(digest);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) throw SystemError(errno, "unlink", path.native());
}

}  // namespace slipway
