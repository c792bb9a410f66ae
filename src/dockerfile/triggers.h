#pragma once
// ONBUILD instructions of a base, read back into commands.
#include <map>
#include <memory>
#include <string>

#include "dockerfile/commands.h"

namespace slipway::dockerfile {

struct Trigger {
  std::string text;
  Dockerfile file;  ///< of that one instruction, after a FROM
  Program program;  ///< points into `file`
  const StageCommand& command() const { return program.stages.front().commands.front(); }
};

/// Each text is read once, whatever the number of stages and platforms. What it returns lives as long as
/// this.
class Triggers {
 public:
  /// Throws InvalidInput whose place means nothing to people: see rethrow_for_trigger().
  const Trigger& read(const std::string& text);
  const std::map<std::string, std::unique_ptr<Trigger>>& all() const { return by_text_; }

 private:
  std::map<std::string, std::unique_ptr<Trigger>> by_text_;  // unique_ptr: commands point into their own file
};

/// Throws `error` on, saying which trigger of which base it comes from, with the place of the FROM.
[[noreturn]] void rethrow_for_trigger(const InvalidInput& error, const std::string& text, const Stage& stage,
                                      const Dockerfile& file);

}  // namespace slipway::dockerfile
