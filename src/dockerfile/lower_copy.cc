#include <nlohmann/json.hpp>

#include "base/strings.h"
#include "dockerfile/paths.h"
#include "dockerfile/stage_lowering.h"

namespace slipway::dockerfile {
namespace {

bool names_directory(std::string_view dest) {
  return dest.ends_with('/') || dest == "." || dest == ".." || dest.ends_with("/.") || dest.ends_with("/..");
}

std::optional<unsigned> parse_octal(std::string_view text) {
  if (text.empty()) return std::nullopt;
  unsigned value = 0;
  for (char c : text) {
    if (c < '0' || c > '7') return std::nullopt;
    value = value * 8 + static_cast<unsigned>(c - '0');
    if (value > 07777) return std::nullopt;
  }
  return value;
}

std::string pattern_list(const std::vector<std::string>& patterns) {
  // File names are bytes; what is no UTF-8 cannot be written as JSON and is kept out with a replacement character.
  return nlohmann::json(patterns).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

Digest StageLowering::context_vertex() {
  Op op;
  SourceOp source{"local://context", {}};
  if (!build_.options.ignore_patterns.empty())
    source.attrs[kAttrExcludePatterns] = pattern_list(build_.options.ignore_patterns);
  op.what = std::move(source);
  return build_.graph.add(std::move(op), {"[internal] load build context", std::nullopt, false}, lane_.target);
}

std::optional<Digest> StageLowering::copy_tree(const CopyCommand& command, const StageSource& source) {
  switch (source.kind) {
    case StageSource::Kind::Context:
      return context_vertex();
    case StageSource::Kind::Scratch:
      return std::nullopt;
    case StageSource::Kind::Stage:
      return lane_.done[static_cast<std::size_t>(source.stage)]->result;
    case StageSource::Kind::Image:
      break;
  }
  // An image that is only copied from is the target's, whatever the stage runs on: its files are for the result.
  const BaseImage& image = resolve(source.image, lane_.target, build_.file.at(*command.from));
  const std::string platform = build_.options.platforms.size() > 1 || lane_.target != build_.build_platform
                                   ? concat(lane_.target.str(), " ")
                                   : std::string();
  return image_vertex(image, lane_.target,
                      {concat("[", platform, "internal] FROM ", image.pinned.str()), build_.file.at(*at_), false});
}

std::string StageLowering::copy_dest(const CopyCommand& command, std::string& written) {
  written = expand(command.dest);
  if (written.empty()) fail(command.dest.offset, "COPY: the destination is empty once its variables have their values");
  if (command.sources.size() > 1 && !names_directory(written))
    fail(command.dest.offset, "COPY of more than one source needs a directory as destination: end it with \"/\"");
  std::string dest = resolve_path(working_dir(), written);
  if (names_directory(written) && dest != "/") dest += '/';
  return dest;
}

void StageLowering::set_copy_mode(const CopyCommand& command, CopyAction& action, std::string& flags) {
  if (command.chown != nullptr) {
    const std::string text = expand(*command.chown, command.chown->value);
    action.owner = parse_owner(text);
    if (action.owner->user.empty() || text.ends_with(':'))
      throw InvalidInput(concat("--chown takes USER[:GROUP], not \"", text, "\""), build_.file.at(*command.chown));
    flags += concat("--chown=", text, " ");
  } else if (command.from == nullptr) {
    action.owner = Owner{"0", "0"};
  }
  if (command.chmod == nullptr) return;
  const std::string text = expand(*command.chmod, command.chmod->value);
  action.mode = parse_octal(text);
  if (!action.mode) {
    const bool symbolic = !text.empty() && text.find_first_not_of("ugoa+-=rwxXst,") == std::string::npos;
    throw InvalidInput(symbolic ? concat("--chmod=", text, ": symbolic modes are not supported yet by this slipway; use an octal one")
                                : concat("--chmod takes an octal mode of at most 07777, not \"", text, "\""),
                       build_.file.at(*command.chmod));
  }
  flags += concat("--chmod=", text, " ");
}

void StageLowering::operator()(const CopyCommand& command) {
  const StageSource source = copy_source(build_.file, stage_, build_.names, command, build_.program.stages.size());
  std::string written_dest;
  CopyAction action;
  action.dest = copy_dest(command, written_dest);
  action.allow_empty_wildcard = true;  // COPY a.txt optional* ./ is a common idiom
  std::string flags;
  set_copy_mode(command, action, flags);
  for (const Flag* flag : command.exclude) action.exclude.push_back(expand(*flag, flag->value));

  Op op;
  const std::optional<Digest> tree = copy_tree(command, source);
  if (state_.result) {
    op.inputs.push_back({*state_.result});
    action.base = 0;
  }
  if (tree && state_.result == tree) {
    action.from = 0;
  } else if (tree) {
    action.from = static_cast<int>(op.inputs.size());
    op.inputs.push_back({*tree});
  }
  FileOp file_op;
  std::string written;
  for (const Word& word : command.sources) {
    const std::string text = expand(word);
    if (text.empty()) fail(word.offset, "COPY: a source is empty once its variables have their values");
    if (source.kind == StageSource::Kind::Context)
      lint_.copied(text, word.offset, build_.options.ignore_patterns, build_.options.ignored);
    action.src = clean_absolute(text);
    if (!file_op.actions.empty()) action.base = static_cast<int>(op.inputs.size() + file_op.actions.size()) - 1;
    file_op.actions.emplace_back(action);
    written += concat(text, " ");
  }
  op.what = std::move(file_op);
  const std::string from = command.from != nullptr ? concat("--from=", command.from->value, " ") : std::string();
  state_.result = add(std::move(op), concat(next_prefix(state_.platform), "COPY ", from, flags, written, written_dest));
  remember(concat("COPY ", flags, written, written_dest, " # slipway"), true);
}

}  // namespace slipway::dockerfile
