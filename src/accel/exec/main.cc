// slipway-exec: what the kernel starts for a program of another machine in an accelerated step. It is grafted
// onto the emulator (graft.h), so that there is one file for both and the emulator needs no second execve(2).
//
// If the program is one with a native twin, that is executed. Else, and whenever anything at all is not as
// expected, this comes back having changed nothing, and the emulator starts as if it had been alone: no table
// (a chroot), a program that was changed, an environment that reaches into dynamic loaders, more arguments
// than execve(2) takes. It may be told how to sign pointers (graft.h), which programs do not see.
//
// A program without a library that is no file of its own: no writable data, no relocations,
// position-independent (program.ld checks). The binfmt_misc registration has the flags P, which gives
// argv[0], and O (or C), which gives the file that was executed.
#include "accel/exec/decision.h"
#include "accel/exec/guard_check.h"
#include "accel/exec/kernel.h"
#include "accel/exec/places.h"

namespace slipway {
namespace {

using namespace kernel;
using twin_file::Entry;
using twin_file::Invocation;
using twin_file::Pointers;
using twin_file::Table;

bool failed(Word result) { return result < 0 && result > -4096; }

/// A regular file's bytes, shared with whoever else has it.
class Mapping {
 public:
  Mapping(const char* path, Word access, Word protection, Word sharing) {
    const Word file = call(kOpenat, kCurrentDirectory, address(path), access | kCloseOnExec);
    if (failed(file)) return;
    Status status;
    const bool usable = call(kFstat, file, address(&status)) == 0 &&
                        (status.mode & kTypeMask) == kRegularFile && status.size > 0 &&
                        status.size < (Word{1} << 30);
    if (usable) {
      const Word bytes = call(kMmap, 0, status.size, protection, sharing, file, 0);
      if (!failed(bytes)) {
        bytes_ = reinterpret_cast<char*>(bytes);
        size_ = static_cast<std::uint64_t>(status.size);
      }
    }
    call(kClose, file);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() {
    if (bytes_ != nullptr) call(kMunmap, address(bytes_), static_cast<Word>(size_));
  }
  char* bytes() const { return bytes_; }
  std::uint64_t size() const { return size_; }

 private:
  char* bytes_ = nullptr;
  std::uint64_t size_ = 0;
};

/// How often each twin ran; where nobody counts, nothing.
class Count {
 public:
  explicit Count(std::uint32_t index)
      : file_(kCountsPath, kReadWrite, kProtectRead | kProtectWrite, kMapShared), index_(index) {}
  void add(std::uint64_t number) {
    if (file_.bytes() == nullptr || index_ >= file_.size() / sizeof(std::uint64_t)) return;
    __atomic_fetch_add(reinterpret_cast<std::uint64_t*>(file_.bytes()) + index_, number, __ATOMIC_RELAXED);
  }

