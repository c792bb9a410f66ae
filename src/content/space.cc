#include "content/space.h"

#include <sys/statvfs.h>

#include <cerrno>
#include <cstdint>

#include "base/strings.h"

namespace slipway {

std::string space_left(const std::filesystem::path& path) {
  struct statvfs status {};
  if (::statvfs(path.c_str(), &status) != 0) return {};
  const auto bytes =
      static_cast<std::uint64_t>(status.f_bavail) * static_cast<std::uint64_t>(status.f_frsize);
  return concat(human_bytes(bytes), " left on the file system of ", path.native());
}

SystemError with_space_left(const SystemError& error, const std::filesystem::path& path) {
  if (error.error_number() != ENOSPC && error.error_number() != EDQUOT) return error;
  SystemError fuller(error.error_number(), "write", concat("the store (", space_left(path), ")"));
  fuller.set_hint("Free some space there, or choose another place with --root or SLIPWAY_ROOT.");
  return fuller;
}

}  // namespace slipway
