#include "dockerfile/stage_plan.h"

#include <set>

#include "base/strings.h"

namespace slipway::dockerfile {
namespace {

using Kind = StageSource::Kind;

constexpr const char* kGlobalArgHint =
    "FROM sees only ARGs that stand before the first FROM, and --build-arg values for them";

/// Text of a FROM line with variables put in, and a hint for the variables that had no value.
struct Expanded {
  std::string text;
  std::string hint;
};

class StagePlanner {
 public:
  StagePlanner(BuildState& build, const Platform& target_platform, const ArgMap& globals, TextBudget& budget)
      : build_(build),
        target_platform_(target_platform),
        globals_(globals),
        budget_(budget),
        uses_(build.program.stages.size()) {}

  StagePlan plan(int target) {
    StagePlan out;
    out.stages = plan_needed(target);
    out.order = order_of(out);
    out.wanted_whole.resize(out.stages.size());
    ++out.wanted_whole[static_cast<std::size_t>(target)];
    for (const std::optional<PlannedStage>& stage : out.stages)
      if (stage && stage->base.kind == Kind::Stage)
        ++out.wanted_whole[static_cast<std::size_t>(stage->base.stage)];
    return out;
  }

  std::vector<WantedImage> scout(int target) {
    scouted_.emplace();
    plan_needed(target);
    return *std::move(scouted_);
  }

 private:
  std::vector<std::optional<PlannedStage>> plan_needed(int target) {
    std::vector<std::optional<PlannedStage>> stages(build_.program.stages.size());
    // The highest first: what fails is then told in the same order whatever refers to it.
    std::set<int, std::greater<>> wanted{target};
    if (build_.options.all_stages)
      for (int index = 0; index < target; ++index) wanted.insert(index);
    while (!wanted.empty()) {
      const auto index = static_cast<std::size_t>(*wanted.begin());
      wanted.erase(wanted.begin());
      stages[index] = plan_stage(build_.program.stages[index]);
      for (const int used : uses_[index])
        if (!stages[static_cast<std::size_t>(used)]) wanted.insert(used);
    }
    return stages;
  }

  Expanded expand(std::string_view text, const SourceLocation& whole, const Instruction* at,
                  std::size_t offset) {
    std::string unset;
    const Lookup lookup = [&](std::string_view name) -> std::optional<std::string_view> {
      const auto known = globals_.find(name);
      if (known != globals_.end()) return known->second;
      unset = name;
      return std::nullopt;
    };
    Expanded out;
    try {
      out.text = expand_word(text, lookup, build_.file.escape, budget_);
    } catch (const TextError& error) {
      throw InvalidInput(error.message(),
                         at != nullptr ? build_.file.at(*at, offset + error.offset()) : whole);
    }
    if (unset.empty()) return out;
    std::vector<std::string> names;
    for (const auto& [name, value] : globals_) names.push_back(name);
    const auto near = closest_match(unset, names);
    out.hint = near ? concat("$", unset, " has no value here; did you mean $", *near, "?") : kGlobalArgHint;
    return out;
  }

  std::optional<Platform> written_platform(const Stage& stage) {
    if (stage.platform == nullptr || stage.platform->value.empty()) return std::nullopt;
    const SourceLocation where = build_.file.at(*stage.platform);
    const Expanded text = expand(stage.platform->value, where, nullptr, 0);
    try {
      if (text.text.empty())
        throw UsageError(
            concat("--platform=", stage.platform->value, " is empty once its variables have their values"));
      return Platform::parse(text.text);
    } catch (const UsageError& error) {
      InvalidInput out(error.message(), where);
      out.set_hint(!text.hint.empty() ? text.hint : text.text.empty() ? kGlobalArgHint : std::string());
      throw out;
    }
  }

  PlannedStage plan_stage(const Stage& stage) {
    PlannedStage out;
    out.platform = written_platform(stage);
    const Platform& platform = out.platform ? *out.platform : target_platform_;
    if (!stage.name.empty())
      if (const auto found = build_.contexts.find(stage.name, platform)) {
        out.base = source_of_context(build_.names, *found);
        out.replaced = true;
        use(stage, out.base);
        if (out.base.kind == Kind::Image) triggers_of(stage, out.base, platform, {});
        return out;
      }
    const Expanded name = expand(stage.base.text, {}, stage.from, stage.base.offset);
    if (name.text.empty()) {
      InvalidInput error(
          concat("the image name \"", stage.base.text, "\" is empty once its variables have their values"),
          build_.file.at(*stage.from, stage.base.offset));
      error.set_hint(!name.hint.empty() ? name.hint : kGlobalArgHint);
      throw error;
    }
    out.base = find_source(build_.names, build_.contexts, {build_.file, stage, nullptr, "FROM"}, name.text,
                           platform);
    use(stage, out.base);
    if (out.base.kind == Kind::Image) {
      for (const std::string& text : triggers_of(stage, out.base, platform, name.hint))
        add_trigger(stage, text, out);
    } else if (out.base.kind == Kind::Stage) {
      const Stage& base = build_.program.stages[static_cast<std::size_t>(out.base.stage)];
      for (const StageCommand& command : base.commands)
        if (const auto* onbuild = std::get_if<OnbuildCommand>(&command.what))
          add_trigger(stage, onbuild->instruction, out);
    }
    for (const StageCommand& command : stage.commands) add_uses(build_.file, stage, command.what);
    return out;
  }

  /// A scout knows no image, and so none of their triggers.
  std::vector<std::string> triggers_of(const Stage& stage, const StageSource& base, const Platform& platform,
                                       const std::string& hint) {
    if (scouted_) {
      scouted_->push_back({.ref = ImageRef::parse(base.image), .platform = platform});
      return {};
    }
    try {
      return build_.resolve(base.image, platform, stage, build_.file.at(*stage.from, stage.base.offset))
          .config.config.on_build;
    } catch (InvalidInput& error) {
      if (!hint.empty() && error.hint().empty()) error.set_hint(hint);
      throw;
    }
  }

