#include "content/tar_extract.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>

#include "base/error.h"
#include "base/files.h"
#include "base/rooted.h"
#include "base/strings.h"
#include "content/cpu_slots.h"
#include "content/layer_reader.h"
#include "content/space.h"

namespace slipway {

namespace {

/// Errors of paths in the archive, rather than of the machine.
bool is_archives_fault(int error_number) {
  static constexpr std::array kErrors = {ENOENT, ENOTDIR, EISDIR,       EEXIST,    ELOOP,
                                         EXDEV,  EINVAL,  ENAMETOOLONG, ENOTEMPTY, EMLINK};
  return std::ranges::find(kErrors, error_number) != kErrors.end();
}

class Extraction {
 public:
  Extraction(const std::filesystem::path& directory, const ExtractLimits& limits, std::string shown,
             Logger& logger)
      : root_(directory), directory_(directory), limits_(limits), shown_(std::move(shown)), logger_(logger) {}

  void run(LayerReader& reader, const std::stop_token& stop) {
    while (const LayerEntry* next = reader.next()) {
      if (stop.stop_requested()) throw Cancelled{};
      if (++entries_ > limits_.entries) refuse(concat("it has more than ", limits_.entries, " entries"));
      LayerEntry entry = *next;
      try {
        entry.name = clean_entry_name(entry.name);
        if (!entry.same_as.empty()) entry.same_as = clean_entry_name(entry.same_as);
        add(entry, reader);
      } catch (const SystemError& e) {
        if (is_archives_fault(e.error_number())) refuse(concat("entry \"", entry.name, "\": ", e.what()));
        throw with_space_left(e, directory_);
      } catch (const InvalidInput& e) {
        if (e.message().starts_with(shown_)) throw;
        refuse(e.what());
      }
    }
    finish_directories();
  }

 private:
  [[noreturn]] void refuse(const std::string& why) const { throw InvalidInput(concat(shown_, ": ", why)); }

  void add(const LayerEntry& entry, LayerReader& reader) {
    if (entry.name.empty()) return;  // the directory itself is ours
    if (S_ISDIR(entry.mode) && entry.same_as.empty()) {
      add_directory(entry);
      return;
    }
    const RootedDir::Parent place = make_place(entry.name);
    if (!entry.same_as.empty()) {
      add_hard_link(place, entry);
    } else if (S_ISREG(entry.mode)) {
      add_file(place, entry, reader);
    } else if (S_ISLNK(entry.mode)) {
      if (::symlinkat(entry.link.c_str(), place.directory.get(), place.name.c_str()) != 0)
        throw SystemError(errno, "symlink", entry.name);
      set_times(place, entry);
    } else if (S_ISFIFO(entry.mode)) {
      if (::mkfifoat(place.directory.get(), place.name.c_str(), entry.mode & 0777) != 0)
        throw SystemError(errno, "mkfifo", entry.name);
      set_times(place, entry);
    } else if (!std::exchange(warned_, true)) {
      logger_.log(LogLevel::Warning,
                  concat(shown_, ": device nodes and sockets are left out (", entry.name, ")"));
    }
  }

