#include <cctype>
#include <limits>

#include "base/strings.h"
#include "dockerfile/commands.h"
#include "dockerfile/flags.h"
#include "dockerfile/json_form.h"
#include "dockerfile/text_error.h"

namespace slipway::dockerfile {
namespace {

/// Go's durations: "30s", "1m30s", "1.5h", "500ms"; nothing if it is none or longer than an int64 of
/// nanoseconds.
std::optional<std::int64_t> parse_duration(std::string_view text) {
  constexpr long double kMax = 9.2e18L;
  if (text.starts_with('+')) text.remove_prefix(1);
  if (text == "0") return 0;
  if (text.empty()) return std::nullopt;
  long double total = 0;
  while (!text.empty()) {
    long double number = 0;
    long double scale = 1;
    bool digits = false;
    bool fraction = false;
    std::size_t at = 0;
    for (; at < text.size() && (std::isdigit(static_cast<unsigned char>(text[at])) || text[at] == '.');
         ++at) {
      if (text[at] == '.') {
        if (fraction) return std::nullopt;
        fraction = true;
        continue;
      }
      digits = true;
      number = number * 10 + (text[at] - '0');
      if (fraction) scale *= 10;
      if (number > kMax) return std::nullopt;
    }
    if (!digits) return std::nullopt;
    text.remove_prefix(at);
    std::size_t unit_end = 0;
    while (unit_end < text.size() && !std::isdigit(static_cast<unsigned char>(text[unit_end])) &&
           text[unit_end] != '.')
      ++unit_end;
    const std::string_view unit = text.substr(0, unit_end);
    text.remove_prefix(unit_end);
    long double nanoseconds = 0;
    if (unit == "ns") nanoseconds = 1;
    if (unit == "us" || unit == "µs" || unit == "μs") nanoseconds = 1e3L;
    if (unit == "ms") nanoseconds = 1e6L;
    if (unit == "s") nanoseconds = 1e9L;
    if (unit == "m") nanoseconds = 60e9L;
    if (unit == "h") nanoseconds = 3600e9L;
    if (nanoseconds == 0) return std::nullopt;
    total += number / scale * nanoseconds;
    if (total > kMax) return std::nullopt;
  }
  return static_cast<std::int64_t>(total);
}

std::int64_t duration_flag(const Dockerfile& file, const Instruction& instruction, std::string_view name) {
  const Flag* flag = find_flag(instruction, name);
  if (flag == nullptr || flag->value.empty()) return 0;
  if (flag->value.starts_with('-'))
    throw InvalidInput(concat("--", name, " may not be negative"), file.at(*flag));
  const std::optional<std::int64_t> value = parse_duration(flag->value);
  if (!value)
    throw InvalidInput(concat("--", name, " takes a duration like 30s or 1m30s, not \"", flag->value, "\""),
                       file.at(*flag));
  if (*value != 0 && *value < 1'000'000)
    throw InvalidInput(concat("--", name, " may not be below 1ms"), file.at(*flag));
  return *value;
}

int retries_flag(const Dockerfile& file, const Instruction& instruction) {
  const Flag* flag = find_flag(instruction, "retries");
  if (flag == nullptr || flag->value.empty()) return 0;
  const std::string_view digits = std::string_view(flag->value).substr(flag->value.starts_with('+') ? 1 : 0);
  const std::optional<std::uint64_t> value = parse_unsigned(digits);
  if (!value || *value > std::numeric_limits<std::int32_t>::max())
    throw InvalidInput(concat("--retries takes a number, not \"", flag->value, "\""), file.at(*flag));
  return static_cast<int>(*value);
}

std::vector<std::string> read_test(const Dockerfile& file, const Instruction& instruction,
                                   std::string_view command, std::size_t offset) {
  if (command.empty()) throw InvalidInput("HEALTHCHECK CMD needs a command", file.at(instruction, 0));
  try {
    if (std::optional<std::vector<std::string>> list = parse_json_form(command)) {
      if (list->empty()) throw TextError("HEALTHCHECK CMD needs a command; its list is empty", 0);
      list->insert(list->begin(), "CMD");
      return std::move(*list);
    }
  } catch (const TextError& error) {
    throw InvalidInput(error.message(), file.at(instruction, offset + error.offset()));
  }
  return {"CMD-SHELL", std::string(command)};
}

}  // namespace

HealthcheckCommand read_healthcheck(const Dockerfile& file, const Instruction& instruction) {
  const std::vector<Word> words = split_at_blanks(instruction.text);
  if (words.empty())
    throw InvalidInput("HEALTHCHECK needs NONE or CMD and a command", file.at(instruction, 0));
  HealthcheckCommand out;
  const std::string kind = to_upper(words[0].text);
  if (kind == "NONE") {
    if (words.size() > 1)
      throw InvalidInput("HEALTHCHECK NONE takes no arguments", file.at(instruction, words[1].offset));
    out.check.test = {"NONE"};
    return out;
  }
  check_flags(file, instruction,
              {{"interval"}, {"timeout"}, {"start-period"}, {"start-interval"}, {"retries"}});
  if (kind != "CMD") {
    InvalidInput error(concat("HEALTHCHECK takes NONE or CMD, not \"", words[0].text.substr(0, 80), "\""),
                       file.at(instruction, 0));
    if (const auto near = closest_match(kind, {"NONE", "CMD"}))
      error.set_hint(concat("did you mean ", *near, "?"));
    throw error;
  }
  const std::size_t offset = words.size() > 1 ? words[1].offset : instruction.text.size();
  out.check.test = read_test(file, instruction, std::string_view(instruction.text).substr(offset), offset);
  out.check.interval_ns = duration_flag(file, instruction, "interval");
  out.check.timeout_ns = duration_flag(file, instruction, "timeout");
  out.check.start_period_ns = duration_flag(file, instruction, "start-period");
  out.check.start_interval_ns = duration_flag(file, instruction, "start-interval");
  out.check.retries = retries_flag(file, instruction);
  return out;
}

}  // namespace slipway::dockerfile
