// COPY and ADD.
#include <algorithm>

#include "base/strings.h"
#include "dockerfile/commands.h"
#include "dockerfile/flags.h"
#include "dockerfile/heredocs.h"

namespace slipway::dockerfile {
namespace {

bool is_remote(std::string_view source) {
  for (std::string_view scheme : {"http://", "https://", "git://", "ssh://"})
    if (source.starts_with(scheme)) return true;
  return source.starts_with("git@") && source.find(':') != std::string_view::npos;
}

void check_copy_flags(const Dockerfile& file, const Instruction& instruction) {
  using Kind = FlagRule::Kind;
  if (instruction.keyword == "ADD") {
    check_flags(file, instruction,
                {{"chown"},
                 {"chmod"},
                 {"link", Kind::Boolean},
                 {"exclude", Kind::Values},
                 {"keep-git-dir", Kind::Boolean},
                 {"checksum"},
                 {"unpack", Kind::Boolean}});
  } else {
    check_flags(file, instruction,
                {{"from"},
                 {"chown"},
                 {"chmod"},
                 {"link", Kind::Boolean},
                 {"parents", Kind::Boolean},
                 {"exclude", Kind::Values}});
  }
}

/// Hands out the bodies of an instruction by the words that begin them.
class InlineFiles {
 public:
  InlineFiles(const Dockerfile& file, const Instruction& instruction)
      : file_(file), instruction_(instruction), used_(instruction.heredocs.size(), false) {}

  /// Null if the word begins no here-document.
  const Heredoc* take(const Word& word) {
    const std::optional<Heredoc> begun = instruction_.json ? std::nullopt : heredoc_of_word(word.text);
    if (!begun) return nullptr;
    for (std::size_t i = 0; i < used_.size(); ++i) {
      if (used_[i] || instruction_.heredocs[i].name != begun->name) continue;
      used_[i] = true;
      return &instruction_.heredocs[i];
    }
    throw InvalidInput(concat(word.text, " stands inside quotes and begins no here-document"),
                       file_.at(instruction_, word.offset));
  }
  /// A name with blanks is several words to COPY.
  void check_all_taken() const {
    for (std::size_t i = 0; i < used_.size(); ++i)
      if (!used_[i])
        throw InvalidInput(
            concat(instruction_.keyword, ": write the here-document's name (", instruction_.heredocs[i].name,
                   ") behind << without blanks, as it is the file's name"),
            file_.at(instruction_, instruction_.text.find("<<")));
  }

 private:
  const Dockerfile& file_;
  const Instruction& instruction_;
  std::vector<bool> used_;
};

void check_source(const Dockerfile& file, const Instruction& instruction, const Word& source) {
  if (source.text.empty())
    throw InvalidInput(concat(instruction.keyword, ": a source may not be empty"),
                       file.at(instruction, source.offset));
  if (instruction.keyword == "ADD" || !is_remote(source.text)) return;
  InvalidInput error(concat("COPY takes files of the context, a stage or an image, not the URL \"",
                            source.text.substr(0, 200), "\""),
                     file.at(instruction, source.offset));
  error.set_hint("ADD takes URLs");
  throw error;
}

}  // namespace

CopyCommand read_copy(const Dockerfile& file, const Instruction& instruction) {
  check_copy_flags(file, instruction);
  std::vector<Word> words = words_of(instruction);
  if (words.size() < 2)
    throw InvalidInput(
        concat(instruction.keyword, " needs at least two arguments: ", instruction.keyword, " SOURCE… DEST"),
        file.at(instruction, 0));
  CopyCommand out;
  out.add = instruction.keyword == "ADD";
  out.dest = std::move(words.back());
  words.pop_back();
  InlineFiles inline_files(file, instruction);
  if (inline_files.take(out.dest) != nullptr)
    throw InvalidInput(
        concat("a here-document is a source; ", instruction.keyword, " lacks a destination after it"),
        file.at(instruction, out.dest.offset));
  for (Word& word : words) {
    if (const Heredoc* body = inline_files.take(word)) {
      out.inline_files.push_back(body);
    } else {
      check_source(file, instruction, word);
      out.sources.push_back(std::move(word));
    }
  }
  inline_files.check_all_taken();
  out.from = find_flag(instruction, "from");
  out.chown = find_flag(instruction, "chown");
  out.chmod = find_flag(instruction, "chmod");
  out.exclude = find_flags(instruction, "exclude");
  out.link = boolean_flag(instruction, "link").value_or(false);
  out.parents = boolean_flag(instruction, "parents").value_or(false);
  out.keep_git_dir = boolean_flag(instruction, "keep-git-dir").value_or(false);
  out.checksum = find_flag(instruction, "checksum");
  out.unpack = boolean_flag(instruction, "unpack");
  return out;
}

}  // namespace slipway::dockerfile
