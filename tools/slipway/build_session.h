#pragma once
// Everything one `slipway build` (or bootstrap, import) works with, made in the right order and torn down in
// reverse.
#include <memory>
#include <vector>

#include "build/build_request.h"
#include "build/emulators.h"
#include "content/gc.h"
#include "slipway/command.h"
#include "slipway/progress_choice.h"

namespace slipway {

class BuildSession {
 public:
  /// Opens the store, with a new database if its own is damaged, and starts the progress view. Throws
  /// SystemError, HostError.
  BuildSession(CommandContext& context, ProgressMode mode, const EmulatorOptions& emulators = {},
               std::string oci_runtime = {});
  ~BuildSession();

  BuildResult build(const BuildRequest& request);
  /// Ends the progress view, so that what is printed next stands below it.
  void close();
  /// Prunes the store as slipway.toml asks, once nothing of the build is needed any more. What goes wrong is
  /// a warning.
  void collect_garbage(const std::vector<GcPolicy>& policies) noexcept;

  Store& store();
  RegistryClient& registry();
  ProgressSink& progress();
  Emulators& emulators();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway
