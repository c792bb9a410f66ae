#include "dockerfile/stages.h"

#include <algorithm>

#include "base/strings.h"

namespace slipway::dockerfile {
namespace {

using Kind = StageSource::Kind;

std::optional<int> stage_number(std::string_view text) {
  const std::optional<std::uint64_t> number = parse_unsigned(text);
  if (!number) return std::nullopt;
  return static_cast<int>(std::min<std::uint64_t>(*number, 1'000'000'000));
}

std::string list_of(const std::vector<std::string>& names) {
  std::string out = join(names, ", ");
  if (out.size() > 1000) out = concat(out.substr(0, 1000), "…");
  return out.empty() ? "no stage has a name" : concat("the stages are: ", out);
}

/// The stage that a target or a context of the caller's means.
std::optional<int> any_stage(const StageNames& names, std::string_view name) {
  if (const auto found = names.find_before(name, names.count())) return found;
  const auto number = stage_number(name);
  return number && *number < names.count() ? number : std::nullopt;
}

SourceLocation place_of(const Reference& reference) {
  return reference.flag != nullptr ? reference.file.at(*reference.flag)
                                   : reference.file.at(*reference.stage.from, reference.stage.base.offset);
}

[[noreturn]] void refuse_later(const Reference& reference, const std::string& name, int stage) {
  if (stage == reference.stage.index)
    throw InvalidInput(
        concat(reference.what, "=", name, " names its own stage: a stage cannot depend on itself"),
        place_of(reference));
  throw InvalidInput(
      concat(reference.what, "=", name, " names a stage that comes later; move that stage before this one"),
      place_of(reference));
}

}  // namespace

StageNames::StageNames(const Program& program) : count_(static_cast<int>(program.stages.size())) {
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

int find_target(const StageNames& names, std::string_view target) {
  if (target.empty()) return names.count() - 1;
  if (const auto found = any_stage(names, target)) return *found;
  InvalidInput error(concat("there is no stage \"", target, "\" to build; ", list_of(names.names())));
  if (const auto near = closest_match(target, names.names()))
    error.set_hint(concat("did you mean ", *near, "?"));
  throw error;
}

StageSource source_of_context(const StageNames& names, const NamedContexts::Found& found) {
  const NamedContext& context = *found.context;
  if (context.kind == NamedContext::Kind::Local) return {Kind::Local, 0, {}, found};
  if (context.kind == NamedContext::Kind::Image)
    return {context.value == "scratch" ? Kind::Scratch : Kind::Image, 0, context.value, found};
  if (const auto stage = any_stage(names, context.value)) return {Kind::Stage, *stage, {}, found};
  InvalidInput error(concat("the build context ", *found.name, " is to be the stage \"", context.value,
                            "\", which there is not; ", list_of(names.names())));
  if (const auto near = closest_match(context.value, names.names()))
    error.set_hint(concat("did you mean ", *near, "?"));
  throw error;
}

StageSource find_source(const StageNames& names, const NamedContexts& contexts, const Reference& reference,
                        const std::string& name, const Platform& platform) {
  const int index = reference.stage.index;
  if (name == "scratch") return {Kind::Scratch, 0, {}, {}};
  if (const auto found = contexts.find(name, platform)) return source_of_context(names, *found);
  if (const auto found = names.find_before(name, index)) return {Kind::Stage, *found, {}, {}};
  if (const auto number = stage_number(name)) {
    if (*number < index) return {Kind::Stage, *number, {}, {}};
    if (reference.flag == nullptr)
      throw InvalidInput(concat("there is no stage ", name, " before this one (it is stage ", index, ")"),
                         place_of(reference));
    if (*number >= names.count())
      throw InvalidInput(concat("there is no stage ", name, "; the last one is ", names.count() - 1),
                         place_of(reference));
    refuse_later(reference, name, *number);
  }
  // FROM may name an image that a later stage is named after; COPY that does so has mixed up the order.
  if (reference.flag != nullptr)
    if (const auto later = names.find_from(name, index)) refuse_later(reference, name, *later);
  return {Kind::Image, 0, name, {}};
}

}  // namespace slipway::dockerfile
