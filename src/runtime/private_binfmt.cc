#include "runtime/private_binfmt.h"

#include <sys/mman.h>

#include <cerrno>
#include <new>
#include <system_error>

#include "base/strings.h"
#include "base/subprocess.h"
#include "runtime/id_maps.h"

namespace slipway {

using Stage = BinfmtEntryFailure::Stage;

PrivateBinfmt::PrivateBinfmt(const std::filesystem::path& mount_point, const Execution& execution)
    : mount_point_(mount_point.native()),
      register_file_(mount_point_ + "/register"),
      registration_(execution.registration),
      interpreter_(execution.stand_in.empty() ? "-" : execution.emulator->program.native()),
      stand_in_(execution.stand_in.empty() ? "-" : execution.stand_in.native()),
      uid_lines_(identity_lines(read_own_uid_map())),
      gid_lines_(identity_lines(read_own_gid_map())) {
  void* memory =
      ::mmap(nullptr, sizeof(BinfmtEntryFailure), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw SystemError(errno, "mmap");
  shared_ = new (memory) BinfmtEntryFailure{};
}

PrivateBinfmt::~PrivateBinfmt() { ::munmap(shared_, sizeof(BinfmtEntryFailure)); }

BinfmtEntryPlan PrivateBinfmt::plan() const {
  return {.mount_point = mount_point_.c_str(),
          .register_file = register_file_.c_str(),
          .registration = registration_.c_str(),
          .interpreter = interpreter_.c_str(),
          .stand_in = stand_in_.c_str(),
          .uid_lines = uid_lines_.c_str(),
          .gid_lines = gid_lines_.c_str()};
}

int PrivateBinfmt::enter() const noexcept {
  *shared_ = enter_private_binfmt(plan());
  return shared_->error;
}

void PrivateBinfmt::throw_if_failed() const {
  if (shared_->stage != Stage::NotFailed) throw_binfmt_failure(*shared_);
}

namespace {

std::string alternatives() {
  return concat(
      "register QEMU on the host with flag F (apt-get install qemu-user-static binfmt-support), or run all "
      "steps by proot, which keeps none of them in (--isolation=proot",
      find_program("proot") ? ")" : ", after apt-get install proot)");
}

}  // namespace

void throw_binfmt_failure(const BinfmtEntryFailure& failure) {
  const char* what = "starting a process";
  std::string hint;
  switch (failure.stage) {
    case Stage::UserNamespace:
      what = "the kernel refuses a user namespace";
      hint = alternatives();
      break;
    case Stage::Maps:
      what = "the kernel refuses the id maps of a user namespace";
      hint = alternatives();
      break;
    case Stage::Mount:
      what = "the kernel does not let a user namespace have a binfmt_misc of its own";
      hint = concat("have Linux 6.7 or newer with binfmt_misc (modprobe binfmt_misc), or ", alternatives());
      break;
    case Stage::Register:
      what = "the kernel refuses the emulator's registration";
      hint = alternatives();
      break;
    case Stage::NotFailed:
    case Stage::Process:
      break;
  }
  HostError error(
      concat("cannot set up emulation: ", what, ": ", std::generic_category().message(failure.error)));
  error.set_hint(std::move(hint));
  throw error;
}

}  // namespace slipway
