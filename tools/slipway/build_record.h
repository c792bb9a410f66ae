#pragma once
// The record that a build of the command line leaves (history/recorder.h).
#include <memory>

#include "build/build_request.h"
#include "history/recorder.h"

namespace slipway {

/// What is known of a build before it begins. Its texts are as they were given.
BuildRecord described_build(const BuildRequest& request);

/// The recorder of a build that begins now. `logs` is the name of its directory of logs.
std::unique_ptr<BuildRecorder> start_record(const HistoryDirectory& history, const BuildRequest& request,
                                            const std::string& logs, Logger& logger);

}  // namespace slipway
