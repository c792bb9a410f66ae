#pragma once
// What all lanes of one lowering share.
#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "dockerfile/lint_report.h"
#include "dockerfile/lower.h"
#include "dockerfile/stages.h"
#include "dockerfile/text_budget.h"
#include "dockerfile/triggers.h"

namespace slipway::dockerfile {

struct BuildState {
  const Dockerfile& file;
  const Program& program;
  const StageNames& names;
  const LowerOptions& options;
  const NamedContexts& contexts;
  ImageResolver& resolver;
  LintReport& lint;
  std::stop_token stop;
  Platform build_platform;
  std::optional<ProxyEnv> proxy;
  Graph graph;
  TextBudget budget;
  Triggers triggers;
  std::map<std::pair<std::string, Platform>, BaseImage> images;  ///< resolved once each
  std::vector<std::string> warnings;
  std::set<std::string> warned;
  std::set<int> lowered_stages;
  std::vector<StageArgUse> args;  ///< of the first lane
  LintReport unread;              ///< for triggers: they are of another file

  /// Once a build, not once a lane.
  void warn(const Instruction& at, std::string_view message);

  void use_arg(const Platform& lane, StageArgUse use) {
    if (lane == options.platforms.front()) args.push_back(std::move(use));
  }

  /// The image for one platform. What the Dockerfile is to blame for becomes InvalidInput at `where`, with a
  /// hint if the name is that of a stage or nearly so.
  const BaseImage& resolve(const std::string& name, const Platform& platform, const Stage& stage,
                           const SourceLocation& where);

 private:
  BaseImage ask_for(const ImageRef& ref, const std::string& name, const Platform& platform);
};

}  // namespace slipway::dockerfile
