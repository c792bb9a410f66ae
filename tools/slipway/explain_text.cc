#include "slipway/explain_text.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/strings.h"
#include "slipway/terminal_text.h"

namespace slipway {

namespace {

using Kind = Cause::Kind;
using Json = nlohmann::ordered_json;
/// More files than anyone reads; JSON has them all.
constexpr std::size_t kFilesShown = 20;
constexpr std::size_t kLongestValue = 200;
constexpr std::size_t kDigits = 12;
constexpr std::string_view kNoContent = "-";  // of a directory

bool is_file(Kind kind) {
  return kind == Kind::FileAdded || kind == Kind::FileRemoved || kind == Kind::FileChanged;
}

/// "100644 0123…" of a manifest, parted.
struct FileState {
  std::string mode, digest;
  explicit FileState(const std::string& text)
      : mode(text.substr(0, text.find(' '))),
        digest(text.find(' ') == std::string::npos ? "" : text.substr(text.find(' ') + 1)) {}
  std::string shown() const { return digest.substr(0, kDigits); }
};

std::string quoted(const std::string& value) {
  if (value.empty()) return "(none)";
  std::string line;
  for (const char c : value) line += c == '\n' ? std::string("\\n") : std::string(1, c);
  if (line.size() > kLongestValue) line = concat(line.substr(0, kLongestValue), "...");
  return concat("\"", line, "\"");
}

std::string changed_file(const Cause& cause) {
  const FileState before(cause.before), after(cause.after);
  std::string text = cause.subject;
  if (before.digest != after.digest) text += concat(" changed: ", before.shown(), " -> ", after.shown());
  if (before.mode != after.mode)
    text += concat(before.digest != after.digest ? ", mode " : " changed: mode ", before.mode, " -> ",
                   after.mode);
  return text;
}

/// The digests of a step's name, which its own line has whole.
std::string with_short_digests(const std::string& name) {
  constexpr std::string_view kPrefix = "@sha256:";
  constexpr std::size_t kWhole = 64;
  std::string text = name;
  for (std::size_t at = 0; (at = text.find(kPrefix, at)) != std::string::npos;) {
    at += kPrefix.size();
    const std::size_t end = std::min(text.find_first_not_of("0123456789abcdef", at), text.size());
    if (end - at == kWhole) text.erase(at + kDigits, kWhole - kDigits);
  }
  return text;
}

std::string status_of(const StepExplanation& told) { return told.hit ? "hit" : "miss"; }

Json cause_json(const Cause& cause) {
  Json json{{"kind", name_of(cause.kind)}};
  if (!cause.subject.empty()) json["subject"] = cause.subject;
  for (const auto& [name, text] : {std::pair("before", &cause.before), std::pair("after", &cause.after)}) {
    if (text->empty()) continue;
    if (!is_file(cause.kind)) {
      json[name] = *text;
      continue;
    }
    const FileState state(*text);
    const std::string digest = concat("sha256:", state.digest);
    if (state.digest != kNoContent) json[name] = Digest::is_valid(digest) ? digest : state.digest;
    json[concat(name, "Mode")] = state.mode;
  }
  return json;
}

}  // namespace

std::string describe(const Cause& cause) {
  switch (cause.kind) {
    case Kind::NoCache:
      return cause.subject.empty() ? std::string("it was to run in any case (--no-cache)")
                                   : concat("because step ", quoted(with_short_digests(cause.subject)),
                                            " was to run in any case (--no-cache)");
    case Kind::NotTaken:
      return cause.subject;
    case Kind::ResultGone:
      return concat("its result was removed since build ", cause.subject);
    case Kind::NotFinished:
      return concat("it has no result: in build ", cause.subject, " it was ", cause.before);
    case Kind::NeverBuilt:
      return "never built before: no build on record is like it";
    case Kind::NewStep:
      return "a new step: the build compared with has none like it";
    case Kind::FileAdded:
      return concat(cause.subject, " added: ", FileState(cause.after).shown());
    case Kind::FileRemoved:
      return concat(cause.subject, " removed: ", FileState(cause.before).shown());
    case Kind::FileChanged:
      return changed_file(cause);
    case Kind::Field:
      return concat(cause.subject, ": ", quoted(cause.before), " -> ", quoted(cause.after));
    case Kind::HiddenField:
      return concat(cause.subject, " may have changed (its value is not recorded)");
    case Kind::Order:
      return concat("it now follows ", cause.after.empty() ? "no step" : quoted(cause.after), ", not ",
                    quoted(cause.before));
    case Kind::Parent:
      return concat("because step ", quoted(with_short_digests(cause.subject)), " changed");
    case Kind::Unknown:
      break;
  }
  return "its key differs in something that the records do not tell";
}

std::string explanation_text(const BuildRecord& build, const std::vector<StepExplanation>& told) {
  std::string text = build.id.empty() ? std::string("planned: nothing was run\n")
                                      : concat("build ", build.id, " (", build.outcome, ")\n");
  for (const StepExplanation& one : told) {
    const StepRecord& step = build.steps[one.step];
    text +=
        concat(one.hit ? "hit   " : "miss  ", clean_line(step.name), "  ", join(step.platforms, ","), "\n");
    if (one.hit && !step.hit.empty()) text += concat("        ", clean_line(step.hit), "\n");
    std::size_t files = 0;
    for (const Cause& cause : one.causes)
      if (!is_file(cause.kind) || ++files <= kFilesShown)
        text += concat("        ", clean_line(describe(cause)), "\n");
    if (files > kFilesShown) text += concat("        and ", files - kFilesShown, " more files\n");
  }
  return text;
}

std::string explanation_json(const BuildRecord& build, const std::vector<StepExplanation>& told) {
  Json steps = Json::array();
  for (const StepExplanation& one : told) {
    const StepRecord& step = build.steps[one.step];
    Json entry{
        {"step", step.name}, {"platforms", step.platforms}, {"status", status_of(one)}, {"key", step.key}};
    if (one.hit && !step.hit.empty()) entry["how"] = step.hit;
    if (!one.compared_with.empty()) entry["comparedWith"] = one.compared_with;
    if (!one.hit) entry["causes"] = Json::array();
    for (const Cause& cause : one.causes) entry["causes"].push_back(cause_json(cause));
    steps.push_back(std::move(entry));
  }
  const Json id = build.id.empty() ? Json() : Json(build.id);
  const Json json{{"build", id}, {"outcome", build.outcome}, {"steps", std::move(steps)}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace slipway
