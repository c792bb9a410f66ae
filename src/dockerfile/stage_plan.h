#pragma once
// Which stages a target needs, on what each stands, and in which order they can be lowered.
#include <optional>
#include <vector>

#include "dockerfile/build_args.h"
#include "dockerfile/build_state.h"

namespace slipway::dockerfile {

/// A stage as one lane sees it.
struct PlannedStage {
  StageSource base;
  std::optional<Platform> platform;  ///< of --platform
  bool replaced = false;  ///< the caller gave a context of the stage's name: its commands do not count
  std::vector<const Trigger*> triggers;  ///< ONBUILD of the base, run before the stage's own commands
};

struct StagePlan {
  std::vector<std::optional<PlannedStage>> stages;  ///< by index; nothing for those that are not needed
  std::vector<int> order;                           ///< the needed ones, each after all that it uses
  /// How often more than a stage's files is wanted, by index: by stages built on it, and as the result.
  std::vector<int> wanted_whole;
};

/// Resolves the images that needed stages are FROM (their triggers may need more stages), and no others.
/// Throws InvalidInput with the place in the Dockerfile, and what resolving throws. With options.all_stages
/// every stage up to the target counts as needed.
StagePlan plan_stages(BuildState& build, const Platform& target_platform, const ArgMap& globals, int target);

/// The images that the stages of such a plan are FROM or copy from, found without asking for any, and so without
/// those that the images' triggers need. Throws as plan_stages() does.
std::vector<WantedImage> images_of_stages(BuildState& build, const Platform& target_platform,
                                          const ArgMap& globals, int target);

/// What COPY --from or a mount's from means in `stage`. Throws InvalidInput at the flag, for variables too.
StageSource copy_source(const BuildState& build, const Dockerfile& file, const Stage& stage,
                        const CopyCommand& copy, const Platform& target_platform);
StageSource mount_source(const BuildState& build, const Dockerfile& file, const Stage& stage,
                         const MountSpec& mount, const Platform& target_platform);

}  // namespace slipway::dockerfile
