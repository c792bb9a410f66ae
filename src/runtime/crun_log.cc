#include "runtime/crun_log.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/strings.h"

namespace slipway {
namespace {

constexpr std::string_view kRuncFailure = "runc run failed: ";

}  // namespace

std::optional<std::string> crun_errors(std::string_view log) {
  std::vector<std::string> errors;
  for (const std::string& line : split(log, '\n')) {
    const auto entry = nlohmann::json::parse(line, nullptr, false);
    if (!entry.is_object()) continue;
    const auto level = entry.find("level"), text = entry.find("msg");
    if (level == entry.end() || *level != "error" || text == entry.end() || !text->is_string()) continue;
    errors.push_back(text->get<std::string>());
  }
  if (errors.empty()) return std::nullopt;
  return join(errors, "; ");
}

bool says_program_busy(std::string_view error) {
  return error.starts_with("exec container process") && error.ends_with("Text file busy");
}

bool says_proc_refused(std::string_view error) {
  return error.starts_with("mount `proc`") && error.ends_with("Operation not permitted");
}

bool refuses_limit(std::string_view error) {
  return error.starts_with("setrlimit ") || error.find("error setting rlimit") != std::string_view::npos;
}

bool refuses_directory(std::string_view error, std::string_view directory) {
  return error.starts_with("chdir ") ||
         error.find(concat("mkdir ", directory, ":")) != std::string_view::npos;
}

bool wants_cgroups(std::string_view error) { return error.find("cgroup") != std::string_view::npos; }

std::optional<StartFailure> start_failure(std::string_view error, std::string_view program) {
  const auto says = [&](std::string_view part) { return error.find(part) != std::string_view::npos; };
  const bool about_program = says("executable") || says("exec container process") || says("exec: \"");
  if (!about_program) return std::nullopt;
  if (says("missing dynamic library"))
    return StartFailure{127,
                        concat("\"", program, "\": its interpreter or dynamic loader is not in the image")};
  if (says("No such file or directory") || says("no such file or directory") || says("Not a directory") ||
      says("not a directory") || says("not found in $PATH"))
    return StartFailure{127, concat("\"", program, "\" not found in the image")};
  if (says("Permission denied") || says("permission denied"))
    return StartFailure{126, concat("\"", program, "\": no permission to execute it")};
  if (says("Exec format error") || says("exec format error"))
    return StartFailure{
        126,
        concat("\"", program, "\" is not a program for this step's platform, nor a script with a #! line")};
  if (says("Is a directory") || says("is a directory"))
    return StartFailure{126, concat("\"", program, "\" is a directory")};
  return StartFailure{126, concat("\"", program, "\" cannot be executed: ", error)};
}

void StepOutput::pass(int stream, std::string_view bytes) const {
  if (sink_ && !bytes.empty()) sink_(stream, bytes);
}

void StepOutput::flush() {
  holding_ = false;
  const std::string held = std::exchange(held_, {});
  pass(2, held);
}

void StepOutput::add(int stream, std::string_view bytes) {
  constexpr std::string_view start = R"({"msg":"exec container process)";
  constexpr std::string_view runc_start = kRuncFailure;
  constexpr std::size_t longest = 8192;
  if (!holding_) return pass(stream, bytes);
  // A program that writes anything to stdout has been started.
  if (stream != 2) {
    flush();
    return pass(stream, bytes);
  }
  held_ += bytes;
  const auto may_be = [&](std::string_view wanted) {
    const std::size_t common = std::min(held_.size(), wanted.size());
    return held_.compare(0, common, wanted, 0, common) == 0;
  };
  const std::size_t newline = held_.find('\n');
  const bool one_line = newline == std::string::npos || newline + 1 == held_.size();
  if ((!may_be(start) && !may_be(runc_start)) || !one_line || held_.size() > longest) flush();
}

std::optional<std::string> StepOutput::finish() {
  auto error = holding_ ? crun_errors(held_) : std::nullopt;
  if (holding_ && held_.starts_with(kRuncFailure))
    error = std::string(trim(std::string_view(held_).substr(kRuncFailure.size())));
  if (!error) flush();
  return error;
}

}  // namespace slipway
