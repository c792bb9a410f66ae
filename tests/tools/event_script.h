#pragma once
// Events at scripted times, and an output that keeps what it is given.
#include <string>
#include <utility>

#include "base/progress.h"
#include "slipway/text_output.h"

namespace slipway {

/// 2026-03-01T12:00:00Z plus `seconds`.
inline EventTime at(double seconds) {
  using namespace std::chrono;
  return EventTime(sys_days(year(2026) / March / 1)) + hours(12) +
         duration_cast<EventTime::duration>(duration<double>(seconds));
}

template <class What>
void send(ProgressSink& sink, double seconds, What what) {
  sink.on_event(Event{at(seconds), std::move(what)});
}

class StringOutput final : public TextOutput {
 public:
  void write(std::string_view bytes) noexcept override { text += bytes; }
  std::string text;
};

/// A build of two platforms in which everything happens that an event can say.
template <class Send>
void play_whole_build(Send&& send) {
  send(0.0, StepPlanned{"ctx", "[internal] load build context", "", {}});
  send(0.0, StepPlanned{"sha256:aa", "[linux/amd64 build 1/2] FROM debian", "linux/amd64", {}});
  send(0.0, StepPlanned{"sha256:ab", "[linux/amd64 build 2/2] RUN make", "linux/amd64", {"sha256:aa", "ctx"}});
  send(0.0, StepPlanned{"sha256:ba", "[linux/arm64 build 1/2] FROM debian", "linux/arm64", {}});
  send(0.0, StepPlanned{"sha256:bb", "[linux/arm64 build 2/2] RUN make", "linux/arm64", {"sha256:ba", "ctx"}});
  send(0.0, StepPlanned{"publish", "publish", "", {"sha256:ab", "sha256:bb"}});
  send(0.1, StepStarted{"ctx", ExecutionMode::None, ""});
  send(0.1, BytesMoved{"ctx", "transferring context", 1000, 0, false});
  send(0.15, BytesMoved{"ctx", "transferring context", 36'000, 0, true});
  send(0.2, StepFinished{"ctx", StepEnd::Done, ""});
  send(0.25, StepFinished{"sha256:aa", StepEnd::Cached, ""});
  send(0.3, StepStarted{"sha256:ba", ExecutionMode::None, ""});
  send(0.3, BytesMoved{"sha256:ba", "sha256:0123 pulling", 0, 50'000'000, false});
  send(0.4, StepStarted{"sha256:ab", ExecutionMode::Native, ""});
  send(0.5, Warned{"no native node for linux/arm64\nits steps are emulated"});
  send(0.812, StepLog{"sha256:ab", 1, "cc -c a.c\ncc -c "});
  send(0.9, StepLog{"sha256:ab", 2, "a.c:1: \x1b[31mwarning\x1b[0m: odd\n"});
  send(11.0, BytesMoved{"sha256:ba", "sha256:0123 pulling", 30'000'000, 50'000'000, false});
  send(12.0, BytesMoved{"sha256:ba", "sha256:0123 pulling", 40'000'000, 50'000'000, false});
  send(12.5, BytesMoved{"sha256:ba", "sha256:0123 pulling", 50'000'000, 50'000'000, true});
  send(12.6, StepFinished{"sha256:ba", StepEnd::Done, ""});
  send(12.7, StepStarted{"sha256:bb", ExecutionMode::Emulated, "emulated by qemu-aarch64 7.2"});
  send(13.0, StepLog{"sha256:bb", 1, "cc -c a.c\n"});
  send(13.1, StepLog{"sha256:ab", 1, "b.c\nlinking"});
  send(14.0, StepFinished{"sha256:bb", StepEnd::Failed, "exit code 2\nmake: *** [all] Error 1"});
  send(14.1, StepFinished{"publish", StepEnd::Skipped, ""});
  send(14.2, StepFinished{"sha256:ab", StepEnd::Cancelled, ""});
}

}  // namespace slipway
