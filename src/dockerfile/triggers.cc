#include "dockerfile/triggers.h"

#include "base/strings.h"

namespace slipway::dockerfile {

const Trigger& Triggers::read(const std::string& text) {
  const auto known = by_text_.find(text);
  if (known != by_text_.end()) return *known->second;
  auto trigger = std::make_unique<Trigger>();
  trigger->text = text;
  trigger->file = parse("ONBUILD", concat("FROM scratch\n", text, "\n"));
  trigger->program = read_program(trigger->file);
  const std::vector<Stage>& stages = trigger->program.stages;
  if (stages.size() != 1 || stages.front().commands.size() != 1 ||
      std::holds_alternative<OnbuildCommand>(stages.front().commands.front().what) ||
      std::holds_alternative<MaintainerCommand>(stages.front().commands.front().what))
    throw InvalidInput("a trigger is one instruction, and neither FROM, MAINTAINER nor ONBUILD");
  return *by_text_.emplace(text, std::move(trigger)).first->second;
}

void rethrow_for_trigger(const InvalidInput& error, const std::string& text, const Stage& stage,
                         const Dockerfile& file) {
  constexpr std::size_t kShown = 100;
  std::string shown = text.substr(0, text.find('\n'));
  if (shown.size() > kShown || shown.size() < text.size()) shown = concat(shown.substr(0, kShown), "…");
  InvalidInput out(concat(stage.base.text, " has the instruction \"ONBUILD ", shown,
                          "\" for images built on it: ", error.message()),
                   file.at(*stage.from, stage.base.offset));
  out.set_hint(error.hint());
  throw out;
}

}  // namespace slipway::dockerfile
