#pragma once
// Build arguments: what the builder itself defines, what stands before the first FROM, and what the caller
// gave.
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dockerfile/commands.h"
#include "dockerfile/expand.h"
#include "dockerfile/lower.h"
#include "dockerfile/triggers.h"

namespace slipway::dockerfile {

using ArgMap = std::map<std::string, std::string, std::less<>>;

/// True for the proxy variables, which steps get without an ARG.
bool is_proxy_arg(std::string_view name);

/// True for ARGs that the builder reads and steps do not see, declared or not.
bool is_builder_only_arg(std::string_view name);

/// The proxy for steps: the build args', over those of `options.proxy`. Nothing if there is none.
std::optional<ProxyEnv> proxy_of(const LowerOptions& options);

/// The platform ARGs of a lane: visible to FROM, and to a stage that declares them.
ArgMap platform_args(const Platform& target, const Platform& build, std::string_view stage_name);

/// platform_args with the ARGs before the first FROM; the caller's values win. Throws InvalidInput.
ArgMap global_args(const Dockerfile& file, const Program& program, const LowerOptions& options,
                   ArgMap platform, TextBudget& budget);

/// A line for each build argument that no ARG of the file, or of the triggers that were run, takes.
std::vector<std::string> unused_arg_warnings(const Program& program, const Triggers& triggers,
                                             const LowerOptions& options);

}  // namespace slipway::dockerfile
