#include "build/emulator_image.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>

#include "base/error.h"
#include "base/files.h"
#include "base/rooted.h"
#include "base/strings.h"
#include "graph/ops.h"
#include "nodes/image_source.h"

namespace slipway {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kLargestEmulator = std::size_t{128} << 20;
constexpr const char* kEmulated =
    "linux/amd64,linux/386,linux/arm64,linux/arm,linux/ppc64le,linux/s390x,linux/riscv64,linux/mips64le";
constexpr std::array kDirectories = {"usr/bin", "usr/local/bin", "bin", ""};

// The bytes of a regular file of the image; nothing if there is none.
std::optional<std::string> read_program(const RootedDir& root, const std::string& path) {
  const auto fd = root.try_open(path, O_RDONLY | O_NONBLOCK);
  struct stat status {};
  if (!fd || ::fstat(fd->get(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  return read_all(fd->get(), path, kLargestEmulator);
}

std::optional<std::string> find_in_image(const RootedDir& root, const std::string& name) {
  for (const char* directory : kDirectories)
    for (const char* suffix : {"-static", ""})
      if (auto bytes = read_program(root, concat(directory, "/", name, suffix))) return bytes;
  return std::nullopt;
}

/// How many there were.
int copy_emulators(const fs::path& image, const fs::path& to) {
  const RootedDir root(image);
  int copied = 0;
  for (const Platform& platform : parse_platform_list(kEmulated)) {
    const std::string name = "qemu-" + qemu_architecture(platform).value();
    const auto bytes = find_in_image(root, name);
    if (!bytes) continue;
    write_file_atomic(to / name, *bytes, Durability::Fsync, 0755);
    ++copied;
  }
  return copied;
}

}  // namespace

fs::path extract_emulators(Store& store, RegistryClient& registry, const ImageRef& image,
                           std::stop_token stop) {
  ImageSource images(store, registry);
  const ImageRef pinned = images.resolve(image, Platform::host(), stop).pinned;
  const fs::path directory = store.root() / "emulators" / pinned.digest()->hex();
  store.lease(LeaseKind::Emulators, std::string(pinned.digest()->hex()));
  if (fs::is_directory(directory)) return directory;
  const auto snapshot =
      images.unpack({.identifier = "docker-image://" + pinned.str(), .attrs = {}}, {}, stop);
  // Filled elsewhere, then renamed: the directory is whole or not there.
  const TempDir work(store.temp_directory(), "emulators");
  const fs::path filled = work.path() / "filled";
  fs::create_directory(filled);
  if (!snapshot || copy_emulators(store.snapshots().view(*snapshot).path(), filled) == 0)
    throw NotFound(
        "there is no qemu-ARCHITECTURE or qemu-ARCHITECTURE-static in its /usr/bin, "
        "/usr/local/bin, /bin or /");
  fs::create_directories(directory.parent_path());
  std::error_code problem;
  fs::rename(filled, directory, problem);
  if (problem && !fs::is_directory(directory))  // another process may have been faster
    throw SystemError(problem.value(), "rename", directory.native());
  return directory;
}

}  // namespace slipway
