#pragma once
// Which stage or image a name in FROM, COPY --from and --target means, and which stages a target needs.
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dockerfile/build_args.h"
#include "dockerfile/commands.h"

namespace slipway::dockerfile {

/// What a stage stands on, or what a COPY takes from.
struct StageSource {
  enum class Kind { Context, Scratch, Stage, Image };
  Kind kind = Kind::Context;
  int stage = 0;       ///< if Stage
  std::string image;   ///< if Image, as written
};

class StageNames {
 public:
  explicit StageNames(const Program& program);

  /// The stage of that name (any case) nearest before `index`.
  std::optional<int> find_before(std::string_view name, int index) const;
  /// The first stage of that name from `index` on.
  std::optional<int> find_from(std::string_view name, int index) const;
  const std::vector<std::string>& names() const { return names_; }

 private:
  std::map<std::string, std::vector<int>, std::less<>> by_name_;
  std::vector<std::string> names_;  ///< each once, in the file's order
};

/// Index of the stage to build: a name, an index, or the last if empty. Throws InvalidInput naming the stages.
int find_target(const Program& program, const StageNames& names, std::string_view target);

/// `name` is FROM's image with variables put in.
StageSource base_source(const Dockerfile& file, const Stage& stage, const StageNames& names, const std::string& name);

/// Throws InvalidInput at --from for the stage itself, a later one, and variables.
StageSource copy_source(const Dockerfile& file, const Stage& stage, const StageNames& names, const CopyCommand& copy,
                        std::size_t stage_count);

/// A stage as one lane sees it.
struct PlannedStage {
  StageSource base;
  std::optional<Platform> platform;  ///< of --platform
};

/// The stages that `target` needs (or all up to it), by index; nothing for the others. Throws InvalidInput.
std::vector<std::optional<PlannedStage>> plan_stages(const Dockerfile& file, const Program& program,
                                                     const StageNames& names, const ArgMap& globals, int target,
                                                     TextBudget& budget, bool all = false);

}  // namespace slipway::dockerfile
