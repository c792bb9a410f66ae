#pragma once
// A Sandbox that does what a test scripted, and remembers what was asked of it. A command without a script
// writes its own text to the file "ran" in the root file system and exits with 0.
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "base/synchronized.h"
#include "runtime/sandbox.h"

namespace slipway::testing_support {

class FakeSandbox final : public Sandbox {
 public:
  struct Script {
    int exit_code = 0;
    std::string output = {};
    std::function<void(const SandboxSpec&)> act = {};  ///< in place of the file "ran"
    bool until_stopped = false;  ///< after `act`: blocks until it is stopped, then throws Cancelled
  };
  /// For the command whose last argument is `command`. Not while a step runs.
  void script(const std::string& command, Script script) { scripts_[command] = std::move(script); }

  SandboxResult run(const SandboxSpec& spec,
                    const std::function<void(int stream, std::string_view bytes)>& on_output,
                    std::stop_token stop) override {
    specs_.lock()->push_back(spec);
    const auto found = scripts_.find(spec.args.back());
    const Script script = found == scripts_.end() ? Script{} : found->second;
    if (script.act) {
      script.act(spec);
    } else {
      write_file_atomic(spec.rootfs / "ran", spec.args.back());
    }
    if (!script.output.empty()) on_output(1, script.output);
    if (script.until_stopped) wait_for_stop(stop);
    if (stop.stop_requested()) throw Cancelled{};
    return {.exit_code = script.exit_code};
  }
  std::string describe() const override { return "fake"; }

  std::vector<SandboxSpec> specs() { return *specs_.lock(); }
  /// The last arguments, in the order in which steps started.
  std::vector<std::string> commands() {
    std::vector<std::string> commands;
    for (const SandboxSpec& spec : specs()) commands.push_back(spec.args.back());
    return commands;
  }

 private:
  static void wait_for_stop(const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any changed;
    std::unique_lock lock(mutex);
    changed.wait(lock, stop, [] { return false; });
  }

  std::map<std::string, Script> scripts_;  // not changed while a step runs
  Synchronized<std::vector<SandboxSpec>> specs_;
};

}  // namespace slipway::testing_support
