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

bool has_layers(const ImageConfig& config) {
  if (!config.diff_ids.empty()) return true;
  for (const History& entry : config.history)
    if (!entry.empty_layer) return true;
  return false;
}

std::string one_line(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  return text;
}

}  // namespace

void BuildState::warn(const Instruction& at, std::string_view message) {
  std::string line = concat(file.filename, ":", at.first_line, ": ", message);
  // Once a build, not once a lane.
  if (warned.insert(line).second) warnings.push_back(std::move(line));
}

void StageLowering::fail(std::size_t offset, std::string message) const {
  throw InvalidInput(std::move(message), build_.file.at(*at_, offset));
}

Lookup StageLowering::lookup() const {
  return [this](std::string_view name) -> std::optional<std::string_view> {
    if (const auto value = state_.env.find(name)) return value;
    return state_.args.find(name);
  };
}

Lookup StageLowering::checked_lookup(
    std::function<void(std::string_view name, const std::vector<std::string>& known)> undefined) const {
  return [this, look_up = lookup(), undefined = std::move(undefined)](std::string_view name) {
    const std::optional<std::string_view> value = look_up(name);
    if (!value && state_.env_known && !state_.args.declares(name)) {
      std::vector<std::string> known = state_.env.names();
      for (const StageArg& arg : state_.args.entries())
        if (arg.value) known.push_back(arg.name);
      undefined(name, known);
    }
    return value;
  };
}

std::string StageLowering::expand(const Word& word) {
  const Lookup values = checked_lookup([&](std::string_view name, const std::vector<std::string>& known) {
    lint_.undefined(name, word.offset, known);
  });
  return placed(word.offset, [&] { return expand_word(word.text, values, build_.file.escape, build_.budget); });
}

std::string StageLowering::expand(const Flag& flag, const std::string& value) {
  const Lookup values = checked_lookup(
      [&](std::string_view name, const std::vector<std::string>& known) { lint_.undefined(name, flag, known); });
  try {
    return expand_word(value, values, build_.file.escape, build_.budget);
  } catch (const TextError& error) {
    throw InvalidInput(concat("--", flag.name, ": ", error.message()), build_.file.at(flag));
  }
}

std::string StageLowering::next_prefix(const Platform& platform) {
  std::string out = "[";
  if (build_.options.platforms.size() > 1 || platform != build_.build_platform) out += concat(platform.str(), " ");
  if (!stage_.name.empty()) {
    out += concat(stage_.name, " ");
  } else if (build_.program.stages.size() > 1) {
    out += concat("stage-", stage_.index, " ");
  }
  const std::string total = std::to_string(steps_);
  std::string number = std::to_string(++step_);
  while (number.size() < total.size()) number.insert(number.begin(), ' ');
  return concat(out, number, "/", total, "] ");
}

