// A step's miss is told against one reference per platform, so that a chain of steps points at one first
// cause. Which build is the reference: one of the same Dockerfile if there is any, with the most steps in
// common, the newest of equals.
#include "history/explain.h"

#include <algorithm>
#include <ranges>
#include <set>
#include <tuple>
#include <unordered_map>

#include "base/strings.h"
#include "history/step_match.h"

namespace slipway {

namespace {

using Kind = Cause::Kind;

const KeyPart* find_part(const std::vector<KeyPart>& parts, const std::string& name) {
  const auto found = std::ranges::find(parts, name, &KeyPart::name);
  return found == parts.end() ? nullptr : &*found;
}

std::string names_of(const std::vector<KeyPart>& parts) {
  std::vector<std::string> names;
  for (const KeyPart& part : parts) names.push_back(part.name);
  return join(names, ", ");
}

void compare_parts(const StepRecord& before, const StepRecord& after, std::vector<Cause>& causes) {
  const std::size_t told = causes.size();
  for (const KeyPart& part : after.parts) {
    const KeyPart* old = find_part(before.parts, part.name);
    if (old && old->value == part.value && old->hidden == part.hidden) continue;
    causes.push_back(
        {.kind = Kind::Field, .subject = part.name, .before = old ? old->value : "", .after = part.value});
  }
  for (const KeyPart& old : before.parts)
    if (!find_part(after.parts, old.name))
      causes.push_back({.kind = Kind::Field, .subject = old.name, .before = old.value, .after = ""});
  if (causes.size() > told || before.parts.size() != after.parts.size()) return;
  const auto [was, is] = std::ranges::mismatch(before.parts, after.parts, {}, &KeyPart::name, &KeyPart::name);
  if (is == after.parts.end()) return;
  const auto last =
      std::ranges::mismatch(before.parts | std::views::reverse, after.parts | std::views::reverse, {},
                            &KeyPart::name, &KeyPart::name);
  causes.push_back({.kind = Kind::Field,
                    .subject = "order of fields",
                    .before = names_of({was, last.in1.base()}),
                    .after = names_of({is, last.in2.base()})});
}

/// An older slipway kept the first 16 digits of a digest only.
bool is_same_file(const std::string& before, const std::string& after) {
  constexpr std::size_t kShort = 6 + 1 + 16;  // "100644 0123456789abcdef"
  if (before.size() == after.size()) return before == after;
  const std::string &less = before.size() < after.size() ? before : after,
                    &more = before.size() < after.size() ? after : before;
  return less.size() == kShort && more.starts_with(less);
}

void compare_files(const FileList& before, const FileList& after, std::vector<Cause>& causes) {
  for (const auto& [path, what] : after) {
    const auto old = before.find(path);
    if (old == before.end()) {
      causes.push_back({.kind = Kind::FileAdded, .subject = path, .before = "", .after = what});
    } else if (!is_same_file(old->second, what)) {
      causes.push_back({.kind = Kind::FileChanged, .subject = path, .before = old->second, .after = what});
    }
  }
  for (const auto& [path, what] : before)
    if (!after.contains(path))
      causes.push_back({.kind = Kind::FileRemoved, .subject = path, .before = what, .after = ""});
}

void compare_reads(const StepRecord& before, const StepRecord& after, const ManifestReader& manifests,
                   std::vector<Cause>& causes) {
  for (const ContextRead& read : after.reads) {
    const auto old = std::ranges::find_if(before.reads, [&](const ContextRead& other) {
      return other.context == read.context && other.source == read.source;
    });
    // What is read from elsewhere now is told by the parts.
    if (old == before.reads.end() || old->digest == read.digest) continue;
    const auto files_before = manifests(old->manifest), files_after = manifests(read.manifest);
    const std::size_t told = causes.size();
    if (files_before && files_after) compare_files(*files_before, *files_after, causes);
    if (causes.size() == told)
      causes.push_back({.kind = Kind::Field,
                        .subject = concat("content of ", read.source, " in the context"),
                        .before = old->digest,
                        .after = read.digest});
  }
}

/// The lists of files may be of directories that are called otherwise: that is in no key.
bool reads_alike(const ContextRead& a, const ContextRead& b) {
  return std::tie(a.context, a.source, a.digest) == std::tie(b.context, b.source, b.digest);
}

/// What the earlier builds say of single steps: where a key was seen, newest first.
struct SeenStep {
  const BuildRecord* build;
  const StepRecord* step;
};
using SeenKeys = std::unordered_map<std::string, std::vector<SeenStep>>;

/// How one build differs from the one that it is compared with.
class Comparison {
 public:
  Comparison(const BuildRecord& before, const BuildRecord& after, const ManifestReader& manifests)
      : before_(before), after_(after), manifests_(manifests), matched_(match_steps(before, after)) {}

