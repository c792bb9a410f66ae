#include "runtime/private_binfmt.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <new>
#include <system_error>

#include "base/strings.h"
#include "runtime/id_maps.h"

namespace slipway {

struct PrivateBinfmt::Shared {
  Stage stage = Stage::NotFailed;
  int error_number = 0;
};

namespace {

// From here to the end of the namespace: async-signal-safe calls only, no allocation.

using ProcPath = std::array<char, 48>;

// "/proc/PID/NAME"
ProcPath proc_path(pid_t pid, const char* name) noexcept {
  ProcPath path{};
  std::size_t used = 0;
  const auto add = [&](char c) {
    if (used + 1 < path.size()) path[used++] = c;
  };
  for (const char* c = "/proc/"; *c; ++c) add(*c);
  std::array<char, 12> digits{};
  std::size_t count = 0;
  for (pid_t rest = pid; rest > 0; rest /= 10) digits[count++] = static_cast<char>('0' + rest % 10);
  while (count > 0) add(digits[--count]);
  add('/');
  for (const char* c = name; *c; ++c) add(*c);
  return path;
}

int write_whole(const char* path, const std::string& bytes) noexcept {
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  const ssize_t n = ::write(fd, bytes.data(), bytes.size());
  const int error = n == static_cast<ssize_t>(bytes.size()) ? 0 : n < 0 ? errno : EIO;
  ::close(fd);
  return error;
}

// A map with more than one id may be written only by somebody in the parent namespace with privilege there,
// which the child has lost by unsharing: a helper forked before does it.
[[noreturn]] void serve_maps(int go, pid_t target, const std::string& uids,
                             const std::string& gids) noexcept {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // Whatever else was open in the process that forked is not for us to keep open.
  if (go > 3) ::close_range(3, static_cast<unsigned>(go) - 1, 0);
  ::close_range(static_cast<unsigned>(go) + 1, ~0u, 0);
  char word;
  if (::read(go, &word, 1) != 1) ::_exit(0);
  int error = write_whole(proc_path(target, "uid_map").data(), uids);
  if (error == 0) error = write_whole(proc_path(target, "gid_map").data(), gids);
  ::_exit(error);
}

int wait_for(pid_t child) noexcept {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return errno;
  return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

}  // namespace

PrivateBinfmt::PrivateBinfmt(const std::filesystem::path& mount_point, std::string registration)
    : mount_point_(mount_point.native()),
      register_file_(mount_point_ + "/register"),
      registration_(std::move(registration)),
      uid_lines_(identity_lines(read_own_uid_map())),
      gid_lines_(identity_lines(read_own_gid_map())) {
  void* memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw SystemError(errno, "mmap");
  shared_ = new (memory) Shared{};
}

PrivateBinfmt::~PrivateBinfmt() { ::munmap(shared_, sizeof(Shared)); }

int PrivateBinfmt::fail(Stage stage, int error) const noexcept {
  shared_->stage = stage;
  shared_->error_number = error;
  return error;
}

int PrivateBinfmt::enter_user_namespace() const noexcept {
  int go[2];
  if (::pipe2(go, O_CLOEXEC) != 0) return fail(Stage::Process, errno);
  const pid_t self = ::getpid();
  const pid_t helper = ::_Fork();  // fork() itself would take locks
  if (helper < 0) return fail(Stage::Process, errno);
  if (helper == 0) {
    ::close(go[1]);
    serve_maps(go[0], self, uid_lines_, gid_lines_);
  }
  ::close(go[0]);
  int error = ::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 ? 0 : errno;
  const Stage stage = error ? Stage::UserNamespace : Stage::Maps;
  if (error == 0 && ::write(go[1], "g", 1) != 1) error = errno;
  ::close(go[1]);  // without "go" the helper ends
  const int helper_error = wait_for(helper);
  if (error == 0) error = helper_error;
  return error ? fail(stage, error) : 0;
}

int PrivateBinfmt::enter() const noexcept {
  const pid_t parent = ::getppid();
  if (const int error = enter_user_namespace()) return error;
  // Changed credentials cancel it.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) return fail(Stage::Process, ECHILD);
  if (::mount("none", mount_point_.c_str(), "binfmt_misc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0)
    return fail(Stage::Mount, errno);
  if (const int error = write_whole(register_file_.c_str(), registration_))
    return fail(Stage::Register, error);
  return 0;
}

void PrivateBinfmt::throw_if_failed() const {
  const std::string reason = std::generic_category().message(shared_->error_number);
  const auto raise = [&](const char* what, const char* hint) {
    HostError error(concat("cannot set up emulation: ", what, ": ", reason));
    error.set_hint(hint);
    throw error;
  };
  constexpr const char* kAlternative =
      "register QEMU on the host with flag F (apt-get install qemu-user-static binfmt-support)";
  switch (shared_->stage) {
    case Stage::NotFailed:
      return;
    case Stage::Process:
      return raise("starting a process", "");
    case Stage::UserNamespace:
      return raise("the kernel refuses a user namespace", kAlternative);
    case Stage::Maps:
      return raise("the kernel refuses the id maps of a user namespace", kAlternative);
    case Stage::Mount:
      return raise("the kernel does not let a user namespace have a binfmt_misc of its own",
                   "Linux 6.7 or newer with binfmt_misc (modprobe binfmt_misc), or register QEMU on the host "
                   "with flag F "
                   "(apt-get install qemu-user-static binfmt-support)");
    case Stage::Register:
      return raise("the kernel refuses the emulator's registration", kAlternative);
  }
}

}  // namespace slipway
