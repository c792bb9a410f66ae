#include "dockerfile/lint_from.h"

#include <set>

#include "base/strings.h"
#include "dockerfile/text_error.h"
#include "dockerfile/tracked_expand.h"
#include "manifest/image_ref.h"

namespace slipway::dockerfile {
namespace {

bool is_image_name(const std::string& text) {
  try {
    ImageRef::parse(text);
    return true;
  } catch (const Error&) {
    return false;
  }
}

class FromLint {
 public:
  FromLint(const Dockerfile& file, const Program& program, const ArgMap& globals, TextBudget& budget,
           LintReport& report)
      : file_(file), program_(program), globals_(globals), budget_(budget), report_(report) {
    for (const auto& [name, value] : globals) declared_.insert(name);
    for (const GlobalArg& arg : program.global_args) declared_.insert(arg.declaration.name.text);
  }

  void run(const ArgMap& defaults) {
    for (const Stage& stage : program_.stages) {
      const TrackedText base = expand_tracked(stage.base.text, globals_, file_.escape, budget_);
      undeclared(stage, base, [&](const std::string& name) {
        return file_.at(*stage.from, place_of_variable(stage.from->text, stage.base.offset, name));
      });
      if (stage.platform != nullptr) platform(stage, *stage.platform);
      default_image(stage, defaults);
    }
  }

 private:
  template <class Where>
  void undeclared(const Stage& stage, const TrackedText& text, Where where) {
    for (const std::string& name : text.missing) {
      if (declared_.contains(name) || report_.full()) continue;
      const auto near = closest_match(name, {declared_.begin(), declared_.end()});
      report_.hit(rules::kUndefinedArgInFrom, file_, *stage.from, where(name),
                  concat("no ARG before the first FROM declares ", name,
                         near ? concat(" (did you mean ", *near, "?)") : ""));
    }
  }

  void platform(const Stage& stage, const Flag& flag) {
    const SourceLocation where = file_.at(flag);
    const TrackedText text = expand_tracked(flag.value, globals_, file_.escape, budget_);
    undeclared(stage, text, [&](const std::string&) { return where; });
    const auto target = globals_.find("TARGETPLATFORM");
    if (text.missing.empty() && text.found.size() == 1 && text.found.contains("TARGETPLATFORM") &&
        target != globals_.end() && text.text == target->second)
      report_.hit(rules::kRedundantTargetPlatform, file_, *stage.from, where,
                  concat("--platform=", flag.value, " says what FROM does without it"));
    if (text.missing.empty() && text.found.empty()) constant(stage, text.text, where);
  }

  /// A stage that carries its platform in its name means it.
  void constant(const Stage& stage, const std::string& text, const SourceLocation& where) {
    try {
      const Platform fixed = Platform::parse(text);
      const auto named = [&](const std::string& part) { return stage.name.find(part) != std::string::npos; };
      if (named(fixed.os()) || named(fixed.architecture())) return;
    } catch (const UsageError&) {
      return;
    }
    report_.hit(rules::kFromPlatformFlagConstDisallowed, file_, *stage.from, where,
                concat("--platform=", text,
                       " is the same whatever platform is built for; use a variable such as "
                       "$BUILDPLATFORM, or name the stage after its platform"));
  }

  void default_image(const Stage& stage, const ArgMap& defaults) {
    const std::string name = expand_tracked(stage.base.text, defaults, file_.escape, budget_).text;
    if (is_image_name(name)) return;
    report_.hit(
        rules::kInvalidDefaultArgInFrom, file_, *stage.from, file_.at(*stage.from, stage.base.offset),
        concat("with the defaults of its ARGs, ", stage.base.text, " is ",
               name.empty() ? std::string("empty") : concat("\"", name, "\""), ", which is no image's name"));
  }

  const Dockerfile& file_;
  const Program& program_;
  const ArgMap& globals_;
  TextBudget& budget_;
  LintReport& report_;
  std::set<std::string, std::less<>> declared_;
};

/// What the global ARGs are if the caller gives none.
ArgMap default_args(const Dockerfile& file, const Program& program, const LowerOptions& options,
                    ArgMap platform, TextBudget& budget) {
  for (auto& [name, value] : platform)
    if (const auto given = options.build_args.find(name); given != options.build_args.end())
      value = given->second;
  return global_args(file, program, LowerOptions{}, std::move(platform), budget);
}

}  // namespace

void lint_from(const Dockerfile& file, const Program& program, const LowerOptions& options,
               const ArgMap& platform, const ArgMap& globals, TextBudget& budget, LintReport& report) {
  try {
    FromLint(file, program, globals, budget, report)
        .run(default_args(file, program, options, platform, budget));
  } catch (const InvalidInput&) {
    // Lowering tells of it, with its place, unless no stage needs it.
  }
}

}  // namespace slipway::dockerfile
