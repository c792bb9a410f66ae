#include "slipway/cli_llb.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "base/unique_fd.h"
#include "build/frontend.h"
#include "registry/client.h"
#include "slipway/llb_text.h"
#include "slipway/open_store.h"

namespace slipway {

namespace {

constexpr const char* kStdio = "-";
constexpr const char* kJson = "json";

/// No more than any definition may have, and a little, which tells that it is more.
std::string read_limited(int fd, const std::string& shown) {
  constexpr std::size_t kMost = (std::size_t{64} << 20) + 1;
  std::string bytes;
  std::string block(std::size_t{1} << 16, '\0');
  while (bytes.size() < kMost) {
    const ssize_t count = ::read(fd, block.data(), block.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw SystemError(errno, "read", shown);
    if (count == 0) break;
    bytes.append(block, 0, static_cast<std::size_t>(count));
  }
  return bytes;
}

void print_binary(const std::string& where, const std::vector<PrintedDefinition>& printed) {
  const auto bytes = [](const PrintedDefinition& one) {
    return encode_definition(*one.graph, one.result, *one.sources);
  };
  if (where != kStdio) {
    for (const PrintedDefinition& one : printed) {
      std::string platform = one.platform;
      std::ranges::replace(platform, '/', '_');
      write_file_atomic(printed.size() == 1 ? where : concat(where, ".", platform), bytes(one));
    }
    return;
  }
  if (printed.size() > 1)
    throw UsageError("--print-llb: the definitions of several platforms need files: --print-llb=FILE");
  if (::isatty(STDOUT_FILENO) == 1) {
    UsageError terminal("--print-llb: a definition is not for a terminal");
    terminal.set_hint("name a file: --print-llb=FILE, or have it readable: --print-llb=json");
    throw terminal;
  }
  write_all(STDOUT_FILENO, bytes(printed.front()), "stdout");
}

void print(const std::string& where, const std::vector<PrintedDefinition>& printed) {
  if (where == kJson) {
    write_all(STDOUT_FILENO, definitions_json(printed), "stdout");
  } else {
    print_binary(where, printed);
  }
}

}  // namespace

Definition read_definition(const std::string& file) {
  try {
    const UniqueFd opened = file == kStdio ? UniqueFd() : open_file(file, O_RDONLY);
    return decode_definition(read_limited(opened ? opened.get() : STDIN_FILENO, file));
  } catch (const SystemError& e) {
    throw UsageError(concat("--llb: ", e.what()));
  } catch (const InvalidInput& e) {
    throw UsageError(concat("--llb ", file == kStdio ? "from stdin" : file, ": ", e.what()));
  }
}

int print_llb(const std::string& where, const BuildRequest& request, CommandContext& context) {
  std::vector<PrintedDefinition> printed;
  if (request.definition) {
    const Definition& given = *request.definition;
    printed.push_back({.platform = {},
                       .graph = &given.graph,
                       .result = {given.result, given.result_index},
                       .sources = &given.sources});
    print(where, printed);
    return 0;
  }
  const std::unique_ptr<Store> store = open_store(context);
  RegistryClient registry({}, docker_config_credentials(), context.logger);
  NullProgress progress;
  BuildInputs inputs(request, *store, registry, progress);
  inputs.load(context.stop);
  const dockerfile::Lowered lowered = lower_request(request, inputs, progress, context.stop);
  const DockerfileFile& file = inputs.contexts().dockerfile();
  const std::vector<SourceText> sources{{.name = file.name, .text = file.text, .language = "Dockerfile"}};
  for (const dockerfile::LoweredLane& lane : lowered.lanes) {
    if (!lane.result)
      throw InvalidInput(concat("the file system for ", lane.platform.str(),
                                " is empty: there is no operation to write down"));
    printed.push_back({.platform = lane.platform.str(),
                       .graph = &lowered.graph,
                       .result = {*lane.result},
                       .sources = &sources});
  }
  print(where, printed);
  return 0;
}

}  // namespace slipway
