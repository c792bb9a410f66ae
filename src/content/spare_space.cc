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

bool is_disk_full(const std::filesystem::path& root) noexcept {
  constexpr std::uint64_t kNextToNothing = 1 << 20;  // what was there for the step only may be gone already
  struct statvfs status {};
  if (::statvfs(root.c_str(), &status) != 0 || status.f_blocks == 0) return false;
  const std::uint64_t blocks = ::geteuid() == 0 ? status.f_bfree : status.f_bavail;  // root has its own share
  const bool counts_inodes = status.f_files > 0;                                     // btrfs does not
  return blocks * status.f_frsize < kNextToNothing || (counts_inodes && status.f_ffree == 0);
}

void use_spare_space(const std::filesystem::path& root) noexcept {
  try {
    if (free_space(root) < kSpare) ::unlink((root / "spare").c_str());
  } catch (const std::exception&) {
  }
}

}  // namespace slipway
