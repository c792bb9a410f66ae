#include "build/frontend.h"

#include <algorithm>

#include "base/error.h"
#include "build/checks.h"
#include "build/definition_lowering.h"

namespace slipway {

dockerfile::Lowered lower_request(const BuildRequest& request, BuildInputs& inputs, ProgressSink& progress,
                                  std::stop_token stop) {
  if (request.definition) {
    if (request.platforms.size() > 1)
      throw UsageError("--llb: a definition is of one platform; give at most one --platform");
    DefinitionOptions options{.platform = {}, .no_cache = request.no_cache, .layouts = {}};
    if (!request.platforms.empty()) options.platform = request.platforms.front();
    for (const auto& [name, context] : inputs.contexts().named())
      if (context.kind == dockerfile::NamedContext::Kind::Image) options.layouts.emplace(name, context.value);
    return lower_definition(*request.definition, options, inputs.images(), std::move(stop));
  }
  const DockerfileFile& text = inputs.contexts().dockerfile();
  const dockerfile::Dockerfile file = dockerfile::parse(text.name, text.text);
  dockerfile::Lowered lowered =
      lower_and_tell(file, inputs.lower_options(), inputs.images(), progress, std::move(stop));
  for (dockerfile::StageArgUse& arg : lowered.args) arg.at = nullptr;  // `file` ends here
  return lowered;
}

std::vector<Platform> platforms_of(const dockerfile::Lowered& lowered) {
  std::vector<Platform> platforms;
  for (const dockerfile::LoweredLane& lane : lowered.lanes)
    if (std::ranges::find(platforms, lane.platform) == platforms.end()) platforms.push_back(lane.platform);
  return platforms;
}

}  // namespace slipway