  std::vector<Cause> causes_of(std::size_t index) {
    const StepRecord& step = after_.steps[index];
    if (!matched_[index]) return {{.kind = Kind::NewStep, .subject = {}, .before = {}, .after = {}}};
    const StepRecord& old = before_.steps[*matched_[index]];
    std::vector<Cause> causes = own_differences(old, step, manifests_);
    for (const Cause& moved : order_of(index)) causes.push_back(moved);
    std::set<std::size_t> firsts;
    for (const std::size_t input : step.inputs) firsts.merge(std::set(first_changes(input)));
    for (const std::size_t first : firsts) {
      causes.push_back(
          {.kind = Kind::Parent, .subject = after_.steps[first].name, .before = {}, .after = {}});
      add_differences_of_hit(first, causes);
    }
    if (causes.empty()) add_hidden(step, causes);
    if (causes.empty()) causes.push_back({});
    return causes;
  }

 private:
  /// Inputs that are there as before, but were other ones.
  std::vector<Cause> order_of(std::size_t index) const {
    std::vector<Cause> causes;
    const StepRecord& step = after_.steps[index];
    const StepRecord& old = before_.steps[*matched_[index]];
    if (step.inputs.empty() && !old.inputs.empty())
      causes.push_back(
          {.kind = Kind::Order, .subject = {}, .before = before_.steps[old.inputs[0]].name, .after = ""});
    for (std::size_t i = 0; i < step.inputs.size(); ++i) {
      const auto matched = matched_[step.inputs[i]];
      const std::optional<std::size_t> was =
          i < old.inputs.size() ? std::optional(old.inputs[i]) : std::nullopt;
      if (!matched || matched == was) continue;
      causes.push_back({.kind = Kind::Order,
                        .subject = {},
                        .before = was ? before_.steps[*was].name : "",
                        .after = after_.steps[step.inputs[i]].name});
    }
    return causes;
  }

  /// The first steps at or below this one that are not what they were.
  const std::set<std::size_t>& first_changes(std::size_t index) {
    const auto known = first_changes_.find(index);
    if (known != first_changes_.end()) return known->second;
    std::set<std::size_t> firsts;
    const StepRecord& step = after_.steps[index];
    // What hit by content has another key, and the tree that it had: nothing above it changed because of it.
    const bool same =
        matched_[index] && (before_.steps[*matched_[index]].key == step.key || step.hit == kHitByContent);
    if (!same) {
      for (const std::size_t input : step.inputs) firsts.merge(std::set(first_changes(input)));
      if (firsts.empty() || is_changed_itself(index)) firsts.insert(index);
    }
    return first_changes_.emplace(index, std::move(firsts)).first->second;
  }

  /// Whatever is below it: then it is a cause of its own for what is above.
  bool is_changed_itself(std::size_t index) const {
    if (!matched_[index]) return true;
    const StepRecord &before = before_.steps[*matched_[index]], &after = after_.steps[index];
    return before.parts != after.parts || !std::ranges::equal(before.reads, after.reads, reads_alike);
  }

  /// What ran tells itself what differs in it.
  void add_differences_of_hit(std::size_t index, std::vector<Cause>& causes) const {
    const StepRecord& step = after_.steps[index];
    if (step.end != "cached" || !matched_[index]) return;
    for (const Cause& cause : own_differences(before_.steps[*matched_[index]], step, manifests_))
      if (std::ranges::find(causes, cause) == causes.end()) causes.push_back(cause);
  }

  static void add_hidden(const StepRecord& step, std::vector<Cause>& causes) {
    for (const KeyPart& part : step.parts)
      if (part.hidden)
        causes.push_back({.kind = Kind::HiddenField, .subject = part.name, .before = {}, .after = {}});
  }

