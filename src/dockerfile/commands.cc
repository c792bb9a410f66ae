#include "dockerfile/commands.h"

#include "base/strings.h"
#include "dockerfile/flags.h"
#include "dockerfile/instruction_reader.h"
#include "dockerfile/logical_lines.h"
#include "dockerfile/spaces.h"

namespace slipway::dockerfile {
namespace {

void need_arguments(const Dockerfile& file, const Instruction& instruction, std::string_view what) {
  if (instruction.text.empty())
    throw InvalidInput(concat(instruction.keyword, " needs ", what), file.at(instruction, 0));
}

Word whole_text(const Instruction& instruction) { return {instruction.text, 0}; }

/// NAME=VALUE words, or the old "NAME the rest".
std::vector<KeyValue> read_pairs(const Dockerfile& file, const Instruction& instruction) {
  need_arguments(file, instruction, "NAME=VALUE");
  const std::vector<Word> words = split_words(instruction.text, file.escape);
  std::vector<KeyValue> out;
  if (words.front().text.find('=') == std::string::npos) {
    const Word key = split_at_blanks(instruction.text).front();
    std::size_t at = key.offset + key.text.size();
    while (at < instruction.text.size() && is_blank(instruction.text[at])) ++at;
    if (at == instruction.text.size())
      throw InvalidInput(concat(instruction.keyword, " needs a value: ", key.text, "=VALUE"),
                         file.at(instruction, key.offset));
    out.push_back({key, {instruction.text.substr(at), at}});
    return out;
  }
  for (const Word& word : words) {
    const std::size_t equals = word.text.find('=');
    if (equals == std::string::npos)
      throw InvalidInput(concat("\"", word.text, "\" lacks a \"=\"; ", instruction.keyword,
                                " takes NAME=VALUE, with quotes around values that hold blanks"),
                         file.at(instruction, word.offset));
    if (equals == 0)
      throw InvalidInput(concat(instruction.keyword, " names may not be blank"),
                         file.at(instruction, word.offset));
    out.push_back({{word.text.substr(0, equals), word.offset},
                   {word.text.substr(equals + 1), word.offset + equals + 1}});
  }
  return out;
}

ArgCommand read_arg(const Dockerfile& file, const Instruction& instruction) {
  need_arguments(file, instruction, "a name: ARG NAME or ARG NAME=DEFAULT");
  ArgCommand out;
  for (const Word& word : split_words(instruction.text, file.escape)) {
    ArgDeclaration arg;
    const std::size_t equals = word.text.find('=');
    arg.name = {word.text.substr(0, equals), word.offset};
    if (arg.name.text.empty())
      throw InvalidInput("ARG names may not be blank", file.at(instruction, word.offset));
    if (equals != std::string::npos) arg.value = Word{word.text.substr(equals + 1), word.offset + equals + 1};
    out.args.push_back(std::move(arg));
  }
  return out;
}

ShellCommand read_shell(const Dockerfile& file, const Instruction& instruction) {
  need_arguments(file, instruction, "the JSON form: SHELL [\"/bin/sh\", \"-c\"]");
  if (!instruction.json)
    throw InvalidInput("SHELL needs the JSON form: SHELL [\"/bin/sh\", \"-c\"]", file.at(instruction, 0));
  if (instruction.json->empty())
    throw InvalidInput("SHELL needs at least a program in its list", file.at(instruction, 0));
  return {*instruction.json};
}

VolumeCommand read_volume(const Dockerfile& file, const Instruction& instruction) {
  need_arguments(file, instruction, "at least one path");
  VolumeCommand out{words_of(instruction)};
  for (Word& path : out.paths) {
    path.text = std::string(trim_spaces(path.text));
    if (path.text.empty())
      throw InvalidInput("VOLUME: a path may not be empty", file.at(instruction, path.offset));
  }
  if (out.paths.empty()) throw InvalidInput("VOLUME needs at least one path", file.at(instruction, 0));
  return out;
}

UserCommand read_user(const Dockerfile& file, const Instruction& instruction) {
  need_arguments(file, instruction, "a user: USER NAME[:GROUP]");
  return {whole_text(instruction)};
}

Command read_command(const Dockerfile& file, const Instruction& instruction);

OnbuildCommand read_onbuild(const Dockerfile& file, const Instruction& instruction) {
  check_flags(file, instruction, {});
  need_arguments(file, instruction, "an instruction: ONBUILD RUN make");
  const Instruction trigger = read_trigger(file, instruction);
  const auto refuse = [&](std::string_view why) {
    throw InvalidInput(concat(trigger.keyword, " may not follow ONBUILD: ", why), file.at(instruction, 0));
  };
  if (trigger.keyword == "ONBUILD") refuse("triggers have no triggers");
  if (trigger.keyword == "FROM") refuse("a trigger belongs to a stage that is begun already");
  if (trigger.keyword == "MAINTAINER") refuse("it names the author of this image only");
  // Read to find mistakes now: the images built on this one could not mend them.
  read_command(file, trigger);
  OnbuildCommand out{instruction.text};
  for (const Heredoc& heredoc : instruction.heredocs)
    out.instruction += concat("\n", heredoc.body, heredoc.name);
  return out;
}

/// Instructions whose flags mean nothing and are no error either.
bool ignores_flags(const Instruction& instruction) {
  if (instruction.keyword == "HEALTHCHECK") return to_upper(instruction.text.substr(0, 5)) == "NONE";
  return instruction.keyword == "ARG" || instruction.keyword == "STOPSIGNAL";
}

/// Instructions other than FROM.
Command read_command(const Dockerfile& file, const Instruction& instruction) {
  const std::string& keyword = instruction.keyword;
  if (keyword == "RUN") return read_run(file, instruction);
  if (keyword == "COPY" || keyword == "ADD") return read_copy(file, instruction);
  if (keyword == "HEALTHCHECK") return read_healthcheck(file, instruction);
  if (keyword == "ONBUILD") return read_onbuild(file, instruction);
  if (!ignores_flags(instruction)) check_flags(file, instruction, {});
  if (keyword == "ARG") return read_arg(file, instruction);
  if (keyword == "ENV") return EnvCommand{read_pairs(file, instruction)};
  if (keyword == "LABEL") return LabelCommand{read_pairs(file, instruction)};
  if (keyword == "SHELL") return read_shell(file, instruction);
  if (keyword == "VOLUME") return read_volume(file, instruction);
  if (keyword == "USER") return read_user(file, instruction);
  if (keyword == "CMD") return CmdCommand{read_command_line(file, instruction)};
  if (keyword == "ENTRYPOINT") return EntrypointCommand{read_command_line(file, instruction)};
  if (keyword == "WORKDIR") {
    need_arguments(file, instruction, "a path");
    return WorkdirCommand{whole_text(instruction)};
  }
  if (keyword == "EXPOSE") {
    need_arguments(file, instruction, "at least one port");
    return ExposeCommand{split_at_blanks(instruction.text)};
  }
  if (keyword == "STOPSIGNAL") {
    need_arguments(file, instruction, "a signal");
    return StopSignalCommand{whole_text(instruction)};
  }
  need_arguments(file, instruction, "a name");
  return MaintainerCommand{instruction.text};
}

bool valid_stage_name(std::string_view name) {
  if (name.empty() || name.front() < 'a' || name.front() > 'z') return false;
  for (char c : name)
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.')) return false;
  return true;
}

Stage read_from(const Dockerfile& file, const Instruction& instruction, int index) {
  check_flags(file, instruction, {{"platform"}});
  need_arguments(file, instruction, "an image: FROM IMAGE [AS NAME]");
  const std::vector<Word> words = split_at_blanks(instruction.text);
  Stage out;
  out.from = &instruction;
  out.index = index;
  out.base = words[0];
  out.platform = find_flag(instruction, "platform");
  if (words.size() == 1) return out;
  if (to_upper(words[1].text) != "AS")
    throw InvalidInput(concat("after the image FROM takes \"AS NAME\" only, not \"", words[1].text, "\""),
                       file.at(instruction, words[1].offset));
  if (words.size() == 2)
    throw InvalidInput("FROM … AS needs a stage name", file.at(instruction, words[1].offset));
  if (words.size() > 3)
    throw InvalidInput(concat("FROM takes one image and one stage name; \"", words[3].text, "\" is too much"),
                       file.at(instruction, words[3].offset));
  out.name = to_lower(words[2].text);
  if (!valid_stage_name(out.name))
    throw InvalidInput(
        concat("invalid stage name \"", words[2].text,
               "\": it must begin with a letter and may hold letters, digits, \"-\", \"_\" and \".\""),
        file.at(instruction, words[2].offset));
  return out;
}

}  // namespace

CommandLine read_command_line(const Dockerfile& file, const Instruction& instruction) {
  // No command at all is the shell form, too: a shell that is given nothing to do.
  if (!instruction.json) return {true, {instruction.text}};
  if (instruction.keyword == "RUN" && (instruction.json->empty() || instruction.json->front().empty()))
    throw InvalidInput("RUN needs a command; its list is empty", file.at(instruction, 0));
  return {false, *instruction.json};
}

Program read_program(const Dockerfile& file) {
  Program out;
  out.warnings = file.warnings;
  for (const Instruction& instruction : file.instructions) {
    if (!instruction.flags.empty() && ignores_flags(instruction))
      out.warnings.push_back(concat(file.filename, ":", instruction.first_line, ": ", instruction.keyword,
                                    " takes no flags; --", instruction.flags.front().name, " is ignored"));
    if (instruction.keyword == "FROM") {
      out.stages.push_back(read_from(file, instruction, static_cast<int>(out.stages.size())));
      continue;
    }
    if (!out.stages.empty()) {
      out.stages.back().commands.push_back({&instruction, read_command(file, instruction)});
      continue;
    }
    if (instruction.keyword != "ARG")
      throw InvalidInput(concat(instruction.keyword, " stands before the first FROM; only ARG may do that"),
                         file.at(instruction.first_line, instruction.column));
    for (ArgDeclaration& arg : read_arg(file, instruction).args)
      out.global_args.push_back({&instruction, std::move(arg)});
  }
  if (out.stages.empty())
    throw InvalidInput(concat(file.filename, " has no FROM: there is nothing to build on"));
  return out;
}

}  // namespace slipway::dockerfile
