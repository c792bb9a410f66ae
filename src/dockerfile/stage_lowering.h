#pragma once
// Lowering of one stage for one lane: its commands become vertices, config and history.
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "dockerfile/build_args.h"
#include "dockerfile/commands.h"
#include "dockerfile/env_list.h"
#include "dockerfile/lower.h"
#include "dockerfile/stage_lint.h"
#include "dockerfile/stages.h"
#include "graph/graph.h"

namespace slipway::dockerfile {

/// What all lanes of one build share.
struct BuildState {
  const Dockerfile& file;
  const Program& program;
  const StageNames& names;
  const LowerOptions& options;
  ImageResolver& resolver;
  LintReport& lint;
  std::stop_token stop;
  Platform build_platform;
  std::optional<ProxyEnv> proxy;
  Graph graph;
  TextBudget budget;
  std::map<std::pair<std::string, Platform>, BaseImage> images;  ///< resolved once each
  std::vector<std::string> warnings;
  std::set<std::string> warned;
  std::set<int> lowered_stages;
  std::vector<StageArgUse> args;  ///< of the first lane

  void warn(const Instruction& at, std::string_view message);
  void use_arg(const Platform& lane, StageArgUse use) {
    if (lane == options.platforms.front()) args.push_back(std::move(use));
  }
};

/// An ARG that a stage declared, with its value if it has one.
struct StageArg {
  std::string name;
  std::optional<std::string> value;
};

/// The ARGs of a stage in order, each name once.
class StageArgs {
 public:
  void set(std::string name, std::optional<std::string> value) {
    const auto known = by_name_.find(name);
    if (known != by_name_.end()) {
      // Declared again without a value: what it had stays.
      if (value) entries_[known->second].value = std::move(value);
      return;
    }
    by_name_.emplace(name, entries_.size());
    entries_.push_back({std::move(name), std::move(value)});
  }
  std::optional<std::string_view> find(std::string_view name) const {
    const auto known = by_name_.find(name);
    if (known == by_name_.end() || !entries_[known->second].value) return std::nullopt;
    return *entries_[known->second].value;
  }
  /// Also one without a value.
  bool declares(std::string_view name) const { return by_name_.contains(name); }
  const std::vector<StageArg>& entries() const { return entries_; }
  std::size_t bytes() const {
    std::size_t out = 0;
    for (const StageArg& arg : entries_) out += arg.name.size() + (arg.value ? arg.value->size() : 0) + 2;
    return out;
  }

 private:
  std::vector<StageArg> entries_;
  std::map<std::string, std::size_t, std::less<>> by_name_;
};

/// What a stage has become. A stage that is built on it starts with a copy, its ARGs included.
struct StageState {
  Platform platform;
  std::optional<Digest> result;  ///< nothing for an empty tree
  ImageConfig config;            ///< config.env stays empty until the end: see env
  std::size_t base_layers = 0, base_history = 0;
  EnvList env;
  StageArgs args;
  bool env_known = true;     ///< false: the base image could not be read
  bool workdir_set = false;  ///< by a WORKDIR of this Dockerfile
};

/// What the stages of one lane share.
struct LaneState {
  BuildState& build;
  Platform target;
  ArgMap globals;
  std::vector<std::optional<PlannedStage>> plan;
  std::vector<std::optional<StageState>> done;  ///< by stage index
};

/// Used once: construct, run(), take the state.
class StageLowering {
 public:
  StageLowering(LaneState& lane, const Stage& stage) : lane_(lane), build_(lane.build), stage_(stage), state_(begin()) {}
  StageState run();

  void operator()(const ArgCommand& command);
  void operator()(const EnvCommand& command);
  void operator()(const LabelCommand& command);
  void operator()(const WorkdirCommand& command);
  void operator()(const UserCommand& command);
  void operator()(const ExposeCommand& command);
  void operator()(const VolumeCommand& command);
  void operator()(const StopSignalCommand& command);
  void operator()(const MaintainerCommand& command);
  void operator()(const ShellCommand& command);
  void operator()(const CmdCommand& command);
  void operator()(const EntrypointCommand& command);
  void operator()(const HealthcheckCommand& command);
  void operator()(const RunCommand& command);
  void operator()(const CopyCommand& command);
  void operator()(const OnbuildCommand& command);

 private:
  StageState begin();
  StageState begin_from_image(const PlannedStage& plan);
  const BaseImage& resolve(const std::string& name, const Platform& platform, const SourceLocation& where);
  BaseImage ask_for(const ImageRef& ref, const std::string& name, const Platform& platform);
  [[noreturn]] void refuse_image(const std::string& name, std::string message, const SourceLocation& where);
  /// The vertex of an image; nothing if it has no layers.
  std::optional<Digest> image_vertex(const BaseImage& image, const Platform& platform, VertexInfo info);

  // Expansion with the stage's variables; errors get their place.
  Lookup lookup() const;
  /// The same, and calls `undefined` with each name that nothing defines.
  Lookup checked_lookup(std::function<void(std::string_view name, const std::vector<std::string>& known)> undefined) const;
  std::string expand(const Word& word);
  std::string expand(const Flag& flag, const std::string& value);
  /// Runs `work`; a TextError out of it is thrown on with the place of the word or of the instruction.
  template <class Work>
  auto placed(std::size_t offset, Work work);
  [[noreturn]] void fail(std::size_t offset, std::string message) const;

  /// "[linux/arm64 build 2/3] " and so on; counts.
  std::string next_prefix(const Platform& platform);
  Digest add(Op op, std::string name);
  void remember(std::string created_by, bool layer);
  std::vector<std::string> with_shell(const CommandLine& line) const;
  std::string working_dir() const;

  // COPY
  std::optional<Digest> copy_tree(const CopyCommand& command, const StageSource& source);
  Digest context_vertex();
  std::string copy_dest(const CopyCommand& command, std::string& written);
  void set_copy_mode(const CopyCommand& command, CopyAction& action, std::string& flags);

  // RUN
  void add_secret(const MountSpec& spec, ExecOp& exec);
  std::vector<std::string> run_environment() const;
  std::string run_history(const std::vector<std::string>& args) const;

  LaneState& lane_;
  BuildState& build_;
  const Stage& stage_;
  const Instruction* at_ = nullptr;  ///< the instruction that is being lowered
  int step_ = 0, steps_ = 0;
  bool cmd_set_ = false;
  StageLint lint_{build_.file, build_.lint};
  StageState state_;
};

/// As Go prints a list of strings with %q: ["a" "b"].
std::string quoted_list(const std::vector<std::string>& list);

template <class Work>
auto StageLowering::placed(std::size_t offset, Work work) {
  try {
    return work();
  } catch (const TextError& error) {
    fail(offset + error.offset(), error.message());
  }
}

/// USER[:GROUP] as an owner.
Owner parse_owner(std::string_view text);

inline constexpr const char* kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

}  // namespace slipway::dockerfile
