#include "runtime/step_launch.h"

#include <fcntl.h>

#include "base/files.h"
#include "base/strings.h"
#include "runtime/sealed_program.h"

namespace slipway {

namespace {

constexpr unsigned char kProgram[] = {
#include "runtime/launch/bytes.inc"
};
std::string_view program_bytes() { return {reinterpret_cast<const char*>(kProgram), sizeof kProgram}; }

// A file without a name, where the kernel has no programs in memory.
UniqueFd unnamed_program() {
  const std::filesystem::path directory = std::filesystem::temp_directory_path();
  const UniqueFd writable = open_file(directory, O_TMPFILE | O_RDWR, 0700);
  write_all(writable.get(), program_bytes(), directory.native());
  return open_file(concat("/proc/self/fd/", writable.get()), O_RDONLY);
}

int launch_program() {
  static const UniqueFd program = [] {
    UniqueFd sealed = sealed_program(program_bytes(), "slipway-launch");
    return sealed ? std::move(sealed) : unnamed_program();
  }();
  return program.get();
}

}  // namespace

void StepLaunch::keep() { orders_.emplace_back("keep"); }

void StepLaunch::join(const StepCgroup& group) {
  // A process with one thread may move that one (v1 only): for "0" in `tasks` the kernel need not stop all
  // forks and exits of the machine first, which takes it 10 ms (kernel/cgroup/cgroup.c,
  // cgroup_procs_write_start).
  for (const std::filesystem::path& directory : group.directories())
    orders_.insert(orders_.end(),
                   {"join", std::filesystem::exists(directory / "tasks") ? directory / "tasks"
                                                                         : directory / "cgroup.procs"});
}

void StepLaunch::raise(const ResourceLimits& limits) {
  for (const ResourceLimits::Wanted& wanted : limits.wanted())
    orders_.insert(orders_.end(),
                   {"raise", std::to_string(wanted.resource), std::to_string(wanted.limit.rlim_max)});
}

void StepLaunch::enter(const PrivateBinfmt& binfmt) {
  const BinfmtEntryPlan plan = binfmt.plan();
  orders_.insert(orders_.end(), {"binfmt", report_, plan.mount_point, plan.register_file, plan.registration,
                                 plan.interpreter, plan.stand_in, plan.uid_lines, plan.gid_lines});
}

void StepLaunch::prepend_to(Command& command, int inherited) const {
  const int program = launch_program();
  std::vector<std::string> argv{concat("/proc/self/fd/", program)};
  argv.insert(argv.end(), orders_.begin(), orders_.end());
  argv.emplace_back("run");
  argv.insert(argv.end(), command.argv.begin(), command.argv.end());
  command.argv = std::move(argv);
  command.inherited = {program};
  if (inherited >= 0) command.inherited.push_back(inherited);
}

std::optional<BinfmtEntryFailure> StepLaunch::failure() const {
  const auto report = read_file_if_exists(report_);
  if (!report || report->size() < 3) return std::nullopt;
  const auto stage = static_cast<BinfmtEntryFailure::Stage>(report->front() - '0');
  return BinfmtEntryFailure{stage, std::stoi(report->substr(2))};
}

}  // namespace slipway