  const BuildRecord& before_;
  const BuildRecord& after_;
  const ManifestReader& manifests_;
  const std::vector<std::optional<std::size_t>> matched_;
  std::unordered_map<std::size_t, std::set<std::size_t>> first_changes_;
};

bool has_platform(const StepRecord& step, const std::string& platform) {
  return std::ranges::find(step.platforms, platform) != step.platforms.end();
}

/// The build of `earlier` that is most like `build` for a platform; null if none is like it at all.
const BuildRecord* reference_for(const BuildRecord& build, const std::vector<BuildRecord>& earlier,
                                 const std::string& platform) {
  std::set<std::string> keys, instructions, contents;
  std::set<KeyPart> parts;
  for (const StepRecord& step : build.steps) {
    if (!has_platform(step, platform) || step.kind == "context") continue;
    keys.insert(step.key);
    instructions.insert(instruction_of(step.name));
    parts.insert(step.parts.begin(), step.parts.end());
    for (const ContextRead& read : step.reads) contents.insert(read.digest);
  }
  const BuildRecord* best = nullptr;
  std::tuple<bool, std::size_t, std::size_t, std::size_t> best_score;
  for (const BuildRecord& candidate : earlier) {
    std::size_t same_keys = 0, same_instructions = 0, same_parts = 0, steps = 0;
    for (const StepRecord& step : candidate.steps) {
      if (!has_platform(step, platform) || step.kind == "context") continue;
      ++steps;
      same_keys += keys.contains(step.key);
      same_instructions += instructions.contains(instruction_of(step.name));
      for (const KeyPart& part : step.parts) same_parts += parts.contains(part);
      for (const ContextRead& read : step.reads) same_parts += contents.contains(read.digest);
    }
    const bool same_file =
        candidate.context == build.context && candidate.dockerfile == build.dockerfile && steps > 0;
    if (!same_file && same_keys + same_instructions == 0) continue;
    const std::tuple score{same_file, same_keys, same_parts, same_instructions};
    if (best && score <= best_score) continue;
    best = &candidate;
    best_score = score;
  }
  return best;
}

/// What can be said of a missed step without comparing it: an equal one was there before.
std::optional<Cause> cause_of_known(const StepRecord& step, const SeenKeys& seen) {
  const auto found = seen.find(step.key);
  if (found == seen.end()) return std::nullopt;
  for (const SeenStep& earlier : found->second)
    if (earlier.step->has_result())
      return Cause{.kind = Kind::ResultGone, .subject = earlier.build->id, .before = {}, .after = {}};
  const SeenStep& last = found->second.front();
  return Cause{.kind = Kind::NotFinished,
               .subject = last.build->id,
               .before = last.step->end.empty() ? kInterrupted : last.step->end,
               .after = {}};
}

/// Of a step whose result is known: that it stands on what was made anew in any case, the nearest on each
/// way.
std::vector<Cause> causes_of_made_anew(const BuildRecord& build, const StepRecord& step) {
  std::vector<Cause> causes;
  std::set<std::size_t> seen;
  std::vector<std::size_t> next = step.inputs;
  while (!next.empty()) {
    const std::size_t index = next.back();
    next.pop_back();
    const StepRecord& below = build.steps[index];
    if (below.end == "cached" || !seen.insert(index).second) continue;
    if (below.no_cache)
      causes.push_back({.kind = Kind::NoCache, .subject = below.name, .before = {}, .after = {}});
    else
      next.insert(next.end(), below.inputs.begin(), below.inputs.end());
  }
  return causes;
}

}  // namespace

std::string name_of(Cause::Kind kind) {
  switch (kind) {
    case Kind::NoCache:
      return "no-cache";
    case Kind::NotTaken:
      return "not-taken";
    case Kind::ResultGone:
      return "result-gone";
    case Kind::NotFinished:
      return "not-finished";
    case Kind::NeverBuilt:
      return "never-built";
    case Kind::NewStep:
      return "new-step";
    case Kind::FileAdded:
      return "file-added";
    case Kind::FileRemoved:
      return "file-removed";
    case Kind::FileChanged:
      return "file-changed";
    case Kind::Field:
      return "field";
    case Kind::HiddenField:
      return "hidden-field";
    case Kind::Order:
      return "order";
    case Kind::Parent:
      return "parent";
    case Kind::Unknown:
      break;
  }
  return "unknown";
}

std::vector<Cause> own_differences(const StepRecord& before, const StepRecord& after,
                                   const ManifestReader& manifests) {
  std::vector<Cause> causes;
  compare_parts(before, after, causes);
  compare_reads(before, after, manifests, causes);
  return causes;
}

std::vector<StepExplanation> explain(const BuildRecord& build, const std::vector<BuildRecord>& earlier,
                                     const ManifestReader& manifests) {
  SeenKeys seen;
  for (const BuildRecord& record : earlier)
    for (const StepRecord& step : record.steps) seen[step.key].push_back({&record, &step});
  std::map<std::string, const BuildRecord*> references;
  std::map<const BuildRecord*, Comparison> comparisons;

  std::vector<StepExplanation> explanations;
  for (std::size_t i = 0; i < build.steps.size(); ++i) {
    const StepRecord& step = build.steps[i];
    if (step.kind == "context") continue;
    StepExplanation told{.step = i, .hit = step.end == "cached", .causes = {}, .compared_with = {}};
    if (!told.hit && step.no_cache) {
      told.causes.push_back({.kind = Kind::NoCache, .subject = {}, .before = {}, .after = {}});
    } else if (!told.hit && !step.passed_over.empty()) {
      told.causes.push_back({.kind = Kind::NotTaken, .subject = step.passed_over, .before = {}, .after = {}});
    } else if (const auto known = told.hit ? std::nullopt : cause_of_known(step, seen)) {
      if (known->kind == Kind::ResultGone) told.causes = causes_of_made_anew(build, step);
      if (told.causes.empty()) told.causes.push_back(*known);
      told.compared_with = known->subject;
    } else if (!told.hit) {
      const std::string platform = step.platforms.empty() ? "" : step.platforms.front();
      auto [reference, is_new] = references.try_emplace(platform, nullptr);
      if (is_new) reference->second = reference_for(build, earlier, platform);
      if (const BuildRecord* before = reference->second) {
        auto& comparison = comparisons.try_emplace(before, *before, build, manifests).first->second;
        told.causes = comparison.causes_of(i);
        told.compared_with = before->id;
      } else {
        told.causes.push_back({.kind = Kind::NeverBuilt, .subject = {}, .before = {}, .after = {}});
      }
    }
    explanations.push_back(std::move(told));
  }
  return explanations;
}

}  // namespace slipway
