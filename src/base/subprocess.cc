#include "base/subprocess.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/process/args.hpp>
#include <boost/process/child.hpp>
#include <boost/process/env.hpp>
#include <boost/process/error.hpp>
#include <boost/process/exe.hpp>
#include <boost/process/extend.hpp>
#include <boost/process/io.hpp>
#include <boost/process/posix.hpp>
#include <boost/process/start_dir.hpp>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "base/unique_fd.h"

namespace slipway {
namespace bp = boost::process;

namespace {

struct Pipe {
  UniqueFd read, write;
  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw SystemError(errno, "pipe");
    read = UniqueFd{ends[0]};
    write = UniqueFd{ends[1]};
  }
  /// A named one. The end that reads comes first: the other would wait for it.
  explicit Pipe(const std::filesystem::path& fifo)
      : read(open_file(fifo, O_RDONLY | O_NONBLOCK)), write(open_file(fifo, O_WRONLY)) {}
};

// Runs between fork and exec in the child: async-signal-safe calls only.
void die_in_child(int error, const char* what) {
  std::array<char, 128> line{};
  const char* prefix = "slipway: preparing the child: ";
  std::size_t used = 0;
  const auto add = [&](const char* text) {
    while (*text && used + 2 < line.size()) line[used++] = *text++;
  };
  add(prefix);
  add(what);
  add(": errno ");
  const char digits[4] = {static_cast<char>('0' + error / 100 % 10), static_cast<char>('0' + error / 10 % 10),
                          static_cast<char>('0' + error % 10), '\0'};
  add(digits);
  line[used++] = '\n';
  [[maybe_unused]] const ssize_t n = ::write(STDERR_FILENO, line.data(), used);
  ::_exit(125);
}

void prepare_child(const Command& command, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // In a pid namespace of its own the parent may be invisible (0); only a changed visible parent means it
  // died.
  if (const pid_t now = ::getppid(); now != parent && now == 1 && parent != 1) ::_exit(125);
  // Handlers first: ours must not run in the child, which may share our memory.
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGCHLD, SIGTSTP}) ::signal(signal, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int fd : command.inherited) ::fcntl(fd, F_SETFD, 0);
  if (command.child_setup)
    if (const int error = command.child_setup()) die_in_child(error, "set-up");
}

bp::environment environment_of(const std::vector<std::string>& variables) {
  bp::environment environment;
  for (const std::string& variable : variables) {
    const std::size_t equals = variable.find('=');
    environment[variable.substr(0, equals)] = equals == std::string::npos ? "" : variable.substr(equals + 1);
  }
  return environment;
}

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kFirstLook{100};

/// Waits for one child: output, input, end and stop, in one poll loop.
class Waiter {
 public:
  Waiter(const Command& command, ProcessResult& result, Pipe& out, Pipe& err, Pipe& in)
      : command_(command), result_(result), streams_{&out.read, &err.read}, input_(in.write) {}

  /// Returns true if the child ended because `stop` was requested.
  bool wait(pid_t pid, const std::stop_token& stop) {
    const UniqueFd pidfd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
    if (!pidfd) throw SystemError(errno, "pidfd_open");
    const UniqueFd wake{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    const std::stop_callback on_stop(stop, [&wake] { ::eventfd_write(wake.get(), 1); });
    bool stopped = false;
    while (true) {
      std::array<struct pollfd, 5> fds{{{pidfd.get(), POLLIN, 0},
                                        {stopped ? -1 : wake.get(), POLLIN, 0},
                                        {streams_[0]->get(), POLLIN, 0},
                                        {streams_[1]->get(), POLLIN, 0},
                                        {input_.get(), POLLOUT, 0}}};
      const int ready = ::poll(fds.data(), fds.size(), patience(stopped));
      if (ready < 0 && errno != EINTR) throw SystemError(errno, "poll");
      if (!stopped && command_.watch && Clock::now() >= next_look_)
        next_look_ = Clock::now() + command_.watch(pid);
      if (ready == 0 && stopped) signal_child(pidfd.get(), SIGKILL);
      if (ready <= 0) continue;
      if (fds[1].revents) {
        stopped = true;
        signal_child(pidfd.get(), SIGTERM);
      }
      for (std::size_t i = 0; i < 2; ++i)
        if (fds[2 + i].revents) read_some(i);
      if (fds[4].revents) write_some();
      if (fds[0].revents) break;
    }
    for (std::size_t i = 0; i < 2; ++i) drain(i);
    return stopped;
  }

 private:
  /// Of poll(2), in milliseconds.
  int patience(bool stopped) const {
    if (stopped) return static_cast<int>(command_.grace.count());
    if (!command_.watch) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(next_look_ - Clock::now());
    return std::max(0, static_cast<int>(left.count()));
  }

  static void signal_child(int pidfd, int signal) {
    ::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0);
  }

