#include "qemu/elf.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/unique_fd.h"

namespace slipway {
namespace {

using Row = std::pair<std::string_view, ElfTarget>;

constexpr std::array<Row, 8> kTargets{{
    {"amd64", {.is_64bit = true, .is_little_endian = true, .machine = EM_X86_64}},
    {"386", {.is_64bit = false, .is_little_endian = true, .machine = EM_386}},
    {"arm64", {.is_64bit = true, .is_little_endian = true, .machine = EM_AARCH64}},
    {"arm", {.is_64bit = false, .is_little_endian = true, .machine = EM_ARM}},
    {"ppc64le", {.is_64bit = true, .is_little_endian = true, .machine = EM_PPC64}},
    {"s390x", {.is_64bit = true, .is_little_endian = false, .machine = EM_S390}},
    {"riscv64", {.is_64bit = true, .is_little_endian = true, .machine = EM_RISCV}},
    {"mips64le", {.is_64bit = true, .is_little_endian = true, .machine = EM_MIPS, .any_abi_version = true}},
}};

template <class T>
bool read_at(int fd, std::uint64_t offset, T& value) {
  return ::pread(fd, &value, sizeof value, static_cast<off_t>(offset)) == static_cast<ssize_t>(sizeof value);
}

// Only programs of this machine's byte order are asked about (an emulator runs here), so fields are read as
// they are.
template <class Header, class Segment>
bool has_no_interpreter(int fd) {
  Header header{};
  if (!read_at(fd, 0, header)) return false;
  if (header.e_type != ET_EXEC && header.e_type != ET_DYN) return false;
  if (header.e_phentsize != sizeof(Segment) || header.e_phnum == 0) return false;
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    Segment segment{};
    if (!read_at(fd, header.e_phoff + i * sizeof segment, segment)) return false;
    if (segment.p_type == PT_INTERP) return false;
  }
  return true;
}

}  // namespace

std::optional<ElfTarget> elf_target(const Platform& platform) {
  if (platform.os() != "linux") return std::nullopt;
  for (const auto& [architecture, target] : kTargets)
    if (architecture == platform.architecture()) return target;
  return std::nullopt;
}

std::string elf_header(const ElfTarget& target, std::uint8_t type) {
  std::string bytes(20, '\0');
  bytes.replace(0, SELFMAG, ELFMAG);
  bytes[EI_CLASS] = target.is_64bit ? ELFCLASS64 : ELFCLASS32;
  bytes[EI_DATA] = target.is_little_endian ? ELFDATA2LSB : ELFDATA2MSB;
  bytes[EI_VERSION] = EV_CURRENT;
  const std::size_t low = target.is_little_endian ? 0 : 1;
  bytes[16 + low] = static_cast<char>(type);
  bytes[18 + low] = static_cast<char>(target.machine & 0xff);
  bytes[19 - low] = static_cast<char>(target.machine >> 8);
  return bytes;
}

bool ElfTarget::same_machine(const ElfTarget& other) const {
  return is_64bit == other.is_64bit && is_little_endian == other.is_little_endian && machine == other.machine;
}

std::optional<ElfTarget> read_elf_target(const std::filesystem::path& program) {
  const UniqueFd fd{::open(program.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
  struct stat status {};
  std::array<unsigned char, 20> header{};
  if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  if (!read_at(fd.get(), 0, header) || std::memcmp(header.data(), ELFMAG, SELFMAG) != 0) return std::nullopt;
  const bool little = header[EI_DATA] == ELFDATA2LSB;
  const unsigned machine = little ? header[18] + header[19] * 256u : header[19] + header[18] * 256u;
  return ElfTarget{.is_64bit = header[EI_CLASS] == ELFCLASS64,
                   .is_little_endian = little,
                   .machine = static_cast<std::uint16_t>(machine)};
}

bool is_static_program(const std::filesystem::path& path) {
  const UniqueFd fd{::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
  std::array<unsigned char, EI_NIDENT> ident{};
  if (!read_at(fd.get(), 0, ident) || std::memcmp(ident.data(), ELFMAG, SELFMAG) != 0) return false;
  const bool little = std::endian::native == std::endian::little;
  if (ident[EI_DATA] != (little ? ELFDATA2LSB : ELFDATA2MSB)) return false;
  if (ident[EI_CLASS] == ELFCLASS64) return has_no_interpreter<Elf64_Ehdr, Elf64_Phdr>(fd.get());
  if (ident[EI_CLASS] == ELFCLASS32) return has_no_interpreter<Elf32_Ehdr, Elf32_Phdr>(fd.get());
  return false;
}

}  // namespace slipway
