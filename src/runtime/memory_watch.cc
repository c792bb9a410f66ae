#include "runtime/memory_watch.h"

#include <time.h>

#include <algorithm>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/files.h"
#include "base/strings.h"

namespace slipway {
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kLittle = std::uint64_t{64} << 20;
constexpr std::chrono::milliseconds kOften{100};
constexpr int kSpared = 49;  // of 50 parts of a processor's time
constexpr std::size_t kMostProcesses = 4096;  // a bomb of forks may be faster than we are

fs::path proc_of(pid_t pid) { return fs::path("/proc") / std::to_string(pid); }

std::string text_of(const fs::path& file) {
  try {
    return read_file_if_exists(file).value_or("");
  } catch (const std::exception&) {  // it ended while it was read, or is not ours to look at
    return {};
  }
}

/// Those below `top`, with it. A process is a child of the thread that made it.
std::vector<pid_t> family_of(pid_t top) {
  std::vector<pid_t> family{top};
  for (std::size_t i = 0; i < family.size() && family.size() < kMostProcesses; ++i) {
    std::error_code gone;
    for (fs::directory_iterator thread(proc_of(family[i]) / "task", gone), end; !gone && thread != end;
         thread.increment(gone)) {
      std::istringstream children(text_of(thread->path() / "children"));
      for (pid_t child = 0; children >> child;) family.push_back(child);
    }
  }
  return family;
}

/// What the named lines of a file below /proc/PID say, if any is there.
std::optional<std::uint64_t> bytes_in(const fs::path& file, std::initializer_list<std::string_view> names) {
  std::optional<std::uint64_t> kib;
  std::istringstream lines(text_of(file));
  for (std::string line; std::getline(lines, line);) {
    const std::size_t colon = std::min(line.find(':'), line.size());
    if (std::ranges::find(names, std::string_view(line).substr(0, colon)) == names.end()) continue;
    std::uint64_t value = 0;
    std::istringstream(line.substr(std::min(colon + 1, line.size()))) >> value;
    kib = kib.value_or(0) + value;
  }
  if (!kib) return std::nullopt;
  return *kib << 10;
}

/// What a process has in memory that is no file's. Pages that it has in common with others count for each.
std::uint64_t whole_memory(pid_t pid) {
  return bytes_in(proc_of(pid) / "status", {"RssAnon", "RssShmem", "VmSwap"}).value_or(0);
}

/// The same, but of a page that n processes have, an n-th. The kernel goes through the page tables for it.
std::uint64_t share_of_memory(pid_t pid) {
  const auto bytes = bytes_in(proc_of(pid) / "smaps_rollup", {"Pss_Anon", "Pss_Shmem", "SwapPss"});
  return bytes ? *bytes : whole_memory(pid);
}

std::chrono::nanoseconds own_processor_time() {
  struct timespec time {};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

template <class Of>
std::uint64_t sum(const std::vector<pid_t>& family, const Of& of) {
  std::uint64_t bytes = 0;
  for (const pid_t pid : family) bytes += of(pid);
  return bytes;
}

}  // namespace

void MemoryWatch::look(pid_t top) {
  const std::vector<pid_t> family = family_of(top);
  const std::uint64_t about = sum(family, whole_memory);
  if (about <= peak_) return;
  peak_ = std::max(peak_, about < kLittle ? about : sum(family, share_of_memory));
}

std::chrono::milliseconds MemoryWatch::look_again_after(pid_t top) {
  const auto before = own_processor_time();
  look(top);
  return std::max(kOften, std::chrono::ceil<std::chrono::milliseconds>((own_processor_time() - before) * kSpared));
}

}  // namespace slipway
