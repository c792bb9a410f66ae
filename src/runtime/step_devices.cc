#include "runtime/step_devices.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "base/unique_fd.h"

namespace slipway {
namespace fs = std::filesystem;
namespace {

constexpr std::array<const char*, 6> kNames = {"null", "zero", "full", "random", "urandom", "tty"};
constexpr std::array<std::pair<unsigned, unsigned>, 6> kNumbers = {
    {{1, 3}, {1, 5}, {1, 7}, {1, 8}, {1, 9}, {5, 0}}};

[[noreturn]] void throw_no_nodes(int error_number) {
  HostError error(
      concat("cannot make /dev/null for a step: ", std::generic_category().message(error_number)));
  error.set_hint("--isolation=proot needs no device nodes of its own (apt-get install proot)");
  throw error;
}

void add_shared_memory(const fs::path& directory) {
  fs::create_directory(directory / "shm");
  ::chmod((directory / "shm").c_str(), 01777);
}

}  // namespace

std::span<const char* const> step_device_names() { return kNames; }

void make_device_nodes(const fs::path& directory) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    const fs::path path = directory / kNames[i];
    const auto [major_number, minor_number] = kNumbers[i];
    if (::mknod(path.c_str(), S_IFCHR | 0666, makedev(major_number, minor_number)) != 0)
      throw_no_nodes(errno);
    ::chmod(path.c_str(), 0666);  // whatever the umask
  }
  // On a file system that is mounted "nodev" they can be made and not be used.
  const UniqueFd null{::open((directory / kNames[0]).c_str(), O_WRONLY | O_CLOEXEC)};
  if (!null) throw_no_nodes(errno);
}

void add_device_links(const fs::path& directory) {
  add_shared_memory(directory);
  fs::create_symlink("/proc/self/fd", directory / "fd");
  for (const auto& [name, number] : {std::pair("stdin", '0'), {"stdout", '1'}, {"stderr", '2'}})
    fs::create_symlink(concat("/proc/self/fd/", number), directory / name);
}

void add_output_pipes(const fs::path& directory) {
  add_shared_memory(directory);
  fs::create_symlink("null", directory / "stdin");
  for (const char* name : {"stdout", "stderr"}) {
    const fs::path path = directory / name;
    if (::mkfifo(path.c_str(), 0622) != 0) throw SystemError(errno, "mkfifo", path.native());
    ::chmod(path.c_str(), 0622);  // whatever the umask
  }
}

}  // namespace slipway
