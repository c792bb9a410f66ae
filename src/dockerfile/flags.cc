#include "dockerfile/flags.h"

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

[[noreturn]] void refuse_unknown(const Dockerfile& file, const Instruction& instruction, const Flag& flag,
                                 const std::vector<FlagRule>& rules) {
  InvalidInput error(concat("unknown flag --", flag.name, " for ", instruction.keyword), file.at(flag));
  std::vector<std::string> known;
  for (const FlagRule& rule : rules) known.emplace_back(rule.name);
  if (const auto near = closest_match(flag.name, known)) error.set_hint(concat("did you mean --", *near, "?"));
  throw error;
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
    if (rule->kind == FlagRule::Kind::Unsupported)
      throw InvalidInput(concat(instruction.keyword, " --", flag.name, " is not supported yet by this slipway"),
                         file.at(flag));
    if (!flag.has_value)
      throw InvalidInput(concat("--", flag.name, " needs a value: --", flag.name, "=…"), file.at(flag));
    if (!seen.insert(flag.name).second && rule->kind != FlagRule::Kind::Values)
      throw InvalidInput(concat("--", flag.name, " is given twice"), file.at(flag));
  }
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
