#include "slipway/source_secrets.h"

#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/secret_mask.h"
#include "base/secret_names.h"
#include "base/strings.h"
#include "dockerfile/ast.h"
#include "dockerfile/commands.h"

namespace slipway {
namespace {

using dockerfile::Instruction;
using dockerfile::TextSpan;
using dockerfile::Word;

class Values {
 public:
  Values(const dockerfile::Dockerfile& file, Hider& hider) : file_(file), hider_(hider) {}

  void add(const Instruction& at, const std::string& name, const Word& value) {
    if (!names_secret(name) || value.text.empty()) return;
    std::string_view plain = value.text;
    if (plain.size() > 1 && (plain.front() == '"' || plain.front() == '\'') && plain.back() == plain.front())
      plain = plain.substr(1, plain.size() - 2);
    // A variable's value is not in the text.
    if (plain.find('$') == std::string_view::npos) hider_.add_variable(name, std::string(plain));
    add_places(at, value.offset, value.offset + value.text.size());
  }

  std::string masked() {
    std::string text = *file_.text;
    std::ranges::sort(places_, std::greater<>());  // from the end, so that what is before stays in place
    std::size_t before = std::string::npos;
    for (const auto& [begin, end] : places_) {
      if (end > before) continue;
      text.replace(begin, end - begin, SecretMask::kShown);
      before = begin;
    }
    return text;
  }

 private:
  /// Of an instruction's text, which may go on over several lines of the file.
  void add_places(const Instruction& at, std::size_t begin, std::size_t end) {
    for (std::size_t i = 0; i < at.spans.size(); ++i) {
      const TextSpan& span = at.spans[i];
      const std::size_t next = i + 1 < at.spans.size() ? at.spans[i + 1].offset : at.text.size();
      const std::size_t first = std::max(begin, span.offset), last = std::min(end, next);
      if (first >= last) continue;
      const char* line = file_.lines.at(static_cast<std::size_t>(span.line) - 1).data();
      const auto place = static_cast<std::size_t>(line - file_.text->data()) +
                         static_cast<std::size_t>(span.column) - 1 + (first - span.offset);
      places_.emplace_back(place, place + (last - first));
    }
  }

  const dockerfile::Dockerfile& file_;
  Hider& hider_;
  std::vector<std::pair<std::size_t, std::size_t>> places_;
};

/// Calls `add` for what the instructions of a program set.
template <class Add>
void each_variable(const dockerfile::Program& program, const Add& add) {
  const auto add_arg = [&](const Instruction& at, const dockerfile::ArgDeclaration& arg) {
    if (arg.value) add(at, arg.name.text, *arg.value);
  };
  for (const dockerfile::GlobalArg& arg : program.global_args) add_arg(*arg.at, arg.declaration);
  for (const dockerfile::Stage& stage : program.stages) {
    for (const dockerfile::StageCommand& command : stage.commands) {
      if (const auto* args = std::get_if<dockerfile::ArgCommand>(&command.what))
        for (const dockerfile::ArgDeclaration& arg : args->args) add_arg(*command.at, arg);
      if (const auto* env = std::get_if<dockerfile::EnvCommand>(&command.what))
        for (const dockerfile::KeyValue& pair : env->pairs) add(*command.at, pair.key.text, pair.value);
    }
  }
}

/// ONBUILD's trigger is an instruction in the other's text, which has no line ends.
void add_triggers(const dockerfile::Program& program, Values& values) {
  for (const dockerfile::Stage& stage : program.stages) {
    for (const dockerfile::StageCommand& command : stage.commands) {
      const auto* trigger = std::get_if<dockerfile::OnbuildCommand>(&command.what);
      if (!trigger) continue;
      const dockerfile::Dockerfile file =
          dockerfile::parse({}, concat("FROM scratch\n", trigger->instruction));
      each_variable(read_program(file), [&](const Instruction& at, const std::string& name, Word value) {
        if (at.spans.size() != 1) return;
        value.offset += static_cast<std::size_t>(at.spans.front().column) - 1;
        values.add(*command.at, name, value);
      });
    }
  }
}

}  // namespace

std::string without_secret_values(const SourceText& source, Hider& hider) {
  if (to_lower(source.language) != "dockerfile") return source.text;
  try {
    const dockerfile::Dockerfile file = dockerfile::parse(source.name, source.text);
    const dockerfile::Program program = dockerfile::read_program(file);
    Values values(file, hider);
    each_variable(program, [&](const Instruction& at, const std::string& name, const Word& value) {
      values.add(at, name, value);
    });
    try {
      add_triggers(program, values);
    } catch (const InvalidInput&) {  // what only an image built from this one would refuse
    }
    return values.masked();
  } catch (const InvalidInput&) {  // somebody else's, in a language that is not quite ours
    return source.text;
  }
}

}  // namespace slipway
