// COPY, and what ADD has in common with it.
#include <algorithm>

#include "base/strings.h"
#include "dockerfile/chmod_mode.h"
#include "dockerfile/paths.h"
#include "dockerfile/stage_lowering.h"

namespace slipway::dockerfile {
namespace {

bool names_directory(std::string_view dest) {
  return dest.empty() || dest.ends_with('/') || dest == "." || dest == ".." || dest.ends_with("/.") ||
         dest.ends_with("/..");
}

bool is_number(std::string_view text) { return text.empty() || parse_unsigned(text).has_value(); }

bool has_wildcard(std::string_view path) {
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '*' || path[i] == '?' || path[i] == '[') return true;
    if (path[i] == '\\') ++i;
  }
  return false;
}

}  // namespace

std::string StageLowering::copy_dest(const CopyCommand& command, std::string& written) {
  written = expand(command.dest);
  if (written.empty())
    build_.warn(shown_at(),
                "the destination is empty once its variables have their values: it is the working directory");
  if (command.sources.size() + command.inline_files.size() > 1 && !names_directory(written))
    build_.warn(shown_at(),
                concat(at_->keyword, " of more than one source to ", written,
                       ": that must be a directory which is there already, or each replaces the one before; "
                       "end it with \"/\""));
  std::string dest = resolve_path(working_dir(), written);
  if (names_directory(written) && dest != "/") dest += '/';
  return dest;
}

void StageLowering::set_owner(Copying& copying) {
  const Flag* flag = copying.command.chown;
  const std::string text = flag != nullptr ? expand(*flag, flag->value) : std::string();
  if (text.empty()) return;
  Owner owner = parse_owner(text);
  if (text == ":") fail(*flag, "--chown takes USER[:GROUP]; \":\" names neither");
  // What is left out beside a colon is root.
  if (owner.user.empty()) owner.user = "0";
  if (text.ends_with(':')) owner.group = "0";
  if (copying.linked && !(is_number(owner.user) && is_number(owner.group))) {
    InvalidInput error(concat("--chown=", text,
                              " with --link: names cannot be looked up, as the files are copied into a "
                              "layer of their own, where there is no /etc/passwd"),
                       source().at(*flag));
    error.set_hint("give the numbers: --chown=UID:GID");
    throw error;
  }
  copying.action.owner = std::move(owner);
  copying.written += concat(" --chown=", text);
}

void StageLowering::set_mode(Copying& copying, const std::string& text) {
  if (text.empty()) return;
  copying.action.mode = parse_octal_mode(text);
  if (!copying.action.mode) {
    if (!is_symbolic_mode(text)) {
      InvalidInput error(
          concat("--chmod takes an octal mode of at most 07777, or symbols, not \"", text, "\""),
          source().at(*copying.command.chmod));
      error.set_hint("such as --chmod=0644 or --chmod=u=rwX,go=rX");
      throw error;
    }
    copying.action.mode_change = text;
  }
  copying.written += concat(" --chmod=", text);
}

/// Files and directories of a tree; wildcards may match several, or none.
void StageLowering::add_paths(Copying& copying, const std::string& source) {
  CopyAction action = copying.action;
  action.allow_empty_wildcard = true;
  action.attempt_unpack = copying.command.add && copying.command.unpack.value_or(true);
  std::string root = source, kept;
  if (copying.command.parents) {
    const std::size_t pivot = source.find("/./");
    root = pivot == std::string::npos ? "/" : source.substr(0, pivot);
    kept = clean_absolute(pivot == std::string::npos ? source : source.substr(pivot + 3)).substr(1);
    // Of the root itself all is kept.
    if (!kept.empty()) action.include = {kept};
    if (!kept.empty() && !has_wildcard(root) && !has_wildcard(kept)) action.required = {kept};
  }
  action.src = clean_absolute(root);
  action.from = copying.builder.input(tree_of(copying.from, copying.command.from).vertex);
  copying.builder.add(std::move(action));
}

void StageLowering::add_inline_file(Copying& copying, const Heredoc& heredoc) {
  MkfileAction file;
  file.path = concat("/", heredoc_file_name(heredoc));
  file.data = heredoc.body;
  if (heredoc.expand) {
    const Lookup values = checked_lookup([&](std::string_view name, const std::vector<std::string>& known) {
      lint().undefined(name, heredoc, known);
    });
    file.data = placed(0, [&] {
      return expand_text(heredoc.body, values, '\\', build_.budget, {Quotes::Ordinary, false});
    });
  }
  CopyAction action = copying.action;
  action.src = file.path;
  action.follow_symlink = action.copy_dir_contents = action.allow_wildcard = false;
  FileOpBuilder document(std::nullopt);
  document.add(std::move(file));
  action.from =
      copying.builder.input(add_internal(std::move(document).op(), "[internal] preparing inline document"));
  copying.builder.add(std::move(action));
}

void StageLowering::operator()(const CopyCommand& command) {
  const StageSource from = copy_source(build_, source(), stage_, command, lane_.target);
  const std::string mode =
      command.chmod != nullptr ? expand(*command.chmod, command.chmod->value) : std::string();
  // As elsewhere, --link counts for nothing beside --chmod.
  const bool linked = command.link && mode.empty();
  Copying copying{
      .command = command,
      .from = from,
      .builder = FileOpBuilder(linked ? std::nullopt : state_.result),
      .linked = linked,
      .checksum = command.checksum != nullptr ? expand(*command.checksum, command.checksum->value) : "",
      .action = {},
      .written = at_->keyword};
  std::string written_dest;
  copying.action.dest = copy_dest(command, written_dest);
  for (const Flag* flag : command.exclude) copying.action.exclude.push_back(flag->value);
  if (command.parents) copying.written += " --parents";
  set_owner(copying);
  set_mode(copying, mode);
  check_checksum(copying);
  for (const Word& word : command.sources) {
    const std::string text = expand(word);
    copying.written += concat(" ", text);
    if (text.empty())
      build_.warn(shown_at(), concat("the source \"", word.text,
                                     "\" is empty once its variables have their values: it is all there is"));
    if (add_remote(copying, text, word.offset)) continue;
    if (from.kind == StageSource::Kind::Context)
      lint().copied(text, word.offset, build_.options.ignore_patterns, build_.options.ignored);
    add_paths(copying, text);
  }
  for (const Heredoc* heredoc : command.inline_files) {
    copying.written += concat(" <<", heredoc->name);
    add_inline_file(copying, *heredoc);
  }
  const std::string prefix = next_prefix(state_.platform);
  const std::string shown = shown_instruction(lookup(), Quotes::Remove);
  Digest result = add(std::move(copying.builder).op(), concat(prefix, shown));
  if (linked && state_.result) {
    Op merge;
    merge.inputs = {{*state_.result}, {result}};
    merge.what = MergeOp{};
    result = add(std::move(merge), concat(prefix, "LINK ", shown));
  }
  state_.result = std::move(result);
  remember(concat(copying.written, " ", written_dest, " # slipway"), true);
}

}  // namespace slipway::dockerfile