  bool read_some(std::size_t i) {
    std::array<char, 65536> buffer;
    const ssize_t n = ::read(streams_[i]->get(), buffer.data(), buffer.size());
    if (n <= 0) {
      if (n == 0 || (errno != EINTR && errno != EAGAIN)) streams_[i]->reset();
      return false;
    }
    const std::string_view bytes(buffer.data(), static_cast<std::size_t>(n));
    if (command_.on_output) {
      command_.on_output(static_cast<int>(i) + 1, bytes);
    } else {
      (i == 0 ? result_.out : result_.err) += bytes;
    }
    return true;
  }

  // The child is gone; take what is in the pipe, but do not wait for a grandchild that kept its end.
  void drain(std::size_t i) {
    if (!*streams_[i]) return;
    ::fcntl(streams_[i]->get(), F_SETFL, O_NONBLOCK);
    while (*streams_[i] && read_some(i)) {
    }
  }

  void write_some() {
    const std::string_view rest = std::string_view(command_.input).substr(written_);
    const ssize_t n = rest.empty() ? 0 : ::write(input_.get(), rest.data(), rest.size());
    if (n > 0) written_ += static_cast<std::size_t>(n);
    if (written_ == command_.input.size() || (n < 0 && errno != EAGAIN && errno != EINTR)) input_.reset();
  }

  const Command& command_;
  ProcessResult& result_;
  std::array<UniqueFd*, 2> streams_;
  UniqueFd& input_;
  std::size_t written_ = 0;
  Clock::time_point next_look_ = Clock::now() + kFirstLook;
};

/// Of a child that has ended and was not yet waited for, and of those below it.
std::uint64_t peak_memory_of(pid_t child) {
  siginfo_t info{};
  struct rusage usage {};
  // The C library's waitid() does not tell what the kernel's does.
  if (::syscall(SYS_waitid, P_PID, child, &info, WEXITED | WNOHANG | WNOWAIT, &usage) != 0) return 0;
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace

ProcessResult run_process(const Command& command, std::stop_token stop) {
  if (stop.stop_requested()) throw Cancelled{};
  std::vector<std::string> args(command.argv.begin() + 1, command.argv.end());
  std::string program = command.argv.at(0);
  if (program.find('/') == std::string::npos) {
    const auto found = find_program(program);
    if (!found) throw SystemError(ENOENT, "exec", program);
    program = found->native();
  }
  Pipe out = command.output_fifos ? Pipe(command.output_fifos->first) : Pipe();
  Pipe err = command.output_fifos ? Pipe(command.output_fifos->second) : Pipe();
  Pipe in;
  const UniqueFd null = open_file("/dev/null", O_RDONLY);
  ::fcntl(in.write.get(), F_SETFL, O_NONBLOCK);
  const int stdin_fd = command.input.empty() ? null.get() : in.read.get();
  bp::environment environment = boost::this_process::environment();
  if (command.environment) environment = environment_of(*command.environment);
  const std::string directory = command.directory.empty() ? "." : command.directory.native();
  const pid_t parent = ::getpid();
  std::error_code problem;
  const auto start = [&](auto&&... how) {
    return bp::child(
        bp::exe = program, bp::args = args, environment, bp::start_dir = directory,
        bp::posix::fd.bind(STDIN_FILENO, stdin_fd), bp::posix::fd.bind(STDOUT_FILENO, out.write.get()),
        bp::posix::fd.bind(STDERR_FILENO, err.write.get()), problem,
        bp::extend::on_exec_setup = [&](auto&) { prepare_child(command, parent); }, how...);
  };
  // The caller's set-up may fork, which a child that shares our memory must not. Copying that memory's page
  // tables takes the longer the larger we are.
  bp::child child = command.child_setup ? start() : start(bp::posix::use_vfork);
  if (problem) throw SystemError(problem.value(), "start", program);
  out.write.reset();
  err.write.reset();
  in.read.reset();
  if (command.input.empty()) in.write.reset();

  ProcessResult result;
  bool stopped = false;
  try {
    stopped = Waiter(command, result, out, err, in).wait(child.id(), stop);
  } catch (...) {  // the caller's on_output threw: no child may outlive this call
    child.terminate();
    throw;
  }
  result.peak_memory = peak_memory_of(child.id());
  child.wait(problem);
  const int status = child.native_exit_code();
  if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
  result.exit_code = result.signal ? 128 + result.signal : WEXITSTATUS(status);
  if (stopped) throw Cancelled{};
  return result;
}

std::optional<std::filesystem::path> find_program(std::string_view name) {
  const char* path = std::getenv("PATH");
  const std::string places = concat(path ? path : "", ":/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin");
  for (const std::string& place : split(places, ':')) {
    const std::filesystem::path candidate = std::filesystem::path(place) / name;
    if (!place.empty() && ::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return std::nullopt;
}

}  // namespace slipway
