#include "dockerfile/stage_lint.h"

#include <algorithm>

#include "base/secret_names.h"
#include "base/strings.h"
#include "dockerfile/paths.h"
#include "dockerfile/tracked_expand.h"

namespace slipway::dockerfile {
namespace {

std::string undefined_message(std::string_view name, const std::vector<std::string>& known) {
  const auto near = closest_match(name, known);
  return concat("the variable $", name, " is not defined",
                near ? concat(" (did you mean $", *near, "?)") : "");
}

}  // namespace

void StageLint::base_platform(const Stage& stage, const std::string& image, const Platform& wanted,
                              const Platform& has) {
  if (wanted.os() == has.os() && wanted.architecture() == has.architecture()) return;
  report_.hit(rules::kInvalidBaseImagePlatform, file_, *stage.from, file_.at(*stage.from, stage.base.offset),
              concat("the image ", image, " is for ", has.str(), "; ", wanted.str(), " is built for"));
}

void StageLint::undefined(std::string_view name, std::size_t offset, const std::vector<std::string>& known) {
  hit(rules::kUndefinedVar, place_of_variable(at_->text, offset, name), undefined_message(name, known));
}

void StageLint::undefined(std::string_view name, const Flag& flag, const std::vector<std::string>& known) {
  report_.hit(rules::kUndefinedVar, file_, *at_, file_.at(flag), undefined_message(name, known));
}

void StageLint::undefined(std::string_view name, const Heredoc& heredoc,
                          const std::vector<std::string>& known) {
  const std::size_t offset = place_of_variable(heredoc.body, 0, name);
  const auto before = std::string_view(heredoc.body).substr(0, offset);
  const int line = heredoc.first_line + static_cast<int>(std::ranges::count(before, '\n'));
  SourceLocation where = file_.at(line);
  // In the line as written, which may begin with tabs that the body has not.
  where.column = static_cast<int>(place_of_variable(where.line_text, 0, name)) + 1;
  report_.hit(rules::kUndefinedVar, file_, *at_, std::move(where), undefined_message(name, known));
}

void StageLint::pair(const KeyValue& pair) {
  const std::size_t end = pair.key.offset + pair.key.text.size();
  if (end < at_->text.size() && at_->text[end] == '=') return;
  hit(rules::kLegacyKeyValueFormat, pair.key.offset,
      concat(at_->keyword, " ", pair.key.text, " with a blank before its value is the old form; write ",
             pair.key.text, "=…"));
}

void StageLint::variable_name(std::string_view name, std::size_t offset) {
  if (!names_secret(name)) return;
  hit(rules::kSecretsUsedInArgOrEnv, offset,
      concat(
          at_->keyword, " ", name,
          " looks like a secret, and everyone who has the image can read it; use RUN --mount=type=secret"));
}

void StageLint::workdir(std::string_view path, bool is_first) {
  if (!is_first || path.starts_with('/')) return;
  hit(rules::kWorkdirRelativePath, 0,
      concat("WORKDIR ", path,
             " is relative to the base image's directory, which may change; begin with \"/\""));
}

void StageLint::port(std::string_view text, std::size_t offset) {
  const std::size_t slash = text.find('/');
  const std::string_view protocol =
      slash == std::string_view::npos ? std::string_view() : text.substr(slash + 1);
  if (protocol != to_lower(protocol))
    hit(rules::kExposeProtoCasing, offset,
        concat("the protocol of ", text, " should be in lower case: ", to_lower(protocol)));
  if (text.find(':') != std::string_view::npos)
    hit(rules::kExposeInvalidFormat, offset,
        concat("EXPOSE ", text,
               ": addresses and host ports mean nothing here; only the container's port is kept"));
}

void StageLint::command_line(const CommandLine& line, bool shell_chosen) {
  if (!line.shell || shell_chosen) return;
  report_.hit(rules::kJsonArgsRecommended, file_, *at_, keyword_place(),
              concat(at_->keyword, " runs under a shell, which keeps signals from the program; write ",
                     at_->keyword, " [\"program\", \"argument\"]"));
}

void StageLint::last_one_counts() {
  const Instruction*& before = seen_[at_->keyword];
  if (before != nullptr)
    report_.hit(
        rules::kMultipleInstructionsDisallowed, file_, *at_, file_.at(before->first_line, before->column),
        concat("this ", at_->keyword, " has no effect: the one on line ", at_->first_line, " replaces it"));
  before = at_;
}

void StageLint::copied(std::string_view path, std::size_t offset,
                       const std::vector<std::string>& ignore_patterns, const PathIgnored& ignored) {
  if (!ignored || ignore_patterns.empty()) return;
  // What "!" takes back in depends on the files that there are.
  for (const std::string& pattern : ignore_patterns)
    if (pattern.starts_with('!')) return;
  const std::string relative = clean_absolute(path).substr(1);
  const auto leaves_nothing = [](const std::string& pattern) {
    return pattern == "*" || pattern == "**" || pattern == "**/*";
  };
  if (relative.empty() ? std::ranges::none_of(ignore_patterns, leaves_nothing) : !ignored(relative)) return;
  hit(rules::kCopyIgnoredFile, offset,
      concat(at_->keyword, " ", path, ": the ignore file keeps this out of the context"));
}

}  // namespace slipway::dockerfile
