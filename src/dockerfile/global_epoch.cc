#include "dockerfile/global_epoch.h"

#include <algorithm>
#include <charconv>

#include "base/strings.h"

namespace slipway::dockerfile {
namespace {

constexpr std::string_view kName = "SOURCE_DATE_EPOCH";
// What RFC 3339 can write: the years 1 to 9999.
constexpr std::int64_t kFirst = -62135596800, kLast = 253402300799;

std::optional<std::int64_t> seconds_in(std::string_view text) {
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return seconds < kFirst || seconds > kLast ? std::nullopt : std::optional(seconds);
}

SourceLocation place_of_default(const Dockerfile& file, const Program& program) {
  const GlobalArg* found = nullptr;
  for (const GlobalArg& arg : program.global_args)
    if (arg.declaration.name.text == kName && arg.declaration.value) found = &arg;
  return found != nullptr ? file.at(*found->at, found->declaration.value->offset) : file.at(1, 1);
}

}  // namespace

std::optional<std::int64_t> take_global_epoch(const Dockerfile& file, const Program& program,
                                              const LowerOptions& options, ArgMap& globals) {
  const auto found = globals.find(kName);
  if (found == globals.end() || found->second.empty() || options.build_args.contains(std::string(kName)))
    return std::nullopt;
  if (found->second == "context") {
    globals.erase(found);
    return std::nullopt;
  }
  if (const auto seconds = seconds_in(found->second)) return seconds;
  InvalidInput error(concat("SOURCE_DATE_EPOCH is a number of seconds since 1970, not \"",
                            found->second.substr(0, 80), "\""),
                     place_of_default(file, program));
  const auto is_stage = [&](const Stage& stage) { return stage.name == to_lower(found->second); };
  if (std::ranges::any_of(program.stages, is_stage))
    error.set_hint(
        "the time of a stage's source is not taken here; give it by --build-arg SOURCE_DATE_EPOCH=…");
  throw error;
}

}  // namespace slipway::dockerfile