 private:
  Mapping file_;
  std::uint64_t index_;
};

/// What the kernel says beside arguments and environment.
struct Auxiliaries {
  bool secure = true;  // unless it says that it is not
  bool has_file = false;
  Word file = -1;
  bool keeps_argv0 = false;
};
Auxiliaries read_auxiliaries(const std::uint64_t* vector) {
  Auxiliaries out;
  for (; vector[0] != kEnd; vector += 2) {
    if (vector[0] == kSecure) out.secure = vector[1] != 0;
    if (vector[0] == kFlags) out.keeps_argv0 = (vector[1] & kKeepsArgv0) != 0;
    if (vector[0] == kProgramFile) {
      out.has_file = true;
      out.file = static_cast<Word>(vector[1]);
    }
  }
  return out;
}

/// Returns if it could not be executed. The program is to have the name that it was called by, which is the
/// last part of the path that is executed; where there is no such link, it goes without.
void execute(const Table& table, const Entry& entry, const Invocation& wanted, const char* const* arguments) {
  const char* directory = table.text(entry.link_directory);
  const char* executable = table.text(entry.executable);
  if (directory == nullptr || executable == nullptr) return;
  char link[512];
  volatile char* out = link;  // else the compiler may call memcpy, and there is none
  std::uint64_t size = 0;
  const char* const parts[] = {directory, twin_file::last_part(wanted.path)};
  for (const char* part : parts)
    for (; *part != 0 && size + 1 < sizeof link; ++part) out[size++] = *part;
  out[size] = 0;
  const Word environment = address(wanted.environment);
  if (call(kExecve, address(link), address(arguments), environment) == -kNotFound)
    call(kExecve, address(executable), address(arguments), environment);
}

bool is_as_it_was(const twin_file::Guard& guard, const char* path) {
  Status now;
  const Word result = call(kFstatat, kCurrentDirectory, address(path), address(&now), 0);
  if (guard.is_absent != 0) return result == -kNotFound;
  constexpr std::int64_t kSecond = 1'000'000'000;
  return result == 0 && now.inode == guard.inode && static_cast<std::uint64_t>(now.size) == guard.size &&
         now.mtime * kSecond + now.mtime_ns == guard.mtime_ns &&
         now.ctime * kSecond + now.ctime_ns == guard.ctime_ns;
}

/// Is all that the program would load the same as when its twin was found?
bool guards_hold(const Table& table, const Entry& entry) {
  if (!twin_file::files_are_same(table, entry, is_as_it_was)) return false;
  const twin_file::Guard* cache;
  if (!table.find(table.header().loader_cache, cache)) return false;
  if (table.header().loader_cache.count == 0) return true;
  const char* path = table.text(cache->path);
  if (path == nullptr) return false;
  if (is_as_it_was(*cache, path)) return true;
  const Mapping now(path, kReadOnly, kProtectRead, kMapPrivate);
  // None: the loader looks into its own directories, which are guarded.
  if (now.bytes() == nullptr) return call(kFaccessat, kCurrentDirectory, address(path)) == -kNotFound;
  return twin_file::cache_agrees(table, entry, LoaderCache(now.bytes(), now.size()), is_as_it_was);
}

void execute_counted(const Table& table, const Entry& entry, const Invocation& wanted, Word file,
                     const char* const* arguments) {
  Count count(entry.index);
  count.add(1);
  call(kFcntl, file, kSetDescriptorFlags, kDescriptorCloseOnExec);
  execute(table, entry, wanted, arguments);
  call(kFcntl, file, kSetDescriptorFlags, 0);
  count.add(~std::uint64_t{0});
}

void run_twin(const Table& table, const Entry& entry, const Invocation& wanted, Word file) {
  if (!twin_file::names_allow(table, entry, wanted) || !guards_hold(table, entry)) return;
  if ((entry.flags & twin_file::kNoHostPreload) != 0 &&
      call(kFaccessat, kCurrentDirectory, address("/etc/ld.so.preload")) == 0)
    return;
  Pointers needed;
  if (!twin_file::add_arguments(table, entry, wanted, needed)) return;
  constexpr std::uint64_t kOnStack = 512, kMost = 1 << 22;
  if (needed.count() > kMost) return;
  const char* few[kOnStack];
  const char** room = few;
  const Word size = static_cast<Word>(needed.count() * sizeof(char*));
  if (needed.count() > kOnStack) {
    const Word memory =
        call(kMmap, 0, size, kProtectRead | kProtectWrite, kMapPrivate | kMapAnonymous, -1, 0);
    if (failed(memory)) return;
    room = reinterpret_cast<const char**>(memory);
  }
  Pointers arguments(room, needed.count());
  if (twin_file::add_arguments(table, entry, wanted, arguments) && arguments.is_complete())
    execute_counted(table, entry, wanted, file, room);
  if (room != few) call(kMunmap, address(room), size);
}

void decide(const Invocation& wanted, Word file) {
  Status status;
  if (call(kFstat, file, address(&status)) != 0 || (status.mode & kTypeMask) != kRegularFile) return;
  const Mapping bytes(kTablePath, kReadOnly, kProtectRead, kMapPrivate);
  const Table table(bytes.bytes(), bytes.size());
  if (!table.is_valid()) return;
  constexpr std::int64_t kSecond = 1'000'000'000;
  const Entry* entry =
      table.entry(status.inode, static_cast<std::uint64_t>(status.size),
                  status.mtime * kSecond + status.mtime_ns, status.ctime * kSecond + status.ctime_ns);
  if (entry != nullptr && twin_file::environment_allows(table, wanted.environment))
    run_twin(table, *entry, wanted, file);
}

void decide(const Invocation& wanted, const Auxiliaries& kernel) {
  if (!kernel.secure && kernel.has_file && kernel.keeps_argv0) decide(wanted, kernel.file);
}

/// The emulator is told of its own entry point and segments.
void hand_over(std::uint64_t* vector) {
  const auto start = reinterpret_cast<std::uint64_t>(slipway_exec_start);
  for (; vector[0] != kEnd; vector += 2) {
    if (vector[0] == kEntry) vector[1] = start + slipway_exec_distance;
    if (vector[0] == kSegments && slipway_exec_segments != 0) vector[1] = start + slipway_exec_segments;
  }
}

/// QEMU's own arguments go before the program's path; of the model of processor the environment may have told
/// it. Returns the stack with them: [interpreter, -cpu, model, path, argv[0], ...].
std::uint64_t* tell(std::uint64_t* stack, const char* const* environment) {
  if (!kMayTell || slipway_exec_told != kCheapPointerCodes || stack[0] == 0) return stack;
  for (; *environment != nullptr; ++environment)
    if (twin_file::begins_with(*environment, "QEMU_CPU=")) return stack;
  stack[-2] = stack[0] + 2;
  stack[-1] = stack[1];
  stack[0] = reinterpret_cast<std::uint64_t>("-cpu");
  stack[1] = reinterpret_cast<std::uint64_t>("max,pauth-impdef=on");
  return stack - 2;
}

}  // namespace
}  // namespace slipway

/// `stack`: the number of arguments, [interpreter, path, argv[0], arguments..., null], the environment, the
/// auxiliary vector. Returns the one that the emulator begins with, of which two words more may be written.
extern "C" __attribute__((used)) std::uint64_t* slipway_exec_decide(std::uint64_t* stack) {
  using namespace slipway;
  const std::uint64_t count = stack[0];
  const auto* arguments = reinterpret_cast<const char* const*>(stack + 1);
  const auto* environment = arguments + count + 1;
  std::uint64_t* vector = stack + 1 + count + 1;
  while (*vector != 0) ++vector;
  ++vector;
  // A script has its own name, not its interpreter's.
  char name[16] = {};
  call(kPrctl, kGetName, address(name));
  if (count >= 3)
    decide({.path = arguments[1],
            .argv0 = arguments[2],
            .arguments = arguments + 3,
            .count = count - 3,
            .environment = environment,
            .name = name},
           read_auxiliaries(vector));
  hand_over(vector);
  return tell(stack, environment);
}
