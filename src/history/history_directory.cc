#include "history/history_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <limits>
#include <random>

#include "base/error.h"
#include "base/files.h"
#include "base/regular_file.h"
#include "base/strings.h"

namespace slipway {

namespace {

namespace fs = std::filesystem;
constexpr const char* kRecordEnding = ".json";
constexpr const char* kLockEnding = ".lock";

std::int64_t milliseconds(const struct timespec& time) {
  return std::int64_t{time.tv_sec} * 1000 + time.tv_nsec / 1'000'000;
}

std::optional<HistoryDirectory::Entry> entry_of(const fs::path& file) {
  if (file.extension() != kRecordEnding) return std::nullopt;
  const std::string name = file.stem().string();
  const std::size_t dash = name.find('-');
  if (dash == std::string::npos) return std::nullopt;
  const auto time = parse_unsigned(std::string_view(name).substr(0, dash));
  if (!time || *time > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
    return std::nullopt;
  return HistoryDirectory::Entry{.id = name.substr(dash + 1), .started_ms = static_cast<std::int64_t>(*time)};
}

bool is_plain_name(const std::string& name) {
  return !name.empty() && name.front() != '.' && name.find('/') == std::string::npos;
}

NotFound missing_build(std::string what) {
  NotFound missing(std::move(what));
  missing.set_hint("slipway history ls shows those that are");
  return missing;
}

}  // namespace

std::string new_build_id() {
  std::random_device random;
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%08x%04x", random(), random() & 0xFFFFu);
  return text.data();
}

fs::path HistoryDirectory::path_of(const std::string& id, std::int64_t started_ms, const char* ending) const {
  return directory_ / concat(started_ms, "-", id, ending);
}

void HistoryDirectory::make_directory(const fs::path& directory) const {
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
    throw SystemError(errno, "mkdir", directory.native());
}

std::vector<HistoryDirectory::Entry> HistoryDirectory::entries() const {
  std::vector<Entry> found;
  std::error_code error;
  for (fs::directory_iterator file(directory_, error); !error && file != fs::directory_iterator();
       file.increment(error))
    if (auto entry = entry_of(file->path())) found.push_back(std::move(*entry));
  if (error && error.value() != ENOENT) throw SystemError(error.value(), "read", directory_.native());
  std::ranges::sort(found, [](const Entry& a, const Entry& b) {
    return std::tie(a.started_ms, a.id) > std::tie(b.started_ms, b.id);
  });
  return found;
}

bool HistoryDirectory::runs(const Entry& entry) const {
  // A FIFO would not let go of who opens it as a file.
  const UniqueFd lock(
      ::open(path_of(entry.id, entry.started_ms, kLockEnding).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  return lock && ::flock(lock.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

BuildRecord HistoryDirectory::read(const Entry& entry) const {
  const fs::path path = path_of(entry.id, entry.started_ms, kRecordEnding);
  const auto written = [&path] {
    const std::string text = read_regular_file(path);
    try {
      return parse_build_record(text);
    } catch (InvalidInput& e) {
      e.add_context(path.native());
      throw;
    }
  };
  try {
    BuildRecord record = written();
    // It may have ended between the two looks.
    if (record.outcome == kRunning && !runs(entry)) {
      record = written();
      if (record.outcome == kRunning) record.outcome = kInterrupted;
    }
    return record;
  } catch (InvalidInput& e) {
    if (e.hint().empty())
      e.set_hint(concat("slipway history rm ", entry.id, " removes it; ^1 names the build before the last"));
    throw;
  }
}

std::vector<BuildRecord> HistoryDirectory::read_all(
    const Entry* before, const std::function<void(const std::string&)>& unreadable) const {
  std::vector<BuildRecord> records;
  for (const Entry& entry : entries()) {
    if (before && (entry.started_ms > before->started_ms || entry.id == before->id)) continue;
    try {
      records.push_back(read(entry));
    } catch (const Error& e) {  // removed meanwhile, or damaged: the rest can still be shown
      const fs::path path = path_of(entry.id, entry.started_ms, kRecordEnding);
      if (::access(path.c_str(), F_OK) == 0) unreadable(concat("left out: ", std::string_view(e.what())));
    }
  }
  return records;
}

HistoryDirectory::Entry HistoryDirectory::find(const std::string& which) const {
  const std::vector<Entry> all = entries();
  if (all.empty()) throw NotFound("no build is on record");
  if (which.empty() || which.starts_with("^")) {
    const auto back = which.size() <= 1 ? std::optional<std::uint64_t>(0) : parse_unsigned(which.substr(1));
    if (!back) throw UsageError(concat("\"", which, "\": expected ^N or the beginning of a build's id"));
    if (*back < all.size()) return all[*back];
    throw missing_build(all.size() == 1 ? std::string("only one build is on record")
                                        : concat("only ", all.size(), " builds are on record"));
  }
  const Entry* found = nullptr;
  for (const Entry& entry : all) {
    if (!entry.id.starts_with(which)) continue;
    if (found) throw UsageError(concat("\"", which, "\" is the beginning of several builds' ids"));
    found = &entry;
  }
  if (found) return *found;
  throw missing_build(concat("no build \"", which, "\" is on record"));
}

UniqueFd HistoryDirectory::claim(const BuildRecord& record) const {
  make_directory(directory_);
  const fs::path path = path_of(record.id, record.started_ms, kLockEnding);
  UniqueFd lock = open_file(path, O_RDWR | O_CREAT, 0600);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) throw SystemError(errno, "flock", path.native());
  return lock;
}

void HistoryDirectory::write(const BuildRecord& record) const {
  make_directory(directory_);
  write_file_atomic(path_of(record.id, record.started_ms, kRecordEnding), to_json(record), Durability::None,
                    0600);
  if (record.outcome != kRunning) ::unlink(path_of(record.id, record.started_ms, kLockEnding).c_str());
}

void HistoryDirectory::remove_files(const Entry& entry) const noexcept {
  // The lock last: without it a record that says "running" would be taken for an interrupted one.
  ::unlink(path_of(entry.id, entry.started_ms, kRecordEnding).c_str());
  ::unlink(path_of(entry.id, entry.started_ms, kLockEnding).c_str());
}

void HistoryDirectory::remove(const Entry& entry) const {
  if (runs(entry)) throw UsageError(concat("the build ", entry.id, " still runs"));
  try {
    if (const fs::path logs = logs_of(read(entry)); !logs.empty()) remove_tree(logs);
  } catch (const InvalidInput&) {  // what cannot be read can still be removed
  }
  remove_files(entry);
  sweep_manifests();
}

void HistoryDirectory::prune() const noexcept {
  try {
    const std::vector<Entry> all = entries();
    bool removed = false;
    for (std::size_t i = kKept; i < all.size(); ++i) {
      if (runs(all[i])) continue;
      remove_files(all[i]);
      removed = true;
    }
    if (removed) sweep_manifests();
  } catch (...) {
  }
}

void HistoryDirectory::sweep_manifests() const noexcept {
  try {
    const std::vector<Entry> all = entries();
    const std::int64_t oldest =
        all.empty() ? std::numeric_limits<std::int64_t>::max() : all.back().started_ms;
    std::error_code ignored;
    for (const auto& file : fs::directory_iterator(directory_ / "manifests", ignored)) {
      struct stat status {};
      if (::stat(file.path().c_str(), &status) == 0 && milliseconds(status.st_mtim) < oldest)
        ::unlink(file.path().c_str());
    }
  } catch (...) {
  }
}

void HistoryDirectory::keep_manifest(const std::string& name,
                                     const std::function<std::string()>& text) const {
  const fs::path path = directory_ / "manifests" / name;
  if (::utimensat(AT_FDCWD, path.c_str(), nullptr, 0) == 0) return;
  make_directory(directory_);
  make_directory(directory_ / "manifests");
  write_file_atomic(path, text(), Durability::None, 0600);
}

std::optional<std::string> HistoryDirectory::manifest(const std::string& name) const {
  if (!is_plain_name(name)) return std::nullopt;
  return read_regular_file_if_exists(directory_ / "manifests" / name);
}

fs::path HistoryDirectory::logs_of(const BuildRecord& record) const {
  std::error_code ignored;
  if (!is_plain_name(record.logs) || !fs::is_directory(logs_ / record.logs, ignored)) return {};
  return logs_ / record.logs;
}

}  // namespace slipway
