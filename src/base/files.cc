#include "base/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "base/strings.h"

namespace slipway {
namespace fs = std::filesystem;

UniqueFd open_file(const fs::path& path, int flags, unsigned mode) {
  UniqueFd fd{::open(path.c_str(), flags | O_CLOEXEC, mode)};
  if (!fd) throw SystemError(errno, "open", path.native());
  return fd;
}

std::string read_all(int fd, std::string_view name, std::size_t limit) {
  std::string out;
  std::size_t used = 0;
  while (true) {
    if (out.size() - used < 65536) out.resize(std::max<std::size_t>(65536, out.size() * 2));
    const ssize_t n = ::read(fd, out.data() + used, out.size() - used);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw SystemError(errno, "read", name);
    if (n == 0) break;
    used += static_cast<std::size_t>(n);
    if (used > limit) throw InvalidInput(concat(name, ": larger than ", human_bytes(limit)));
  }
  out.resize(used);
  return out;
}

std::string read_file(const fs::path& path, std::size_t limit) {
  const UniqueFd fd = open_file(path, O_RDONLY);
  return read_all(fd.get(), path.native(), limit);
}

std::optional<std::string> read_file_if_exists(const fs::path& path) {
  try {
    return read_file(path);
  } catch (const SystemError& e) {
    if (e.error_number() == ENOENT || e.error_number() == ENOTDIR) return std::nullopt;
    throw;
  }
}

void write_all(int fd, std::string_view bytes, std::string_view name) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw SystemError(errno, "write", name);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

void fsync_fd(int fd, std::string_view name) {
  if (::fsync(fd) != 0) throw SystemError(errno, "fsync", name);
}

void fsync_directory(const fs::path& directory) {
  fsync_fd(open_file(directory, O_RDONLY | O_DIRECTORY).get(), directory.native());
}

void write_file_atomic(const fs::path& path, std::string_view bytes, Durability durability, unsigned mode) {
  TempFile temp(path, mode);
  write_all(temp.fd(), bytes, path.native());
  temp.commit(durability);
}

namespace {

std::string random_suffix() {
  std::array<unsigned char, 8> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    throw SystemError(errno, "getrandom");
  static constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz012345";
  std::string suffix = ".tmp-";
  for (const unsigned char byte : bytes) suffix += kLetters[byte % kLetters.size()];
  return suffix;
}

}  // namespace

// The name is random, not made of the pid: every slipway is pid 2 or so of its own namespace.
TempFile::TempFile(fs::path target, unsigned mode) : target_(std::move(target)) {
  temp_ = target_.native() + random_suffix();
  fd_ = UniqueFd{::open(temp_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode)};
  if (!fd_) {
    temp_.clear();
    throw SystemError(errno, "create", target_.native());
  }
}

TempFile::~TempFile() {
  if (!temp_.empty()) ::unlink(temp_.c_str());
}

void TempFile::commit(Durability durability) {
  if (durability == Durability::Fsync) fsync_fd(fd_.get(), temp_.native());
  fd_.reset();
  if (::rename(temp_.c_str(), target_.c_str()) != 0) throw SystemError(errno, "rename", target_.native());
  temp_.clear();
  if (durability == Durability::Fsync)
    fsync_directory(target_.has_parent_path() ? target_.parent_path() : fs::path("."));
}

namespace {

// Recursive by descriptor, so that nobody can swap a directory for a link meanwhile. Each level holds one,
// and trees may be deeper than we may have descriptors: what is far down is moved up and comes later.
class TreeRemoval {
 public:
  void remove(const fs::path& path) { remove_at(AT_FDCWD, path.c_str(), path.native(), 0); }

 private:
  static constexpr int kMostLevels = 200;

  void remove_at(int parent, const char* name, const std::string& shown, int level) {
    if (::unlinkat(parent, name, 0) == 0 || errno == ENOENT) return;
    if (errno != EISDIR && errno != EPERM && errno != EACCES) throw SystemError(errno, "unlink", shown);
    if (::unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT) return;
    if (level > kMostLevels && move_up(parent, name)) return;
    UniqueFd directory{::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    if (!directory && errno == EACCES) {
      ::fchmodat(parent, name, 0700, 0);
      directory = UniqueFd{::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    }
    if (!directory) throw SystemError(errno, "open", shown);
    ::fchmod(directory.get(), 0700);
    if (level == 0) top_ = directory.get();
    for (const std::string& child : names_in(directory.get(), shown))
      remove_at(directory.get(), child.c_str(), shown + "/" + child, level + 1);
    for (; level == 0 && !moved_.empty();) {
      const std::string child = std::move(moved_.back());
      moved_.pop_back();
      remove_at(directory.get(), child.c_str(), shown + "/" + child, 1);
    }
    if (::unlinkat(parent, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
      throw SystemError(errno, "rmdir", shown);
  }

  bool move_up(int parent, const char* name) {
    const std::string place = concat("moved-up", random_suffix());
    ::fchmodat(parent, name, 0700, 0);  // a directory that changes its parent must be writable
    if (::renameat2(parent, name, top_, place.c_str(), RENAME_NOREPLACE) != 0) return false;
    moved_.push_back(place);
    return true;
  }

  static std::vector<std::string> names_in(int directory, const std::string& shown) {
    DIR* stream = ::fdopendir(::dup(directory));
    if (!stream) throw SystemError(errno, "opendir", shown);
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(stream))
      if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0)
        names.emplace_back(entry->d_name);
    ::closedir(stream);
    return names;
  }

  int top_ = -1;
  std::vector<std::string> moved_;
};

}  // namespace

void remove_tree(const fs::path& path) { TreeRemoval().remove(path); }

namespace {

// As std::filesystem::temp_directory_path() finds it; what mkdtemp(3) then says of it names it.
fs::path system_temp_directory() {
  for (const char* name : {"TMPDIR", "TMP", "TEMP", "TEMPDIR"})
    if (const char* value = std::getenv(name); value && *value) return value;
  return "/tmp";
}

}  // namespace

TempDir::TempDir(const fs::path& parent, std::string_view prefix) {
  const fs::path where = parent.empty() ? system_temp_directory() : parent;
  std::string pattern = (where / concat(prefix, "-XXXXXX")).native();
  if (!::mkdtemp(pattern.data())) throw SystemError(errno, "mkdtemp", pattern);
  path_ = pattern;
}

TempDir::~TempDir() {
  if (path_.empty()) return;
  try {
    remove_tree(path_);
  } catch (const std::exception&) {  // a leftover in the temp directory is no reason to end the program
  }
}

}  // namespace slipway
