#include "runtime/step_process.h"

#include <algorithm>
#include <exception>

#include "base/error.h"
#include "runtime/memory_watch.h"

namespace slipway {

ProcessResult run_step_process(Command command,
                               const std::function<void(int stream, std::string_view bytes)>& receive,
                               const std::stop_token& stop) {
  std::stop_source stop_step;
  const std::stop_callback on_stop(stop, [&stop_step] { stop_step.request_stop(); });
  std::exception_ptr failure;
  command.on_output = [&](int stream, std::string_view bytes) {
    if (failure) return;
    try {
      receive(stream, bytes);
    } catch (...) {
      failure = std::current_exception();
      stop_step.request_stop();
    }
  };
  MemoryWatch memory;
  command.watch = [&memory](pid_t child) { return memory.look_again_after(child); };
  ProcessResult result;
  try {
    result = run_process(command, stop_step.get_token());
  } catch (const Cancelled&) {
    if (!failure) throw;
  }
  if (failure) std::rethrow_exception(failure);
  result.peak_memory = std::max(result.peak_memory, memory.peak());
  return result;
}

}  // namespace slipway
