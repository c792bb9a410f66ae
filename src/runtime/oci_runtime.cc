#include "runtime/oci_runtime.h"

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "base/subprocess.h"
#include "runtime/id_maps.h"
#include "runtime/sealed_program.h"

namespace slipway {

namespace {

constexpr const char* kKnown[] = {"crun", "runc"};

[[noreturn]] void throw_missing(const std::string& name) {
  HostError error(concat(name, ", which runs the steps of a build, is not installed"));
  for (const char* known : kKnown)
    if (name == known) error.set_hint(concat("apt-get install ", name));
  throw error;
}

// Both guard themselves from the containers that they start by executing themselves anew from a place that
// cannot be written to (CVE-2019-5736), each time, unless they already run from a sealed copy in memory.
UniqueFd sealed_copy(const std::filesystem::path& program) {
  const std::string bytes = read_file(program);
  if (!bytes.starts_with("\x7f"
                         "ELF"))
    return {};  // a script needs its name
  return sealed_program(bytes, program.filename().c_str());
}

}  // namespace

OciRuntime::OciRuntime(std::filesystem::path program, std::string name, std::string version)
    : program_(std::move(program)), name_(std::move(name)), version_(std::move(version)) {
  UniqueFd copy = sealed_copy(program_);
  if (!copy) return;
  copy_ = std::make_shared<UniqueFd>(std::move(copy));
  program_ = concat("/proc/self/fd/", copy_->get());
}

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
