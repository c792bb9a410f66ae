#include "slipway/signals.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"

namespace slipway {

namespace {

void watch(int signals, int wake, std::stop_source source) {
  bool stopping = false;
  while (true) {
    struct pollfd fds[2] = {{signals, POLLIN, 0}, {wake, POLLIN, 0}};
    if (::poll(fds, 2, -1) < 0) continue;
    if (fds[1].revents) break;
    struct signalfd_siginfo info {};
    if (::read(signals, &info, sizeof info) != sizeof info) continue;
    if (stopping) ::_exit(130);
    stopping = true;
    source.request_stop();
  }
  ::close(signals);
}

}  // namespace

StopSignals::StopSignals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&set, signal);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  const int signals = ::signalfd(-1, &set, SFD_CLOEXEC);
  wake_ = ::eventfd(0, EFD_CLOEXEC);
  if (signals < 0 || wake_ < 0) throw SystemError(errno, "signalfd");
  watcher_ = std::thread(watch, signals, wake_, source_);
}

StopSignals::~StopSignals() {
  ::eventfd_write(wake_, 1);
  watcher_.join();
  ::close(wake_);
}

}  // namespace slipway
