#include "runtime/oci_runtime.h"

#include "base/error.h"
#include "base/strings.h"
#include "base/subprocess.h"
#include "runtime/id_maps.h"

namespace slipway {

namespace {

constexpr const char* kKnown[] = {"crun", "runc"};

[[noreturn]] void throw_missing(const std::string& name) {
  HostError error(concat(name, ", which runs the steps of a build, is not installed"));
  for (const char* known : kKnown)
    if (name == known) error.set_hint(concat("apt-get install ", name));
  throw error;
}

}  // namespace

OciRuntime OciRuntime::find(const std::string& name) {
  const std::string wanted = name.empty() ? kKnown[0] : name;
  const auto program = find_program(wanted);
  if (!program) throw_missing(wanted);
  const ProcessResult answer = run_process({.argv = {program->native(), "--version"}});
  const std::string line = answer.out.substr(0, answer.out.find('\n'));  // "crun version 1.8.1"
  if (answer.ok())
    for (const std::string known : kKnown)
      if (const std::string start = known + " version "; line.starts_with(start))
        return {*program, known, line.substr(start.size())};
  if (!answer.ok()) throw HostError(concat(program->native(), " does not run: ", trim(answer.err)));
  HostError error(concat(program->native(), " is neither crun nor runc"));
  error.set_hint("--oci-runtime takes one of them, by name or by path");
  throw error;
}

std::vector<std::string> OciRuntime::run_command(const Run& run) const {
  std::vector<std::string> command{program_.native(), "--root", run.state.native(), "--log"};
  if (name_ == "crun") {
    // The scheme, as a path may hold a colon.
    command.push_back(concat("file:", run.log.native()));
    command.emplace_back("--cgroup-manager=disabled");
  } else {
    command.push_back(run.log.native());
    // It insists on cgroups unless it is told that it may not have any.
    if (is_user_namespace(read_own_uid_map())) command.emplace_back("--rootless=true");
  }
  for (const std::string& rest : {std::string("--log-format=json"), std::string("run"),
                                  std::string("--bundle"), run.bundle.native(), run.id})
    command.push_back(rest);
  return command;
}

}  // namespace slipway
