#pragma once
// Lowering of one stage for one lane: its commands become vertices, config and history.
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "dockerfile/build_state.h"
#include "dockerfile/expand.h"
#include "dockerfile/file_op_builder.h"
#include "dockerfile/stage_lint.h"
#include "dockerfile/stage_plan.h"
#include "dockerfile/stage_state.h"
#include "graph/git_url.h"

namespace slipway::dockerfile {

/// What the stages of one lane share.
struct LaneState {
  BuildState& build;
  Platform target;
  ArgMap globals;
  StagePlan plan;
  std::vector<std::optional<StageState>> done;  ///< by stage index
  std::optional<Digest> context;                ///< the build context's vertex, once something reads it
  std::map<std::string, Digest> locals;         ///< those of named contexts, likewise
};

/// Used once: construct, run(), take the state.
class StageLowering {
 public:
  StageLowering(LaneState& lane, const Stage& stage);
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
  // FROM (lower_from.cc)
  StageState begin();
  StageState begin_from_image();
  StageState begin_from_stage();
  StageState begin_from_directory();
  StageState empty_state() const;
  /// The vertex of an image; nothing if it has no layers.
  std::optional<Digest> image_vertex(const BaseImage& image, const Platform& platform, VertexInfo info);

  // Trees to read (lower_from.cc)
  struct Tree {
    std::optional<Digest> vertex;  ///< nothing for an empty one
    bool local = false;            ///< a directory of the caller's: only copies read it
  };
  Tree tree_of(const StageSource& source, const Flag* flag);
  Digest local_vertex(const std::string& name, const std::vector<std::string>& ignore_patterns,
                      std::string shown);

  // Expansion with the stage's variables; errors get their place.
  Lookup lookup() const;
  /// The same, and calls `undefined` with each name that nothing defines.
  Lookup checked_lookup(
      std::function<void(std::string_view name, const std::vector<std::string>& known)> undefined) const;
  std::string expand(const Word& word);
  std::string expand(const Flag& flag, const std::string& value);
  /// Runs `work`; a TextError out of it is thrown on with the place of the word or of the instruction.
  template <class Work>
  auto placed(std::size_t offset, Work work);
  [[noreturn]] void fail(std::size_t offset, std::string message) const;
  [[noreturn]] void fail(const Flag& flag, std::string message) const;
  /// Of a flag, or of FROM's image.
  SourceLocation source_place(const Flag* flag) const;
  /// The file that at_ is of: a trigger has one of its own.
  const Dockerfile& source() const { return trigger_ != nullptr ? trigger_->file : build_.file; }
  /// Where people find what is being lowered: a trigger, at the FROM.
  const Instruction& shown_at() const { return trigger_ != nullptr ? *stage_.from : *at_; }

  StageLint& lint() { return trigger_ != nullptr ? trigger_lint_ : stage_lint_; }

  // Vertices and history
  /// "[linux/arm64 build 2/3] " and so on; counts.
  std::string next_prefix(const Platform& platform, bool from = false);
  bool shows_platform(const Platform& platform) const;
  std::string cross_target(const Platform& platform) const;
  /// The instruction as a step's name shows it: variables put in, quotes taken off or (RUN) kept.
  std::string shown_instruction(const Lookup& lookup, Quotes quotes);
  Digest add(Op op, std::string name);
  Digest add_internal(Op op, std::string name);
  void remember(std::string created_by, bool layer);
  std::vector<std::string> with_shell(std::string text) const;
  std::string working_dir() const;

  // COPY and ADD (lower_copy.cc, lower_add.cc)
  struct Copying {
    const CopyCommand& command;
    const StageSource& from;
    FileOpBuilder builder;
    bool linked = false;   ///< into a layer of its own
    std::string checksum;  ///< of --checksum, variables put in
    CopyAction action;     ///< what all sources share
    std::string written;   ///< for the history: keyword, flags, sources
  };
  std::string copy_dest(const CopyCommand& command, std::string& written);
  void set_owner(Copying& copying);
  void set_mode(Copying& copying, const std::string& text);
  void check_checksum(const Copying& copying) const;
  void add_paths(Copying& copying, const std::string& source);
  void add_inline_file(Copying& copying, const Heredoc& heredoc);
  /// False if the source is no URL and no git repository.
  bool add_remote(Copying& copying, const std::string& source, std::size_t offset);
  std::optional<GitUrl> git_url(const std::string& source, std::size_t offset) const;
  void add_git(Copying& copying, GitUrl url);
  void add_url(Copying& copying, const std::string& url);

  // RUN (lower_run.cc, lower_run_mounts.cc)
  struct Running {
    ExecOp exec;
    std::vector<Input> inputs;
    int input(const std::optional<Digest>& tree);
  };
  std::vector<std::string> run_args(const RunCommand& command, Running& running, std::string& shown);
  void add_script(const Heredoc& heredoc, Running& running);
  /// Throws InvalidInput for a name that is no name of a file.
  std::string heredoc_file_name(const Heredoc& heredoc) const;
  void add_mount(const MountSpec& spec, Running& running);
  void add_tree_mount(const MountSpec& spec, Mount mount, Running& running);
  void add_secret(const MountSpec& spec, Running& running);
  void add_ssh(const MountSpec& spec, Running& running);
  std::string mount_target(const MountSpec& spec);
  std::string cache_id(const std::string& given, const std::string& target) const;
  std::vector<std::string> run_environment() const;
  std::string run_history(const std::vector<std::string>& args) const;

  LaneState& lane_;
  BuildState& build_;
  const Stage& stage_;
  const PlannedStage& plan_;
  const Instruction* at_ = nullptr;   ///< the instruction that is being lowered
  const Trigger* trigger_ = nullptr;  ///< of which it is, if of one
  int step_ = 0, steps_ = 0;
  bool ignore_cache_ = false;
  bool cmd_set_ = false;
  StageLint stage_lint_{build_.file, build_.lint}, trigger_lint_{build_.file, build_.unread};
  StageState state_;
};

template <class Work>
auto StageLowering::placed(std::size_t offset, Work work) {
  try {
    return work();
  } catch (const TextError& error) {
    fail(offset + error.offset(), error.message());
  }
}

/// What those need of a stage who only read its files.
StageState tree_only(const StageState& state);

/// "--from=x --link ", as written.
std::string written_flags(const Instruction& instruction);

/// USER[:GROUP] as an owner.
Owner parse_owner(std::string_view text);

/// Patterns as the attribute of a local source holds them.
std::string pattern_list(const std::vector<std::string>& patterns);

inline constexpr const char* kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

}  // namespace slipway::dockerfile
