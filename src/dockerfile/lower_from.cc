// What a stage starts with, and the trees that COPY and mounts read.
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/strings.h"
#include "dockerfile/paths.h"
#include "dockerfile/stage_lowering.h"

namespace slipway::dockerfile {
namespace {

bool has_layers(const ImageConfig& config) {
  if (!config.diff_ids.empty()) return true;
  for (const History& entry : config.history)
    if (!entry.empty_layer) return true;
  return false;
}

}  // namespace

std::string pattern_list(const std::vector<std::string>& patterns) {
  // File names are bytes; what is no UTF-8 cannot be written as JSON and is kept out with a replacement
  // character.
  return nlohmann::json(patterns).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::optional<Digest> StageLowering::image_vertex(const BaseImage& image, const Platform& platform,
                                                  VertexInfo info) {
  if (!has_layers(image.config)) return std::nullopt;
  Op op;
  op.what = SourceOp{concat("docker-image://", image.pinned.str()), {}};
  op.platform = platform;
  return build_.graph.add(std::move(op), std::move(info), lane_.target);
}

Digest StageLowering::local_vertex(const std::string& name, const std::vector<std::string>& ignore_patterns,
                                   std::string shown) {
  Op op;
  SourceOp source{concat("local://", name), {}};
  if (!ignore_patterns.empty()) source.attrs[kAttrExcludePatterns] = pattern_list(ignore_patterns);
  op.what = std::move(source);
  return build_.graph.add(std::move(op), {std::move(shown), std::nullopt, false}, lane_.target);
}

StageLowering::Tree StageLowering::tree_of(const StageSource& source, const Flag* flag) {
  switch (source.kind) {
    case StageSource::Kind::Context:
      if (!lane_.context)
        lane_.context =
            local_vertex("context", build_.options.ignore_patterns, "[internal] load build context");
      return {lane_.context, true};
    case StageSource::Kind::Local: {
      // Once: its ignore patterns may be many.
      auto known = lane_.locals.find(source.named.context->value);
      if (known == lane_.locals.end())
        known = lane_.locals
                    .emplace(source.named.context->value,
                             local_vertex(source.named.context->value, source.named.context->ignore_patterns,
                                          concat("[context ", *source.named.name, "] load from client")))
                    .first;
      return {known->second, true};
    }
    case StageSource::Kind::Scratch:
      return {};
    case StageSource::Kind::Stage: {
      const std::optional<StageState>& stage = lane_.done[static_cast<std::size_t>(source.stage)];
      SLIPWAY_CHECK(stage.has_value(), "the plan has what a stage uses before it");
      return {stage->result, false};
    }
    case StageSource::Kind::Image:
      break;
  }
  // An image that is only read from is the target's, whatever the stage runs on: its files are for the
  // result.
  const BaseImage& image = build_.resolve(source.image, lane_.target, stage_, source_place(flag));
  const std::string platform = shows_platform(lane_.target) ? concat(lane_.target.str(), " ") : std::string();
  std::string name = source.named.name != nullptr
                         ? concat("[context ", *source.named.name, "] ", source.image)
                         : concat("[", platform, "internal] FROM ", image.pinned.str());
  return {image_vertex(image, lane_.target, {std::move(name), build_.file.at(shown_at()), false}), false};
}

StageState tree_only(const StageState& state) {
  ImageConfig nothing{
      .platform = state.platform, .created = {}, .author = {}, .config = {}, .diff_ids = {}, .history = {}};
  return {state.platform, state.result, std::move(nothing), 0, 0, {}, {}};
}

StageState StageLowering::empty_state() const {
  const Platform platform = plan_.platform.value_or(lane_.target);
  ImageConfig config{
      .platform = platform, .created = {}, .author = {}, .config = {}, .diff_ids = {}, .history = {}};
  config.config.working_dir = "/";
  return {platform, std::nullopt, std::move(config), 0, 0, {}, {}};
}

StageState StageLowering::begin_from_image() {
  ++steps_;
  const Platform platform = plan_.platform.value_or(lane_.target);
  const BaseImage& image = build_.resolve(plan_.base.image, platform, stage_, source_place(nullptr));
  stage_lint_.base_platform(stage_, plan_.base.image, platform, image.config.platform);
  StageState out{platform,
                 std::nullopt,
                 image.config,
                 image.config.diff_ids.size(),
                 image.config.history.size(),
                 EnvList(image.config.config.env),
                 {}};
  placed(0, [&] { build_.budget.spend(out.weight()); });
  RuntimeConfig& config = out.config.config;
  config.env.clear();
  config.on_build.clear();  // they were for this stage and are done with it
  if (!config.working_dir.empty()) config.working_dir = workdir_path("/", config.working_dir);
  out.config.created.clear();
  out.env_known = image.known;
  out.config.platform = platform;
  std::string name = next_prefix(platform, true);
  name += plan_.base.named.name != nullptr
              ? concat("FROM ", *plan_.base.named.name, " = ", image.pinned.str())
              : concat("FROM ", image.pinned.str());
  out.result = image_vertex(image, platform, {std::move(name), build_.file.at(*at_), false});
  return out;
}

StageState StageLowering::begin_from_stage() {
  std::optional<StageState>& base = lane_.done[static_cast<std::size_t>(plan_.base.stage)];
  SLIPWAY_CHECK(base.has_value(), "the plan has what a stage uses before it");
  if (plan_.platform && *plan_.platform != base->platform)
    build_.warn(*stage_.from, concat("--platform is ignored: the stage that this one is built on is for ",
                                     base->platform.str()));
  // The last stage on it takes it over: a chain of stages keeps one state, however long it is. Copies count,
  // so that many stages on one cannot ask for any amount of memory.
  const bool last = --lane_.plan.wanted_whole[static_cast<std::size_t>(plan_.base.stage)] == 0;
  if (!last) placed(0, [&] { build_.budget.spend(base->weight()); });
  StageState out = last ? std::move(*base) : *base;
  if (last) base = tree_only(out);
  out.config.config.on_build.clear();
  // A context of the caller's stands for an image; ARGs are no part of one.
  if (plan_.base.named.name != nullptr) out.args = {};
  out.args.hide_all_in(out.env);
  return out;
}

StageState StageLowering::begin_from_directory() {
  ++steps_;
  StageState out = empty_state();
  FileOpBuilder builder(std::nullopt);
  CopyAction copy;
  copy.from = builder.input(tree_of(plan_.base, nullptr).vertex);
  copy.src = copy.dest = "/";
  copy.owner = Owner{"0", "0"};
  copy.allow_wildcard = false;
  builder.add(std::move(copy));
  out.result =
      add(std::move(builder).op(), concat(next_prefix(out.platform, true), "FROM ", *plan_.base.named.name));
  // Its layer has a line of history, as every layer must.
  History entry;
  entry.created_by = concat("FROM ", *plan_.base.named.name);
  out.config.history.push_back(std::move(entry));
  return out;
}

}  // namespace slipway::dockerfile
