#include "dockerfile/lower.h"

#include <algorithm>
#include <iterator>

#include "base/strings.h"
#include "dockerfile/build_args.h"
#include "dockerfile/commands.h"
#include "dockerfile/global_epoch.h"
#include "dockerfile/lint_from.h"
#include "dockerfile/lint_report.h"
#include "dockerfile/lint_syntax.h"
#include "dockerfile/stage_lowering.h"
#include "dockerfile/stage_plan.h"

namespace slipway::dockerfile {
namespace {

LoweredLane finish(StageState state, const BuildState& build, const Platform& target) {
  LoweredLane out{target, std::move(state.result), std::move(state.config), state.base_layers,
                  state.base_history};
  out.config.config.env = state.env.strings();
  out.config.platform = target;
  for (const auto& [name, value] : build.options.labels)
    out.config.config.labels.insert_or_assign(name, value);
  return out;
}

ArgMap lane_platforms(const BuildState& build, const Platform& platform, int target) {
  const Stage& last = build.program.stages[static_cast<std::size_t>(target)];
  return platform_args(platform, build.build_platform,
                       build.options.target.empty() ? last.name : build.options.target);
}

LoweredLane lower_lane(BuildState& build, const Platform& platform, int target,
                       std::optional<std::int64_t>& epoch) {
  const Stage& last = build.program.stages[static_cast<std::size_t>(target)];
  const ArgMap platforms = lane_platforms(build, platform, target);
  ArgMap globals = global_args(build.file, build.program, build.options, platforms, build.budget);
  epoch = take_global_epoch(build.file, build.program, build.options, globals);
  TextBudget lint_budget;
  lint_from(build.file, build.program, build.options, platforms, globals, lint_budget, build.lint);
  StagePlan plan = plan_stages(build, platform, globals, target);
  LaneState lane{build, platform, std::move(globals), std::move(plan), {}, {}, {}};
  lane.done.resize(build.program.stages.size());
  for (const int index : lane.plan.order) {
    const auto at = static_cast<std::size_t>(index);
    lane.done[at] = StageLowering(lane, build.program.stages[at]).run();
    if (lane.plan.wanted_whole[at] == 0) lane.done[at] = tree_only(*lane.done[at]);
  }
  StageState& result = *lane.done[static_cast<std::size_t>(target)];
  if (result.platform != platform)
    build.warn(*last.from, concat("the stage to build is for ", result.platform.str(),
                                  ", whatever platform is asked for; "
                                  "the image for ",
                                  platform.str(), " gets its files"));
  return finish(std::move(result), build, platform);
}

/// What the lanes will ask the resolver for, as far as that is known before it has said anything: what
/// triggers of an image need is not.
std::vector<WantedImage> scout_images(BuildState& build, int target) {
  std::vector<WantedImage> wanted;
  for (const Platform& platform : build.options.platforms) try {
      TextBudget budget;
      const ArgMap globals = global_args(build.file, build.program, build.options,
                                         lane_platforms(build, platform, target), budget);
      std::ranges::move(images_of_stages(build, platform, globals, target), std::back_inserter(wanted));
    } catch (const Error&) {
      break;  // lowering this lane tells it, in its place
    }
  return wanted;
}

}  // namespace

void ImageResolver::expect(const std::vector<WantedImage>&, std::stop_token) {}

Lowered lower(const Dockerfile& file, const LowerOptions& options, ImageResolver& resolver,
              std::stop_token stop) {
  LintReport unread;
  return lower(file, options, resolver, unread, stop);
}

Lowered lower(const Dockerfile& file, const LowerOptions& options, ImageResolver& resolver,
              LintReport& report, std::stop_token stop) {
  if (options.platforms.empty()) throw UsageError("no platform to build for");
  report.configure(file, options.build_args);
  lint_syntax(file, report);
  Program program = read_program(file);
  const StageNames names(program);
  const NamedContexts contexts(options.contexts);
  const int target = find_target(names, options.target);
  BuildState build{.file = file,
                   .program = program,
                   .names = names,
                   .options = options,
                   .contexts = contexts,
                   .resolver = resolver,
                   .lint = report,
                   .stop = stop,
                   .build_platform = options.build_platform ? *options.build_platform : Platform::host(),
                   .proxy = proxy_of(options),
                   .graph = {},
                   .budget = TextBudget(),
                   .triggers = {},
                   .images = {},
                   .warnings = program.warnings,
                   .warned = {},
                   .lowered_stages = {},
                   .args = {},
                   .unread = {}};
  resolver.expect(scout_images(build, target), stop);
  Lowered out;
  for (const Platform& platform : options.platforms)
    out.lanes.push_back(lower_lane(build, platform, target, out.epoch));
  for (std::string& line : unused_arg_warnings(program, build.triggers, options))
    build.warnings.push_back(std::move(line));
  out.graph = std::move(build.graph);
  out.warnings = std::move(build.warnings);
  out.target = target;
  out.stages = std::move(build.lowered_stages);
  out.args = std::move(build.args);
  return out;
}

}  // namespace slipway::dockerfile