Digest StageLowering::add(Op op, std::string name) {
  VertexInfo info{one_line(std::move(name)), build_.file.at(*at_), build_.options.no_cache};
  return build_.graph.add(std::move(op), std::move(info), lane_.target);
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

void StageLowering::refuse_image(const std::string& name, std::string message, const SourceLocation& where) {
  InvalidInput error(std::move(message), where);
  if (const auto later = build_.names.find_from(name, stage_.index)) {
    const Stage& stage = build_.program.stages[static_cast<std::size_t>(*later)];
    error.set_hint(concat("the stage \"", stage.name, "\" is defined later, on line ", stage.from->first_line,
                          "; stages can use only those before them"));
  } else if (const auto near = closest_match(name, build_.names.names())) {
    error.set_hint(concat("did you mean the stage \"", *near, "\"?"));
  }
  throw error;
}

BaseImage StageLowering::ask_for(const ImageRef& ref, const std::string& name, const Platform& platform) {
  try {
    return build_.resolver.resolve(ref, platform, build_.stop);
  } catch (const Error& error) {
    // A name that is near a stage's is a mistake, whatever is optional.
    if (!build_.options.images_optional || closest_match(name, build_.names.names())) throw;
    build_.lint.note(concat("the image ", name, " cannot be read, so variables of its environment are not known and none is "
                            "told as undefined: ", error.what()));
    ImageConfig nothing{.platform = platform, .created = {}, .author = {}, .config = {}, .diff_ids = {}, .history = {}};
    return {.pinned = ref, .config = std::move(nothing), .known = false};
  }
}

const BaseImage& StageLowering::resolve(const std::string& name, const Platform& platform,
                                        const SourceLocation& where) {
  if (build_.stop.stop_requested()) throw Cancelled();
  try {
    const ImageRef ref = ImageRef::parse(name);
    const std::pair<std::string, Platform> key{ref.str(), platform};
    auto known = build_.images.find(key);
    if (known == build_.images.end())
      known = build_.images.emplace(key, ask_for(ref, name, platform)).first;
    return known->second;
  } catch (const InvalidInput& error) {
    refuse_image(name, error.what(), where);
  } catch (const NotFound& error) {
    refuse_image(name, error.what(), where);
  } catch (Error& error) {
    // A mistyped stage is the Dockerfile's fault, whatever a registry (or the way to it) says of such an image.
    if (closest_match(name, build_.names.names()))
      refuse_image(name, concat("\"", name, "\" is no stage, nor an image that can be had: ", error.what()), where);
    error.add_context(concat(where.file, ":", where.line, ": resolving ", name, " for ", platform.str()));
    throw;
  }
}

std::optional<Digest> StageLowering::image_vertex(const BaseImage& image, const Platform& platform, VertexInfo info) {
  if (!has_layers(image.config)) return std::nullopt;
  Op op;
  op.what = SourceOp{concat("docker-image://", image.pinned.str()), {}};
  op.platform = platform;
  return build_.graph.add(std::move(op), std::move(info), lane_.target);
}

StageState StageLowering::begin_from_image(const PlannedStage& plan) {
  const Platform platform = plan.platform.value_or(lane_.target);
  const SourceLocation where = build_.file.at(*stage_.from, stage_.base.offset);
  const BaseImage& image = resolve(plan.base.image, platform, where);
  lint_.base_platform(stage_, plan.base.image, platform, image.config.platform);
  if (!image.config.config.on_build.empty())
    throw InvalidInput(concat("the image ", plan.base.image, " has ONBUILD instructions, which are not supported yet by ",
                              "this slipway"), where);
  placed(0, [&] { build_.budget.spend(image.config.history.size() * 64 + image.config.config.env.size() * 64); });
  StageState out{platform, std::nullopt, image.config, image.config.diff_ids.size(), image.config.history.size(),
                 EnvList(image.config.config.env), {}};
  out.config.config.env.clear();
  out.config.created.clear();
  out.env_known = image.known;
  out.config.platform = platform;
  out.result = image_vertex(image, platform,
                            {concat(next_prefix(platform), "FROM ", image.pinned.str()), build_.file.at(*at_), false});
  return out;
}

StageState StageLowering::begin() {
  at_ = stage_.from;
  build_.lowered_stages.insert(stage_.index);
  const std::optional<PlannedStage>& plan = lane_.plan[static_cast<std::size_t>(stage_.index)];
  SLIPWAY_CHECK(plan.has_value(), "only planned stages are lowered");
  for (const StageCommand& command : stage_.commands) steps_ += makes_step(command.what) ? 1 : 0;
  if (plan->base.kind == StageSource::Kind::Image) {
    ++steps_;
    return begin_from_image(*plan);
  }
  if (plan->base.kind == StageSource::Kind::Scratch) {
    const Platform platform = plan->platform.value_or(lane_.target);
    ImageConfig config{.platform = platform, .created = {}, .author = {}, .config = {}, .diff_ids = {}, .history = {}};
    StageState out{platform, std::nullopt, std::move(config), 0, 0, {}, {}};
    out.config.config.working_dir = "/";
    return out;
  }
  const std::optional<StageState>& base = lane_.done[static_cast<std::size_t>(plan->base.stage)];
  SLIPWAY_CHECK(base.has_value(), "stages are lowered in the file's order");
  if (plan->platform && *plan->platform != base->platform)
    build_.warn(*stage_.from, concat("--platform is ignored: the stage that this one is built on is for ",
                                     base->platform.str()));
  // A copy; charged, so that long chains of stages cannot make it quadratic.
  placed(0, [&] { build_.budget.spend(base->config.history.size() * 64 + base->env.bytes() + base->args.bytes()); });
  return *base;
}

StageState StageLowering::run() {
  if (!state_.env.find("PATH")) state_.env.set("PATH", kDefaultPath);
  for (const StageCommand& command : stage_.commands) {
    at_ = command.at;
    lint_.at(*at_);
    std::visit(*this, command.what);
  }
  return std::move(state_);
}

Owner parse_owner(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return {std::string(text), {}};
  return {std::string(text.substr(0, colon)), std::string(text.substr(colon + 1))};
}

std::string quoted_list(const std::vector<std::string>& list) {
  std::string out = "[";
  for (std::size_t i = 0; i < list.size(); ++i) {
    out += i == 0 ? "\"" : " \"";
    for (char c : list[i]) {
      if (c == '\n') {
        out += "\\n";
      } else if (c == '\t') {
        out += "\\t";
      } else {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
      }
    }
    out += '"';
  }
  return out + "]";
}

}  // namespace slipway::dockerfile