  void add_trigger(const Stage& stage, const std::string& text, PlannedStage& out) {
    try {
      budget_.spend(text.size() + sizeof(Trigger));
      const Trigger& trigger = build_.triggers.read(text);
      add_uses(trigger.file, stage, trigger.command().what);
      out.triggers.push_back(&trigger);
    } catch (const InvalidInput& error) {
      rethrow_for_trigger(error, text, stage, build_.file);
    }
  }

  void add_uses(const Dockerfile& file, const Stage& stage, const Command& command) {
    if (const auto* copy = std::get_if<CopyCommand>(&command)) {
      if (copy->from != nullptr) take_from(stage, copy_source(build_, file, stage, *copy, target_platform_));
    } else if (const auto* run = std::get_if<RunCommand>(&command)) {
      for (const MountSpec& mount : run->mounts)
        take_from(stage, mount_source(build_, file, stage, mount, target_platform_));
    }
  }

  void take_from(const Stage& stage, const StageSource& source) {
    use(stage, source);
    if (scouted_ && source.kind == Kind::Image)
      scouted_->push_back({.ref = ImageRef::parse(source.image), .platform = target_platform_});
  }

  void use(const Stage& stage, const StageSource& source) {
    if (source.kind == Kind::Stage) uses_[static_cast<std::size_t>(stage.index)].push_back(source.stage);
  }

  /// In the file's order, but for stages that a context of the caller's refers to: they come before those
  /// that use them. Depth first with a stack of its own, as chains of stages may be long.
  std::vector<int> order_of(const StagePlan& plan) {
    enum class Mark { New, Open, Done };
    std::vector<Mark> marks(plan.stages.size(), Mark::New);
    std::vector<int> out, path;
    std::vector<std::size_t> next(plan.stages.size(), 0);
    for (std::size_t root = 0; root < plan.stages.size(); ++root) {
      if (!plan.stages[root] || marks[root] != Mark::New) continue;
      path.push_back(static_cast<int>(root));
      marks[root] = Mark::Open;
      while (!path.empty()) {
        const auto index = static_cast<std::size_t>(path.back());
        if (next[index] == uses_[index].size()) {
          marks[index] = Mark::Done;
          out.push_back(path.back());
          path.pop_back();
          continue;
        }
        const int used = uses_[index][next[index]++];
        Mark& mark = marks[static_cast<std::size_t>(used)];
        if (mark == Mark::Open) refuse_cycle(path, used);
        if (mark == Mark::New) {
          mark = Mark::Open;
          path.push_back(used);
        }
      }
    }
    return out;
  }

  [[noreturn]] void refuse_cycle(const std::vector<int>& path, int used) const {
    const auto shown = [this](int index) {
      const Stage& stage = build_.program.stages[static_cast<std::size_t>(index)];
      return stage.name.empty() ? concat("stage ", index) : stage.name;
    };
    std::size_t first = path.size();
    while (path[first - 1] != used) --first;
    std::string chain;
    for (std::size_t i = first - 1; i < path.size() && i < first + 20; ++i)
      chain += concat(shown(path[i]), " -> ");
    const Stage& stage = build_.program.stages[static_cast<std::size_t>(used)];
    throw InvalidInput(
        concat("with the build contexts that were given, stages need each other: ", chain, shown(used)),
        build_.file.at(*stage.from));
  }

  BuildState& build_;
  const Platform& target_platform_;
  const ArgMap& globals_;
  TextBudget& budget_;
  std::vector<std::vector<int>> uses_;               ///< by stage index
  std::optional<std::vector<WantedImage>> scouted_;  ///< set for a scout, who asks for nothing
};

}  // namespace

StagePlan plan_stages(BuildState& build, const Platform& target_platform, const ArgMap& globals, int target) {
  return StagePlanner(build, target_platform, globals, build.budget).plan(target);
}

std::vector<WantedImage> images_of_stages(BuildState& build, const Platform& target_platform,
                                          const ArgMap& globals, int target) {
  TextBudget budget;
  return StagePlanner(build, target_platform, globals, budget).scout(target);
}

StageSource copy_source(const BuildState& build, const Dockerfile& file, const Stage& stage,
                        const CopyCommand& copy, const Platform& target_platform) {
  if (copy.from == nullptr) return {};
  const std::string& name = copy.from->value;
  if (name.empty()) throw InvalidInput("--from needs a stage or an image", file.at(*copy.from));
  if (name.find('$') != std::string::npos) {
    InvalidInput error("variables do not work in COPY --from", file.at(*copy.from));
    error.set_hint(
        "give the image a stage of its own (FROM $IMAGE AS name, with the ARG before the first FROM) and "
        "copy "
        "from that");
    throw error;
  }
  return find_source(build.names, build.contexts, {file, stage, copy.from, "COPY --from"}, name,
                     target_platform);
}

StageSource mount_source(const BuildState& build, const Dockerfile& file, const Stage& stage,
                         const MountSpec& mount, const Platform& target_platform) {
  if (mount.type != MountType::Bind && mount.type != MountType::Cache) return {Kind::Scratch, 0, {}, {}};
  if (!mount.from || mount.from->empty())
    return {mount.type == MountType::Bind ? Kind::Context : Kind::Scratch, 0, {}, {}};
  return find_source(build.names, build.contexts, {file, stage, mount.flag, "RUN --mount=from"}, *mount.from,
                     target_platform);
}

}  // namespace slipway::dockerfile
