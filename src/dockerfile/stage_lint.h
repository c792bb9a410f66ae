#pragma once
// Checks of a stage while it is lowered: they need the values of its variables, and look only at stages that
// are built.
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "dockerfile/commands.h"
#include "dockerfile/lint_report.h"
#include "platforms/platform.h"

namespace slipway::dockerfile {

/// Says of a path of the context, relative, whether the ignore file leaves it out.
using PathIgnored = std::function<bool(const std::string& path)>;

/// Of one stage in one lane; what goes on to stages built on it is kept by them.
class StageLint {
 public:
  StageLint(const Dockerfile& file, LintReport& report) : file_(file), report_(report) {}
  /// What is told of next stands in this instruction. Offsets are those of its text.
  void at(const Instruction& instruction) { at_ = &instruction; }

  void base_platform(const Stage& stage, const std::string& image, const Platform& wanted,
                     const Platform& has);
  void undefined(std::string_view name, std::size_t offset, const std::vector<std::string>& known);
  void undefined(std::string_view name, const Flag& flag, const std::vector<std::string>& known);
  /// Told at its line of the body.
  void undefined(std::string_view name, const Heredoc& heredoc, const std::vector<std::string>& known);
  /// A pair of ENV or LABEL.
  void pair(const KeyValue& pair);
  /// A name that ENV or ARG sets.
  void variable_name(std::string_view name, std::size_t offset);
  /// `is_first`: no WORKDIR came before it, in this stage or one that it is built on.
  void workdir(std::string_view path, bool is_first);
  void port(std::string_view text, std::size_t offset);
  /// CMD and ENTRYPOINT: `shell_chosen` if SHELL or the base image says which shell it is for.
  void command_line(const CommandLine& line, bool shell_chosen);
  /// CMD, ENTRYPOINT and HEALTHCHECK: the one before is told of.
  void last_one_counts();
  /// A source of COPY or ADD that is taken from the context.
  void copied(std::string_view path, std::size_t offset, const std::vector<std::string>& ignore_patterns,
              const PathIgnored& ignored);

 private:
  void hit(const LintRule& rule, std::size_t offset, std::string message) {
    if (!report_.full()) report_.hit(rule, file_, *at_, file_.at(*at_, offset), std::move(message));
  }
  SourceLocation keyword_place() const { return file_.at(at_->first_line, at_->column); }

  const Dockerfile& file_;
  LintReport& report_;
  const Instruction* at_ = nullptr;
  std::map<std::string, const Instruction*> seen_;  ///< by keyword, the last
};

}  // namespace slipway::dockerfile