  /// The directory that an entry goes into, made if need be; what is there under its name goes.
  RootedDir::Parent make_place(const std::string& name) {
    const std::size_t slash = name.rfind('/');
    RootedDir::Parent place{
        .directory = root_.make_directories(slash == std::string::npos ? "" : name.substr(0, slash), {}),
        .name = slash == std::string::npos ? name : name.substr(slash + 1)};
    struct stat status {};
    if (::fstatat(place.directory.get(), place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return place;
    if (S_ISDIR(status.st_mode)) {
      remove_tree(std::filesystem::path(concat("/proc/self/fd/", place.directory.get())) / place.name);
    } else if (::unlinkat(place.directory.get(), place.name.c_str(), 0) != 0) {
      throw SystemError(errno, "unlink", name);
    }
    return place;
  }

  void add_directory(const LayerEntry& entry) {
    const auto existing = root_.stat(entry.name, /*follow=*/false);
    if (existing && !S_ISDIR(existing->st_mode)) make_place(entry.name);
    root_.make_directories(entry.name, {});
    directories_[entry.name] = entry;
  }

  void add_file(const RootedDir::Parent& place, const LayerEntry& entry, LayerReader& reader) {
    count(entry.size);
    const UniqueFd file{::openat(place.directory.get(), place.name.c_str(),
                                 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
    if (!file) throw SystemError(errno, "create", entry.name);
    std::uint64_t end = 0;
    reader.read_bytes([&](std::uint64_t offset, std::string_view bytes) {
      if (::lseek(file.get(), static_cast<off_t>(offset), SEEK_SET) < 0)
        throw SystemError(errno, "lseek", entry.name);
      write_all(file.get(), bytes, entry.name);
      end = offset + bytes.size();
      if (end > entry.size) refuse(concat("entry \"", entry.name, "\": more bytes than its header says"));
    });
    if (end < entry.size && ::ftruncate(file.get(), static_cast<off_t>(entry.size)) != 0)  // ends in a hole
      throw SystemError(errno, "truncate", entry.name);
    if (::fchmod(file.get(), entry.mode & 07777) != 0) throw SystemError(errno, "chmod", entry.name);
    set_times(place, entry);
  }

  void add_hard_link(const RootedDir::Parent& place, const LayerEntry& entry) {
    if (entry.same_as.empty() || entry.same_as == entry.name)
      refuse(concat("entry \"", entry.name, "\": a hard link to itself"));
    const RootedDir::Parent from = root_.open_parent(entry.same_as);
    struct stat status {};
    const bool found = ::fstatat(from.directory.get(), from.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
    if (!found || S_ISDIR(status.st_mode))
      refuse(concat("entry \"", entry.name, "\": a hard link to \"", entry.same_as,
                    "\", which is no file of it"));
    if (::linkat(from.directory.get(), from.name.c_str(), place.directory.get(), place.name.c_str(), 0) != 0)
      throw SystemError(errno, "link", entry.name);
  }

  void count(std::uint64_t size) {
    if (size > limits_.bytes - bytes_)
      refuse(concat("unpacked it is larger than ", human_bytes(limits_.bytes)));
    bytes_ += size;
  }

  static void set_times(const RootedDir::Parent& place, const LayerEntry& entry) {
    const struct timespec time = {.tv_sec = entry.mtime, .tv_nsec = entry.mtime_nanoseconds};
    const struct timespec times[2] = {time, time};
    if (::utimensat(place.directory.get(), place.name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
      throw SystemError(errno, "set times of", entry.name);
  }

  /// Last, and the deepest first: making what is in a directory changes its time and needs the right to
  /// write.
  void finish_directories() {
    for (auto it = directories_.rbegin(); it != directories_.rend(); ++it) {
      const auto& [name, entry] = *it;
      const auto status = root_.stat(name, /*follow=*/false);
      if (!status || !S_ISDIR(status->st_mode)) continue;  // replaced by a later entry
      const UniqueFd directory = root_.open(name, O_RDONLY | O_DIRECTORY);
      // Its owner, who builds from it, must be able to read it.
      if (::fchmod(directory.get(), (entry.mode & 07777) | 0500) != 0)
        throw SystemError(errno, "chmod", name);
      set_times(root_.open_parent(name), entry);
    }
  }

  RootedDir root_;
  const std::filesystem::path directory_;
  const ExtractLimits limits_;
  const std::string shown_;
  Logger& logger_;
  std::uint64_t entries_ = 0, bytes_ = 0;
  std::map<std::string, LayerEntry> directories_;
  bool warned_ = false;
};

constexpr std::size_t kTarBlock = 512;

/// The sum over the header with blanks in the sum's own place is what every tar has, old ones too.
bool is_tar_header(std::string_view block) {
  constexpr std::size_t kSumAt = 148, kSumSize = 8;
  if (block.size() < kTarBlock || block.front() == '\0') return false;
  unsigned long sum = 0, said = 0;
  for (std::size_t i = 0; i < kTarBlock; ++i)
    sum += i >= kSumAt && i < kSumAt + kSumSize ? ' ' : static_cast<unsigned char>(block[i]);
  for (const char c : trim(block.substr(kSumAt, kSumSize))) {
    if (c < '0' || c > '7') break;
    said = said * 8 + static_cast<unsigned long>(c - '0');
  }
  return sum == said;
}

}  // namespace

bool looks_like_archive(std::string_view head) {
  using namespace std::string_view_literals;
  for (const std::string_view magic : {"\x1f\x8b\x08"sv, "BZh"sv,
                                       "\xfd"
                                       "7zXZ\0"sv,
                                       "\x28\xb5\x2f\xfd"sv, "\x04\x22\x4d\x18"sv})
    if (head.starts_with(magic)) return true;
  const bool empty_tar = head.size() >= kTarBlock && head.find_first_not_of('\0') == std::string_view::npos;
  return empty_tar || is_tar_header(head);
}

void extract_tar(int fd, const std::filesystem::path& directory, const ExtractLimits& limits,
                 const std::string& shown, Logger& logger, std::stop_token stop) {
  run_in_cpu_slot([&] {
    LayerReader reader(fd, LayerReader::Filters::All, shown, stop);
    Extraction(directory, limits, shown, logger).run(reader, stop);
    reader.finish();
  });
}

}  // namespace slipway
