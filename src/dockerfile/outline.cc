#include "dockerfile/outline.h"

#include <algorithm>
#include <map>

#include "dockerfile/commands.h"
#include "dockerfile/comments.h"
#include "dockerfile/tracked_expand.h"

namespace slipway::dockerfile {
namespace {

LineRange lines_of(const Instruction& instruction) { return {instruction.first_line, instruction.last_line}; }

class ArgCollector {
 public:
  ArgCollector(const Dockerfile& file, const Program& program, const LowerOptions& options,
               const Lowered& lowered)
      : file_(file), program_(program), lowered_(lowered) {
    const Platform& target = options.platforms.front();
    values_ =
        global_args(file, program, options,
                    platform_args(target, options.build_platform.value_or(Platform::host()), {}), budget_);
  }

  std::vector<OutlineArg> run() {
    // What the target itself declares wins, then what stands nearest before it.
    std::vector<const StageArgUse*> uses;
    for (const StageArgUse& use : lowered_.args) uses.push_back(&use);
    std::ranges::reverse(uses);
    std::ranges::stable_sort(uses, {}, [&](const StageArgUse* use) {
      return std::pair(use->stage != lowered_.target, -use->stage);
    });
    for (const StageArgUse* use : uses) {
      if (use->from_global) {
        use_global(use->name);
      } else {
        found_.try_emplace(use->name, OutlineArg{use->name, description_of(file_, *use->at, use->name),
                                                 use->value.value_or(""), lines_of(*use->at)});
      }
    }
    for (int stage : lowered_.stages) use_of_from(program_.stages[static_cast<std::size_t>(stage)]);
    std::vector<OutlineArg> out;
    for (auto& [name, arg] : found_) out.push_back(std::move(arg));
    std::ranges::stable_sort(out, {}, [](const OutlineArg& arg) { return arg.lines.first; });
    return out;
  }

 private:
  void use_of_from(const Stage& stage) {
    use_variables(stage.base.text);
    if (stage.platform != nullptr) use_variables(stage.platform->value);
  }

  void use_variables(std::string_view text) {
    const TrackedText expanded = expand_tracked(text, values_, file_.escape, budget_);
    for (const std::string& name : expanded.found) use_global(name);
    for (const std::string& name : expanded.missing) use_global(name);
  }

  /// With those that its default is made of.
  void use_global(const std::string& name) {
    if (!seen_.insert(name).second) return;
    for (const GlobalArg& arg : program_.global_args) {
      if (arg.declaration.name.text != name) continue;
      const auto value = values_.find(name);
      found_.try_emplace(name, OutlineArg{name, description_of(file_, *arg.at, name),
                                          value == values_.end() ? "" : value->second, lines_of(*arg.at)});
      if (arg.declaration.value) use_variables(arg.declaration.value->text);
    }
  }

  const Dockerfile& file_;
  const Program& program_;
  const Lowered& lowered_;
  TextBudget budget_;
  ArgMap values_;
  std::set<std::string> seen_;
  std::map<std::string, OutlineArg> found_;
};

/// The mounts of RUN, out of the graph: there their ids have their values.
class MountCollector {
 public:
  explicit MountCollector(const Dockerfile& file) : file_(file) {}

  void run(const Graph& graph, Outline& out) {
    for (const Vertex& vertex : graph.vertices()) {
      const auto* exec = std::get_if<ExecOp>(&vertex.op.what);
      if (exec == nullptr || !vertex.info.location) continue;
      const LineRange lines = lines_at(vertex.info.location->line);
      for (const Mount& mount : exec->mounts) {
        if (mount.secret) add(out.secrets, mount.secret->id, !mount.secret->optional, lines);
        if (mount.ssh)
          add(out.ssh, mount.ssh->id.empty() ? "default" : mount.ssh->id, !mount.ssh->optional, lines);
        if (mount.cache) add(out.caches, mount.cache->id, false, lines);
      }
      for (const SecretEnv& secret : exec->secret_env) add(out.secrets, secret.id, !secret.optional, lines);
    }
    for (auto* list : {&out.secrets, &out.ssh, &out.caches})
      std::ranges::stable_sort(*list, {}, [](const OutlineMount& mount) { return mount.lines.first; });
  }

 private:
  LineRange lines_at(int line) const {
    for (const Instruction& instruction : file_.instructions)
      if (instruction.first_line <= line && line <= instruction.last_line) return lines_of(instruction);
    return {line, line};
  }

  static void add(std::vector<OutlineMount>& to, const std::string& id, bool required,
                  const LineRange& lines) {
    const auto known = std::ranges::find(to, id, &OutlineMount::id);
    if (known == to.end()) {
      to.push_back({id, required, lines});
    } else {
      known->required = known->required || required;
    }
  }

  const Dockerfile& file_;
};

}  // namespace

std::vector<TargetEntry> list_targets(const Dockerfile& file) {
  const Program program = read_program(file);
  std::vector<TargetEntry> out;
  for (const Stage& stage : program.stages)
    out.push_back({.name = stage.name,
                   .description = description_of(file, *stage.from, stage.name),
                   .is_default = &stage == &program.stages.back(),
                   .base = stage.base.text,
                   .platform = stage.platform != nullptr ? stage.platform->value : std::string(),
                   .lines = lines_of(*stage.from)});
  return out;
}

Outline outline_of(const Dockerfile& file, const LowerOptions& options, const Lowered& lowered) {
  const Program program = read_program(file);
  const Stage& target = program.stages[static_cast<std::size_t>(lowered.target)];
  Outline out{.name = target.name, .description = description_of(file, *target.from, target.name)};
  out.args = ArgCollector(file, program, options, lowered).run();
  MountCollector(file).run(lowered.graph, out);
  return out;
}

}  // namespace slipway::dockerfile
