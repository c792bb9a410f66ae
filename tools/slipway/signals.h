#pragma once
#include <stop_token>
#include <thread>

namespace slipway {

/// Turns SIGINT, SIGTERM and SIGHUP into a stop request; a second one ends the process at once with 130. Made
/// by main before any other thread, so that all threads have the signals blocked and one waits for them.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  std::stop_token token() const { return source_.get_token(); }

 private:
  std::stop_source source_;
  int wake_ = -1;
  std::thread watcher_;
};

}  // namespace slipway
