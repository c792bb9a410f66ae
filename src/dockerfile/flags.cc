#include "dockerfile/flags.h"

#include <algorithm>
#include <set>

#include "base/strings.h"
#include "dockerfile/logical_lines.h"

namespace slipway::dockerfile {
namespace {

/// One word from text[at] on, quotes and escapes removed; moves `at` behind it.
std::string read_flag_word(std::string_view text, std::size_t& at, char escape) {
  std::string word;
  char quote = 0;
  while (at < text.size() && (quote != 0 || !is_blank(text[at]))) {
    char c = text[at++];
    if (c == escape) {
      if (at == text.size()) break;
      word += text[at++];
      continue;
    }
    if (quote != 0 && c == quote) {
      quote = 0;
    } else if (quote == 0 && (c == '\'' || c == '"')) {
      quote = c;
    } else {
      word += c;
    }
  }
  return word;
}

const FlagRule* find_rule(const std::vector<FlagRule>& rules, std::string_view name) {
  for (const FlagRule& rule : rules)
    if (rule.name == name) return &rule;
  return nullptr;
}

/// The instructions that have a flag, "COPY or ADD"; empty if none has.
std::string owners_of(std::string_view flag) {
  struct Owned {
    std::string_view keyword;
    std::vector<std::string_view> flags;
  };
  static const std::vector<Owned> kOwned = {
      {"FROM", {"platform"}},
      {"RUN", {"mount", "network", "security", "device"}},
      {"COPY", {"from", "chown", "chmod", "link", "parents", "exclude"}},
      {"ADD", {"chown", "chmod", "link", "exclude", "keep-git-dir", "checksum", "unpack"}},
      {"HEALTHCHECK", {"interval", "timeout", "start-period", "start-interval", "retries"}}};
  std::vector<std::string> out;
  for (const Owned& owned : kOwned)
    if (std::find(owned.flags.begin(), owned.flags.end(), flag) != owned.flags.end())
      out.emplace_back(owned.keyword);
  return join(out, " or ");
}

[[noreturn]] void refuse_unknown(const Dockerfile& file, const Instruction& instruction, const Flag& flag,
                                 const std::vector<FlagRule>& rules) {
  const std::string name = flag.name.substr(0, 80);
  const std::string owners = owners_of(flag.name);
  if (!owners.empty()) {
    InvalidInput error(
        concat("--", name, " is a flag of ", owners, "; ", instruction.keyword, " does not take it"),
        file.at(flag));
    throw error;
  }
  InvalidInput error(concat("unknown flag --", name, " for ", instruction.keyword), file.at(flag));
  std::vector<std::string> known;
  for (const FlagRule& rule : rules) known.emplace_back(rule.name);
  if (const auto near = closest_match(to_lower(flag.name), known)) {
    error.set_hint(concat("did you mean --", *near, "?"));
  } else if (instruction.keyword == "RUN" || instruction.keyword == "CMD" ||
             instruction.keyword == "ENTRYPOINT") {
    error.set_hint(
        concat("if it belongs to the command, write \"", instruction.keyword, " -- --", name, " …\""));
  }
  throw error;
}

/// Nothing if the flag's value is neither true nor false.
std::optional<bool> truth_of(const Flag& flag) {
  const std::string value = to_lower(flag.value);
  if (!flag.has_value || value == "true") return true;
  if (value == "false") return false;
  return std::nullopt;
}

}  // namespace

std::size_t read_flags(std::string_view text, std::size_t at, const std::vector<TextSpan>& spans, char escape,
                       std::vector<Flag>& flags) {
  while (true) {
    while (at < text.size() && is_blank(text[at])) ++at;
    if (!text.substr(at).starts_with("--")) return at;
    const auto [line, column] = place_of(spans, at);
    const std::string word = read_flag_word(text, at, escape);
    if (word == "--") return at;
    Flag flag;
    flag.line = line;
    flag.column = column;
    const std::size_t equals = word.find('=');
    flag.name = word.substr(2, equals == std::string::npos ? std::string::npos : equals - 2);
    flag.has_value = equals != std::string::npos;
    if (flag.has_value) flag.value = word.substr(equals + 1);
    flags.push_back(std::move(flag));
  }
}

void check_flags(const Dockerfile& file, const Instruction& instruction, const std::vector<FlagRule>& rules) {
  std::set<std::string> seen;
  for (const Flag& flag : instruction.flags) {
    const FlagRule* rule = find_rule(rules, flag.name);
    if (rule == nullptr) refuse_unknown(file, instruction, flag, rules);
    if (rule->kind == FlagRule::Kind::Boolean) {
      if (!truth_of(flag))
        throw InvalidInput(
            concat("--", flag.name, " is true or false, not \"", flag.value.substr(0, 80), "\""),
            file.at(flag));
    } else if (!flag.has_value) {
      throw InvalidInput(concat("--", flag.name, " needs a value: --", flag.name, "=…"), file.at(flag));
    }
    if (!seen.insert(flag.name).second && rule->kind != FlagRule::Kind::Values)
      throw InvalidInput(concat("--", flag.name, " is given twice"), file.at(flag));
  }
}

std::optional<bool> boolean_flag(const Instruction& instruction, std::string_view name) {
  const Flag* flag = find_flag(instruction, name);
  return flag == nullptr ? std::nullopt : truth_of(*flag);
}

const Flag* find_flag(const Instruction& instruction, std::string_view name) {
  for (const Flag& flag : instruction.flags)
    if (flag.name == name) return &flag;
  return nullptr;
}

std::vector<const Flag*> find_flags(const Instruction& instruction, std::string_view name) {
  std::vector<const Flag*> out;
  for (const Flag& flag : instruction.flags)
    if (flag.name == name) out.push_back(&flag);
  return out;
}

}  // namespace slipway::dockerfile
