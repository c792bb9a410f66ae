#pragma once
// Everything one `slipway build` (or bootstrap, import) works with, made in the right order and torn down in
// reverse.
#include <memory>

#include "build/build_request.h"
#include "build/emulators.h"
#include "slipway/command.h"
#include "slipway/progress_choice.h"

namespace slipway {

class BuildSession {
 public:
  /// Opens the store and starts the progress view. Throws SystemError, HostError.
  BuildSession(CommandContext& context, ProgressMode mode, const EmulatorOptions& emulators = {},
               std::string oci_runtime = {});
  ~BuildSession();

  BuildResult build(const BuildRequest& request);
  /// Ends the progress view, so that what is printed next stands below it.
  void close();

  Store& store();
  RegistryClient& registry();
  ProgressSink& progress();
  Emulators& emulators();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway
