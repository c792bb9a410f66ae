#include "base/strings.h"
#include "dockerfile/commands.h"
#include "dockerfile/flags.h"

namespace slipway::dockerfile {
namespace {

bool is_remote(std::string_view source) {
  for (std::string_view scheme : {"http://", "https://", "git://", "ssh://", "git@"})
    if (source.starts_with(scheme)) return true;
  return false;
}

bool names_directory(std::string_view dest) {
  return dest.ends_with('/') || dest == "." || dest.ends_with("/.");
}

}  // namespace

CopyCommand read_copy(const Dockerfile& file, const Instruction& instruction) {
  using Kind = FlagRule::Kind;
  check_flags(file, instruction,
              {{"from"}, {"chown"}, {"chmod"}, {"exclude", Kind::Values}, {"link", Kind::Unsupported},
               {"parents", Kind::Unsupported}});
  std::vector<Word> words;
  if (instruction.json) {
    for (const std::string& element : *instruction.json) words.push_back({element, 0});
  } else {
    words = split_at_blanks(instruction.text);
  }
  if (words.size() < 2)
    throw InvalidInput("COPY needs at least two arguments: COPY SOURCE… DEST", file.at(instruction, 0));
  CopyCommand out;
  out.dest = words.back();
  words.pop_back();
  for (const Word& source : words) {
    if (source.text.empty()) throw InvalidInput("COPY: a source may not be empty", file.at(instruction, source.offset));
    if (is_remote(source.text))
      throw InvalidInput(concat("COPY takes files of the context, a stage or an image, not the URL \"", source.text, "\""),
                         file.at(instruction, source.offset));
  }
  // A variable at the end of the destination is looked at again once it has its value.
  if (words.size() > 1 && !names_directory(out.dest.text) && out.dest.text.find('$') == std::string::npos)
    throw InvalidInput("COPY of more than one source needs a directory as destination: end it with \"/\"",
                       file.at(instruction, out.dest.offset));
  out.sources = std::move(words);
  out.from = find_flag(instruction, "from");
  out.chown = find_flag(instruction, "chown");
  out.chmod = find_flag(instruction, "chmod");
  out.exclude = find_flags(instruction, "exclude");
  return out;
}

}  // namespace slipway::dockerfile
