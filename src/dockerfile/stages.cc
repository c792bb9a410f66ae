#include "dockerfile/stages.h"

#include <algorithm>
#include <set>

#include "base/strings.h"

namespace slipway::dockerfile {
namespace {

std::optional<int> stage_number(std::string_view text) {
  const std::optional<std::uint64_t> number = parse_unsigned(text);
  if (!number) return std::nullopt;
  return static_cast<int>(std::min<std::uint64_t>(*number, 1'000'000'000));
}

std::string expand_global(const Dockerfile& file, const ArgMap& globals, std::string_view text,
                          const SourceLocation& whole, const Instruction* at, std::size_t offset, TextBudget& budget) {
  const Lookup lookup = [&globals](std::string_view name) -> std::optional<std::string_view> {
    const auto known = globals.find(name);
    if (known == globals.end()) return std::nullopt;
    return known->second;
  };
  try {
    return expand_word(text, lookup, file.escape, budget);
  } catch (const TextError& error) {
    throw InvalidInput(error.message(), at != nullptr ? file.at(*at, offset + error.offset()) : whole);
  }
}

constexpr const char* kGlobalArgHint = "FROM sees only ARGs that stand before the first FROM, and --build-arg values for them";

Platform stage_platform(const Dockerfile& file, const Flag& flag, const ArgMap& globals, TextBudget& budget) {
  const std::string text = expand_global(file, globals, flag.value, file.at(flag), nullptr, 0, budget);
  if (text.empty()) {
    InvalidInput error(concat("--platform=", flag.value, " is empty once its variables have their values"), file.at(flag));
    error.set_hint(kGlobalArgHint);
    throw error;
  }
  try {
    return Platform::parse(text);
  } catch (const UsageError& error) {
    throw InvalidInput(error.message(), file.at(flag));
  }
}

}  // namespace

StageNames::StageNames(const Program& program) {
  for (const Stage& stage : program.stages) {
    if (stage.name.empty()) continue;
    std::vector<int>& indices = by_name_[stage.name];
    if (indices.empty()) names_.push_back(stage.name);
    indices.push_back(stage.index);
  }
}

std::optional<int> StageNames::find_before(std::string_view name, int index) const {
  const auto known = by_name_.find(to_lower(name));
  if (known == by_name_.end()) return std::nullopt;
  const auto after = std::lower_bound(known->second.begin(), known->second.end(), index);
  if (after == known->second.begin()) return std::nullopt;
  return *std::prev(after);
}

std::optional<int> StageNames::find_from(std::string_view name, int index) const {
  const auto known = by_name_.find(to_lower(name));
  if (known == by_name_.end()) return std::nullopt;
  const auto first = std::lower_bound(known->second.begin(), known->second.end(), index);
  if (first == known->second.end()) return std::nullopt;
  return *first;
}

int find_target(const Program& program, const StageNames& names, std::string_view target) {
  const int count = static_cast<int>(program.stages.size());
  if (target.empty()) return count - 1;
  if (const auto found = names.find_before(target, count)) return *found;
  if (const auto number = stage_number(target); number && *number < count) return *number;
  std::string known = join(names.names(), ", ");
  if (known.size() > 1000) known = concat(known.substr(0, 1000), "…");
  InvalidInput error(concat("there is no stage \"", target, "\" to build; ",
                            known.empty() ? std::string("no stage has a name") : concat("the stages are: ", known)));
  if (const auto near = closest_match(target, names.names())) error.set_hint(concat("did you mean ", *near, "?"));
  throw error;
}

StageSource base_source(const Dockerfile& file, const Stage& stage, const StageNames& names, const std::string& name) {
  using Kind = StageSource::Kind;
  const Instruction& at = *stage.from;
  if (name.empty()) {
    InvalidInput error(concat("the image name \"", stage.base.text, "\" is empty once its variables have their values"),
                       file.at(at, stage.base.offset));
    error.set_hint(kGlobalArgHint);
    throw error;
  }
  if (name == "scratch") return {Kind::Scratch, 0, {}};
  if (const auto found = names.find_before(name, stage.index)) return {Kind::Stage, *found, {}};
  if (const auto number = stage_number(name)) {
    if (*number < stage.index) return {Kind::Stage, *number, {}};
    throw InvalidInput(concat("there is no stage ", name, " before this one (it is stage ", stage.index, ")"),
                       file.at(at, stage.base.offset));
  }
  return {Kind::Image, 0, name};
}

StageSource copy_source(const Dockerfile& file, const Stage& stage, const StageNames& names, const CopyCommand& copy,
                        std::size_t stage_count) {
  using Kind = StageSource::Kind;
  if (copy.from == nullptr) return {};
  const Flag& flag = *copy.from;
  const std::string& name = flag.value;
  if (name.empty()) throw InvalidInput("--from needs a stage or an image", file.at(flag));
  if (name.find('$') != std::string::npos) {
    InvalidInput error("variables do not work in COPY --from", file.at(flag));
    error.set_hint("give the image a stage of its own (FROM $IMAGE AS name, with the ARG before the first FROM) and copy "
                   "from that");
    throw error;
  }
  if (name == "scratch") return {Kind::Scratch, 0, {}};
  if (const auto found = names.find_before(name, stage.index)) return {Kind::Stage, *found, {}};
  std::optional<int> later = names.find_from(name, stage.index);
  if (!later) {
    const auto number = stage_number(name);
    if (!number) return {Kind::Image, 0, name};
    if (*number < stage.index) return {Kind::Stage, *number, {}};
    if (static_cast<std::size_t>(*number) >= stage_count)
      throw InvalidInput(concat("there is no stage ", name, "; the last one is ", stage_count - 1), file.at(flag));
    later = number;
  }
  if (*later == stage.index)
    throw InvalidInput(concat("COPY --from=", name, " names its own stage: a stage cannot depend on itself"),
                       file.at(flag));
  throw InvalidInput(concat("COPY --from=", name, " names a stage that comes later; move that stage before this one"),
                     file.at(flag));
}

std::vector<std::optional<PlannedStage>> plan_stages(const Dockerfile& file, const Program& program,
                                                     const StageNames& names, const ArgMap& globals, int target,
                                                     TextBudget& budget, bool all) {
  std::vector<std::optional<PlannedStage>> out(program.stages.size());
  std::vector<char> needed(program.stages.size(), all ? 1 : 0);
  needed[static_cast<std::size_t>(target)] = 1;
  // References go backwards only, so one walk from the target to the first stage finds everything.
  for (std::size_t i = static_cast<std::size_t>(target) + 1; i-- > 0;) {
    if (!needed[i]) continue;
    const Stage& stage = program.stages[i];
    PlannedStage planned;
    const std::string name = expand_global(file, globals, stage.base.text, {}, stage.from, stage.base.offset, budget);
    planned.base = base_source(file, stage, names, name);
    if (stage.platform != nullptr) planned.platform = stage_platform(file, *stage.platform, globals, budget);
    if (planned.base.kind == StageSource::Kind::Stage) needed[static_cast<std::size_t>(planned.base.stage)] = 1;
    for (const StageCommand& command : stage.commands) {
      const auto* copy = std::get_if<CopyCommand>(&command.what);
      if (copy == nullptr) continue;
      const StageSource source = copy_source(file, stage, names, *copy, program.stages.size());
      if (source.kind == StageSource::Kind::Stage) needed[static_cast<std::size_t>(source.stage)] = 1;
    }
    out[i] = std::move(planned);
  }
  return out;
}

}  // namespace slipway::dockerfile
