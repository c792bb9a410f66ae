#include "dockerfile/stage_lowering.h"

#include "base/check.h"
#include "base/strings.h"

namespace slipway::dockerfile {
namespace {

constexpr const char* kHistoryComment = "slipway.dockerfile";

/// Commands that are counted in "2/3".
bool makes_step(const Command& command) {
  return std::holds_alternative<RunCommand>(command) || std::holds_alternative<CopyCommand>(command) ||
         std::holds_alternative<WorkdirCommand>(command);
}

std::string one_line(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  return text;
}

const PlannedStage& planned(const LaneState& lane, const Stage& stage) {
  const std::optional<PlannedStage>& plan = lane.plan.stages[static_cast<std::size_t>(stage.index)];
  SLIPWAY_CHECK(plan.has_value(), "only planned stages are lowered");
  return *plan;
}

/// True if nothing in `text` is other than itself when expanded.
bool is_plain(std::string_view text, char escape) {
  constexpr std::size_t kShort = 4096;
  if (text.size() > kShort) return false;
  for (char c : text)
    if (c == '$' || c == '\'' || c == '"' || c == escape) return false;
  return true;
}

}  // namespace

StageLowering::StageLowering(LaneState& lane, const Stage& stage)
    : lane_(lane), build_(lane.build), stage_(stage), plan_(planned(lane, stage)), state_(begin()) {}

void StageLowering::fail(std::size_t offset, std::string message) const {
  throw InvalidInput(std::move(message), source().at(*at_, offset));
}

void StageLowering::fail(const Flag& flag, std::string message) const {
  throw InvalidInput(std::move(message), source().at(flag));
}

SourceLocation StageLowering::source_place(const Flag* flag) const {
  return flag != nullptr ? source().at(*flag) : build_.file.at(*stage_.from, stage_.base.offset);
}

Lookup StageLowering::lookup() const {
  return [this](std::string_view name) { return state_.find(name); };
}

Lookup StageLowering::checked_lookup(
    std::function<void(std::string_view name, const std::vector<std::string>& known)> undefined) const {
  return [this, undefined = std::move(undefined)](std::string_view name) {
    const std::optional<std::string_view> value = state_.find(name);
    if (!value && state_.env_known && !build_.lint.full() && !state_.args.declares(name)) {
      std::vector<std::string> known = state_.env.names();
      for (const StageArg& arg : state_.args.entries())
        if (arg.value) known.push_back(arg.name);
      undefined(name, known);
    }
    return value;
  };
}

std::string StageLowering::expand(const Word& word) {
  if (is_plain(word.text, build_.file.escape)) return word.text;
  const Lookup values = checked_lookup([&](std::string_view name, const std::vector<std::string>& known) {
    lint().undefined(name, word.offset, known);
  });
  return placed(word.offset,
                [&] { return expand_word(word.text, values, build_.file.escape, build_.budget); });
}

std::string StageLowering::expand(const Flag& flag, const std::string& value) {
  if (is_plain(value, build_.file.escape)) return value;
  const Lookup values = checked_lookup([&](std::string_view name, const std::vector<std::string>& known) {
    lint().undefined(name, flag, known);
  });
  try {
    return expand_word(value, values, build_.file.escape, build_.budget);
  } catch (const TextError& error) {
    fail(flag, concat("--", flag.name, ": ", error.message()));
  }
}

bool StageLowering::shows_platform(const Platform& platform) const {
  return build_.options.platforms.size() > 1 || platform != build_.build_platform;
}

/// "->arm64" where a stage that runs on one platform says that it makes something for another.
std::string StageLowering::cross_target(const Platform& platform) const {
  const auto whole = state_.find("TARGETPLATFORM");
  const auto os = state_.find("TARGETOS"), architecture = state_.find("TARGETARCH"),
             variant = state_.find("TARGETVARIANT");
  if (!whole && !os && !architecture && !variant) return {};
  if (!whole && os.value_or(platform.os()) == platform.os() && architecture == platform.architecture())
    return {};
  try {
    const Platform target =
        whole ? Platform::parse(*whole)
              : Platform::from_fields(
                    os && !os->empty() ? *os : platform.os(),
                    architecture && !architecture->empty() ? *architecture : platform.architecture(),
                    variant.value_or(""));
    if (target.os() != platform.os()) return concat("->", target.str());
    if (target.architecture() == platform.architecture()) return {};
    return concat("->", target.architecture(), target.variant().empty() ? "" : "/", target.variant());
  } catch (const UsageError&) {
    return {};  // an ARG that is no platform; nothing that a step's name need tell
  }
}

std::string StageLowering::next_prefix(const Platform& platform, bool from) {
  std::string out = "[";
  if (shows_platform(platform))
    out += concat(platform.str(), from ? std::string() : cross_target(platform), " ");
  if (build_.program.stages.size() > 1)
    out += stage_.name.empty() ? concat("stage-", stage_.index, " ") : concat(stage_.name, " ");
  const std::string total = std::to_string(steps_);
  const std::string number = std::to_string(++step_);
  if (number.size() < total.size()) out.append(total.size() - number.size(), ' ');
  out += concat(number, "/", total, "] ");
  if (trigger_ != nullptr) out += "ONBUILD ";
  return out;
}

std::string StageLowering::shown_instruction(const Lookup& lookup, Quotes quotes) {
  std::string text = concat(at_->keyword, " ", written_flags(*at_), at_->text);
  const char escape = build_.file.escape;
  if (is_plain(text, escape) ||
      (quotes == Quotes::Keep && text.find_first_of({'$', escape}) == std::string::npos))
    return text;
  try {
    return expand_text(text, lookup, escape, build_.budget, {quotes, quotes == Quotes::Keep});
  } catch (const TextError&) {
    return text;  // a shell may understand what we do not
  }
}

Digest StageLowering::add(Op op, std::string name) {
  VertexInfo info{one_line(std::move(name)), build_.file.at(shown_at()), ignore_cache_};
  return build_.graph.add(std::move(op), std::move(info), lane_.target);
}

Digest StageLowering::add_internal(Op op, std::string name) {
  return build_.graph.add(std::move(op), {std::move(name), build_.file.at(shown_at()), false}, lane_.target);
}

void StageLowering::remember(std::string created_by, bool layer) {
  placed(0, [&] { build_.budget.spend(created_by.size()); });
  History entry;
  entry.created_by = std::move(created_by);
  entry.comment = kHistoryComment;
  entry.empty_layer = !layer;
  state_.config.history.push_back(std::move(entry));
}

std::string StageLowering::working_dir() const {
  return state_.config.config.working_dir.empty() ? "/" : state_.config.config.working_dir;
}

StageState StageLowering::run() {
  if (plan_.replaced) return std::move(state_);
  if (!state_.env.find("PATH")) state_.env.set("PATH", kDefaultPath);
  for (const Trigger* trigger : plan_.triggers) {
    trigger_ = trigger;
    at_ = trigger->command().at;
    trigger_lint_.at(*at_);
    try {
      std::visit(*this, trigger->command().what);
    } catch (const InvalidInput& error) {
      rethrow_for_trigger(error, trigger->text, stage_, build_.file);
    }
  }
  trigger_ = nullptr;
  state_.config.history.reserve(state_.config.history.size() + stage_.commands.size());
  for (const StageCommand& command : stage_.commands) {
    at_ = command.at;
    stage_lint_.at(*at_);
    std::visit(*this, command.what);
  }
  return std::move(state_);
}

StageState StageLowering::begin() {
  at_ = stage_.from;
  build_.lowered_stages.insert(stage_.index);
  const auto& no_cache = build_.options.no_cache_stages;
  ignore_cache_ = build_.options.no_cache;
  for (const std::string& name : no_cache)
    ignore_cache_ |= !stage_.name.empty() && to_lower(name) == stage_.name;
  for (const Trigger* trigger : plan_.triggers) steps_ += makes_step(trigger->command().what) ? 1 : 0;
  for (const StageCommand& command : stage_.commands) steps_ += makes_step(command.what) ? 1 : 0;
  switch (plan_.base.kind) {
    case StageSource::Kind::Image:
      return begin_from_image();
    case StageSource::Kind::Stage:
      return begin_from_stage();
    case StageSource::Kind::Local:
      return begin_from_directory();
    default:
      return empty_state();
  }
}

Owner parse_owner(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return {std::string(text), {}};
  return {std::string(text.substr(0, colon)), std::string(text.substr(colon + 1))};
}

std::string written_flags(const Instruction& instruction) {
  std::string out;
  for (const Flag& flag : instruction.flags)
    out += concat("--", flag.name, flag.has_value ? "=" : "", flag.value, " ");
  return out;
}

}  // namespace slipway::dockerfile
