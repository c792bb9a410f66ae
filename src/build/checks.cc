#include "build/checks.h"

#include <memory>

#include "base/strings.h"
#include "content/patterns.h"

namespace slipway {

namespace {

void add_ignore_check(dockerfile::LowerOptions& options) {
  if (options.ignore_patterns.empty()) return;
  // Shared by the copies of a function object.
  const auto matcher = std::make_shared<const PatternMatcher>(options.ignore_patterns);
  options.ignored = [matcher](const std::string& path) { return matcher->excludes(path); };
}

void tell(const dockerfile::LintReport& report, ProgressSink& progress) {
  for (const std::string& note : report.notes()) progress.emit(Warned{note});
  for (const dockerfile::LintHit& hit : report.hits())
    progress.emit(Warned{.message = hit.message,
                         .rule = std::string(hit.rule->name),
                         .description = std::string(hit.rule->description),
                         .where = hit.where});
}

}  // namespace

dockerfile::Lowered lower_and_tell(const dockerfile::Dockerfile& file, dockerfile::LowerOptions options,
                                   dockerfile::ImageResolver& resolver, ProgressSink& progress,
                                   std::stop_token stop) {
  dockerfile::LintReport report;
  std::optional<dockerfile::Lowered> lowered;
  try {
    add_ignore_check(options);
    lowered = dockerfile::lower(file, options, resolver, report, stop);
  } catch (...) {
    tell(report, progress);
    throw;
  }
  for (const std::string& warning : lowered->warnings) progress.emit(Warned{warning});
  tell(report, progress);
  report.throw_if_failing();
  return std::move(*lowered);
}

CheckResult check_dockerfile(BuildInputs& inputs, std::stop_token stop) {
  const DockerfileFile& input = inputs.contexts().dockerfile();
  CheckResult result{.filename = input.name, .text = input.text};
  dockerfile::LintReport report;
  try {
    const dockerfile::Dockerfile file = dockerfile::parse(input.name, input.text);
    dockerfile::LowerOptions options = inputs.lower_options();
    options.images_optional = true;
    options.all_stages = options.target.empty();
    add_ignore_check(options);
    result.notes = dockerfile::lower(file, options, inputs.images(), report, stop).warnings;
  } catch (const Error&) {
    result.error = std::current_exception();
  }
  result.hits = report.hits();
  result.notes.insert(result.notes.end(), report.notes().begin(), report.notes().end());
  return result;
}

OutlineResult outline_dockerfile(BuildInputs& inputs, std::stop_token stop) {
  const DockerfileFile& input = inputs.contexts().dockerfile();
  dockerfile::LowerOptions options = inputs.lower_options();
  options.images_optional = true;
  const dockerfile::Dockerfile file = dockerfile::parse(input.name, input.text);
  dockerfile::LintReport report;
  const dockerfile::Lowered lowered = dockerfile::lower(file, options, inputs.images(), report, stop);
  return {
      .text = input.text, .outline = dockerfile::outline_of(file, options, lowered), .notes = report.notes()};
}

}  // namespace slipway
