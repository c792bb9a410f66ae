#include "slipway/build_record.h"

#include "base/strings.h"
#include "build/build_hider.h"

namespace slipway {

namespace {

/// What equal builds have in common wherever they were started: directories by their whole path.
std::string shown_context(const std::filesystem::path& context) {
  std::error_code problem;
  if (context == "-") return "-";
  const std::filesystem::path whole = std::filesystem::canonical(context, problem);
  return problem ? context.string() : whole.string();  // else a URL
}

}  // namespace

BuildRecord described_build(const BuildRequest& request) {
  BuildRecord record = new_build_record();
  record.context = shown_context(request.context);
  record.dockerfile = request.definition           ? "LLB"
                      : request.dockerfile.empty() ? "Dockerfile"
                                                   : request.dockerfile.string();
  record.target = request.target;
  if (request.platforms.empty()) record.platforms.push_back(Platform::host().str());
  for (const Platform& platform : request.platforms) record.platforms.push_back(platform.str());
  for (const ImageRef& tag : request.tags) record.tags.push_back(tag.familiar());
  return record;
}

std::unique_ptr<BuildRecorder> start_record(const HistoryDirectory& history, const BuildRequest& request,
                                            const std::string& logs, Logger& logger) {
  BuildRecord record = described_build(request);
  record.logs = logs;
  return std::make_unique<BuildRecorder>(history, std::move(record), hider_of(request), logger);
}

}  // namespace slipway
