#include "qemu/host_table.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "qemu/binfmt.h"

namespace slipway {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void refuse(std::string message, std::string hint) {
  HostError error(std::move(message));
  error.set_hint(std::move(hint));
  throw error;
}

// One write: the kernel takes each for a whole registration. The file is neither made nor cut.
int write_once(const fs::path& path, std::string_view bytes) {
  const UniqueFd fd{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
  if (!fd) return errno;
  const ssize_t written = ::write(fd.get(), bytes.data(), bytes.size());
  return written == static_cast<ssize_t>(bytes.size()) ? 0 : written < 0 ? errno : EIO;
}

}  // namespace

HostTable::HostTable(fs::path directory) : directory_(std::move(directory)) {
  const fs::path registry = directory_ / "register";
  if (::access(registry.c_str(), F_OK) != 0)
    refuse(concat("binfmt_misc is not mounted at ", directory_.native()),
           concat("as root: modprobe binfmt_misc; mount -t binfmt_misc none ", directory_.native()));
  if (trim(read_file_if_exists(directory_ / "status").value_or("")) != "enabled")
    refuse("binfmt_misc is switched off on this machine",
           concat("as root: echo 1 > ", (directory_ / "status").native()));
  const UniqueFd fd{::open(registry.c_str(), O_WRONLY | O_CLOEXEC)};
  if (fd) return;
  if (errno == EROFS)
    refuse(concat(directory_.native(), " is mounted read-only"),
           "run it on the host itself, not in a container that has it read-only");
  if (errno == EACCES || errno == EPERM)
    refuse(
        "only root may change this machine's binfmt_misc table",
        "run it as root (sudo slipway qemu ...); builds need no registration: they use a table of their own");
  throw SystemError(errno, "open", registry.native());
}

fs::path HostTable::entry_of(const Platform& platform) const {
  return directory_ / concat("slipway-", qemu_architecture(platform).value_or(platform.architecture()));
}

void HostTable::remove(const fs::path& entry) const {
  if (const int error = write_once(entry, "-1")) throw SystemError(error, "write", entry.native());
}

std::string HostTable::other_entry(const Platform& platform) const {
  const auto target = elf_target(platform);
  const auto entry = target ? find_host_entry(directory_, *target) : std::nullopt;
  return entry && entry->name != entry_of(platform).filename() ? entry->name : "";
}

HostTable::Installed HostTable::install(const Platform& platform, const Emulator& emulator) {
  const auto target = elf_target(platform);
  if (!target) throw HostError(concat("there is no user-mode emulator for ", platform.str()));
  const fs::path path = entry_of(platform);
  const auto own = read_file_if_exists(path);
  if (own) {
    const auto entry = parse_binfmt_entry(*own);
    if (entry && entry->enabled && entry->interpreter == emulator.program &&
        entry->flags == flags_for(emulator))
      return Installed::AlreadyThere;
    remove(path);
  } else if (!other_entry(platform).empty()) {
    return Installed::LeftToOther;
  }
  const std::string line =
      registration_line(path.filename().native(), *target, emulator.program, flags_for(emulator));
  if (const int error = write_once(directory_ / "register", line))
    throw HostError(concat("the kernel refuses to register ", emulator.program.native(), " for ",
                           platform.str(), ": ", ::strerror(error)));
  return own ? Installed::Replaced : Installed::Registered;
}

bool HostTable::uninstall(const Platform& platform) {
  const fs::path path = entry_of(platform);
  if (!read_file_if_exists(path)) return false;
  remove(path);
  return true;
}

}  // namespace slipway
