#include "runtime/proot_first.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"

namespace slipway {
namespace {

constexpr std::string_view kName = ".slipway-first";
constexpr int kKilled = 255;  // what proot says of it

std::string_view program_bytes() {
#if defined(SLIPWAY_HAS_PROOT_FIRST)
  static constexpr unsigned char kProgram[] = {
#include "runtime/proot_first/bytes.inc"
  };
  return {reinterpret_cast<const char*>(kProgram), sizeof kProgram};
#else
  return {};
#endif
}

}  // namespace

ProotFirst::ProotFirst(const std::filesystem::path& dev) : possible_(!program_bytes().empty()) {
  if (!possible_) return;
  const std::filesystem::path place = dev / kName;
  write_file_atomic(place, program_bytes(), Durability::None, 0755);
  if (::chmod(place.c_str(), 0755) != 0)
    throw SystemError(errno, "chmod", place.native());  // whatever the umask
  result_ = UniqueFd(::memfd_create("exit-code", MFD_CLOEXEC));
  if (!result_) throw SystemError(errno, "memfd_create");
}

std::vector<std::string> ProotFirst::command(const std::string& program,
                                             const std::vector<std::string>& args) const {
  std::vector<std::string> command;
  if (possible_) command = {concat("/dev/", kName), std::to_string(result_.get()), program};
  command.insert(command.end(), args.begin(), args.end());
  return command;
}

int ProotFirst::hand_down() const noexcept {
  return !possible_ || ::fcntl(result_.get(), F_SETFD, 0) == 0 ? 0 : errno;
}

int ProotFirst::exit_code(int of_proot) const {
  if (!possible_) return of_proot;
  unsigned char code = 0;
  if (::pread(result_.get(), &code, 1, 0) == 1) return code;
  return of_proot != 0 ? of_proot : kKilled;
}

}  // namespace slipway
