#include "content/spare_space.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstdint>
#include <exception>

#include "base/unique_fd.h"

namespace slipway {
namespace {

constexpr std::uint64_t kSpare = 512 << 10;
constexpr std::uint64_t kRoomToMake = 32 * kSpare;

std::uint64_t free_space(const std::filesystem::path& root) {
  struct statvfs status {};
  if (::statvfs(root.c_str(), &status) != 0) return kSpare;
  return static_cast<std::uint64_t>(status.f_bavail) * static_cast<std::uint64_t>(status.f_frsize);
}

}  // namespace

void keep_spare_space(const std::filesystem::path& root) noexcept {
  try {
    const std::filesystem::path path = root / "spare";
    if (::access(path.c_str(), F_OK) == 0 || free_space(root) < kRoomToMake) return;
    const UniqueFd fd{::open(path.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600)};
    if (fd && ::fallocate(fd.get(), 0, 0, static_cast<off_t>(kSpare)) != 0) ::unlink(path.c_str());
  } catch (const std::exception&) {
  }
}

void use_spare_space(const std::filesystem::path& root) noexcept {
  try {
    if (free_space(root) < kSpare) ::unlink((root / "spare").c_str());
  } catch (const std::exception&) {
  }
}

}  // namespace slipway
