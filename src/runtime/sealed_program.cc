#include "runtime/sealed_program.h"

#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/files.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U  // Linux 6.3
#endif

namespace slipway {

UniqueFd sealed_program(std::string_view bytes, const char* name) {
  constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  UniqueFd fd{::memfd_create(name, kFlags | MFD_EXEC)};
  if (!fd) fd = UniqueFd{::memfd_create(name, kFlags)};
  if (!fd) return {};
  write_all(fd.get(), bytes, name);
  struct stat status {};
  const bool executable = ::fstat(fd.get(), &status) == 0 && (status.st_mode & S_IXUSR) != 0;
  if (!executable ||
      ::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0)
    return {};
  return fd;
}

}  // namespace slipway
