#include "accel/dynamic_program.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <deque>
#include <set>
#include <type_traits>

#include "base/error.h"
#include "base/strings.h"

namespace slipway {
namespace {

constexpr std::size_t kMaxSegments = 128;
constexpr std::size_t kMaxDynamic = std::size_t{64} << 10;
constexpr std::size_t kMaxLibraries = 256;  // all together, and of one file

constexpr std::uint16_t own_machine() {
#if defined(__x86_64__)
  return EM_X86_64;
#elif defined(__aarch64__)
  return EM_AARCH64;
#elif defined(__powerpc64__)
  return EM_PPC64;
#elif defined(__riscv)
  return EM_RISCV;
#else
  return EM_NONE;  // big-endian ones: none of their programs is taken
#endif
}

/// Exactly `size` bytes, or nothing.
std::optional<std::string> read_at(int fd, std::uint64_t offset, std::size_t size) {
  if (offset > std::uint64_t{1} << 40) return std::nullopt;
  std::string bytes(size, '\0');
  std::size_t done = 0;
  while (done < size) {
    const ssize_t n = ::pread(fd, bytes.data() + done, size - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw SystemError(errno, "read", "an ELF file");
    if (n == 0) return std::nullopt;
    done += static_cast<std::size_t>(n);
  }
  return bytes;
}

template <class T>
std::vector<T> records(std::string_view bytes) {
  static_assert(std::is_trivially_copyable_v<T>);
  std::vector<T> all(bytes.size() / sizeof(T));
  if (!all.empty()) bytes.copy(reinterpret_cast<char*>(all.data()), all.size() * sizeof(T));
  return all;
}

/// What a loader reads of a program or library.
struct Needs {
  std::string interpreter;
  std::vector<std::string> libraries;
  std::string why_not;
};

/// One name of a table, which may be large (compilers export all they have for plugins).
std::optional<std::string> name_at(int fd, std::uint64_t table, std::uint64_t size, std::uint64_t offset) {
  if (offset >= size) return std::nullopt;
  const auto bytes = read_at(fd, table + offset, std::min<std::uint64_t>(size - offset, NAME_MAX + 1));
  if (!bytes) return std::nullopt;
  const auto end = bytes->find('\0');
  if (end == std::string::npos || end == 0) return std::nullopt;
  return bytes->substr(0, end);
}

Needs refused(std::string why) { return {.interpreter = {}, .libraries = {}, .why_not = std::move(why)}; }

Needs read_dynamic(int fd, const Elf64_Phdr& dynamic, const std::vector<Elf64_Phdr>& segments, Needs needs) {
  if (dynamic.p_filesz > kMaxDynamic) return refused("its dynamic section is absurdly large");
  const auto bytes = read_at(fd, dynamic.p_offset, dynamic.p_filesz);
  if (!bytes) return refused("it is cut short");
  std::uint64_t table = 0, table_size = 0;
  std::vector<std::uint64_t> wanted;
  for (const auto& entry : records<Elf64_Dyn>(*bytes)) {
    if (entry.d_tag == DT_NULL) break;
    if (entry.d_tag == DT_NEEDED) wanted.push_back(entry.d_un.d_val);
    if (entry.d_tag == DT_STRTAB) table = entry.d_un.d_ptr;
    if (entry.d_tag == DT_STRSZ) table_size = entry.d_un.d_val;
    if (entry.d_tag == DT_RPATH || entry.d_tag == DT_RUNPATH) return refused("it has a run path");
  }
  if (wanted.empty()) return needs;
  if (wanted.size() > kMaxLibraries) return refused("it needs absurdly many libraries");
  const auto home = std::ranges::find_if(segments, [&](const Elf64_Phdr& s) {
    return s.p_type == PT_LOAD && table >= s.p_vaddr && table - s.p_vaddr < s.p_filesz;
  });
  if (home == segments.end()) return refused("its table of names is not in it");
  for (const std::uint64_t offset : wanted) {
    auto name = name_at(fd, home->p_offset + (table - home->p_vaddr), table_size, offset);
    if (!name) return refused("its table of names is broken");
    needs.libraries.push_back(std::move(*name));
  }
  return needs;
}

Needs read_needs(int fd) {
  const auto start = read_at(fd, 0, sizeof(Elf64_Ehdr));
  if (!start || !start->starts_with(ELFMAG)) return refused("it is not an ELF program");
  const Elf64_Ehdr header = records<Elf64_Ehdr>(*start).front();
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
      header.e_machine != own_machine())
    return refused("it is not a program of this machine");
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum > kMaxSegments)
    return refused("its program headers are broken");
  const auto bytes = read_at(fd, header.e_phoff, header.e_phnum * sizeof(Elf64_Phdr));
  if (!bytes) return refused("it is cut short");
  const auto segments = records<Elf64_Phdr>(*bytes);

  Needs needs;
  for (const Elf64_Phdr& segment : segments) {
    if (segment.p_type != PT_INTERP) continue;
    if (segment.p_filesz < 2 || segment.p_filesz > PATH_MAX) return refused("its loader's name is broken");
    const auto name = read_at(fd, segment.p_offset, segment.p_filesz);
    if (!name) return refused("it is cut short");
    needs.interpreter = name->c_str();
  }
  for (const Elf64_Phdr& segment : segments)
    if (segment.p_type == PT_DYNAMIC) return read_dynamic(fd, segment, segments, std::move(needs));
  return needs;
}

/// Where a loader at `loader` looks of itself; links resolved, none twice.
std::vector<std::string> default_directories(const RootedDir& tree, const std::string& loader) {
  std::vector<std::string> all{loader.substr(0, loader.rfind('/'))};
  for (const std::string triplet :
       {"x86_64-linux-gnu", "aarch64-linux-gnu", "powerpc64le-linux-gnu", "riscv64-linux-gnu"})
    for (const std::string base : {"/lib/", "/usr/lib/"}) all.push_back(base + triplet);
  for (const std::string other : {"/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib"})
    all.push_back(other);
  std::vector<std::string> real;
  for (const std::string& directory : all) {
    std::array<char, PATH_MAX> text{};
    const auto opened = tree.try_open(directory, O_PATH | O_DIRECTORY);
    if (!opened) continue;
    const auto size = ::readlink(concat("/proc/self/fd/", opened->get()).c_str(), text.data(), text.size());
    const auto root = std::filesystem::read_symlink(concat("/proc/self/fd/", tree.fd())).native();
    const std::string_view path(text.data(), size < 0 ? 0 : static_cast<std::size_t>(size));
    if (!path.starts_with(root + "/")) continue;
    std::string inside(path.substr(root.size()));
    if (std::ranges::find(real, inside) == real.end()) real.push_back(std::move(inside));
  }
  return real;
}

}  // namespace

bool is_clean_absolute_path(std::string_view path) {
  if (path.size() < 2 || path.size() >= PATH_MAX || path.front() != '/') return false;
  if (path.find('\0') != std::string_view::npos || path.find('\n') != std::string_view::npos) return false;
  return std::ranges::none_of(split(path.substr(1), '/'), [](const std::string& component) {
    return component.empty() || component == "." || component == "..";
  });
}

std::optional<FoundFile> find_regular_file(const RootedDir& tree, std::string_view path) {
  // O_PATH first: opening a device or a FIFO to read it may do something.
  const UniqueFd place{open_in_root(tree.fd(), std::string(path).c_str(), O_PATH | O_CLOEXEC, 0)};
  FoundFile found;
  if (!place || ::fstat(place.get(), &found.status) != 0 || !S_ISREG(found.status.st_mode))
    return std::nullopt;
  const std::string shown = concat("/proc/self/fd/", place.get());
  found.fd = UniqueFd{::open(shown.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!found.fd) return std::nullopt;  // not ours to read
  const std::string root = std::filesystem::read_symlink(concat("/proc/self/fd/", tree.fd())).native();
  const std::string real = std::filesystem::read_symlink(shown).native();
  if (root == "/") {
    found.path = real;
  } else if (real.starts_with(root + "/")) {
    found.path = real.substr(root.size());
  }
  if (!is_clean_absolute_path(found.path)) return std::nullopt;  // it was removed just now
  return found;
}

DynamicProgram resolve_dynamic_program(const RootedDir& tree, std::string_view path) {
  DynamicProgram result;
  const auto refuse = [&result](std::string why) {
    result.why_not = std::move(why);
    return result;
  };
  const auto program = find_regular_file(tree, path);
  if (!program) return refuse("it is not there");
  if ((program->status.st_mode & 0111) == 0) return refuse("it is not executable");
  result.program = program->path;
  const Needs needs = read_needs(program->fd.get());
  if (!needs.why_not.empty()) return refuse(needs.why_not);
  if (needs.interpreter.empty()) {
    if (!needs.libraries.empty()) return refuse("it needs libraries but no loader");
    return result;
  }
  const auto loader = find_regular_file(tree, needs.interpreter);
  if (!loader) return refuse(concat("its loader ", needs.interpreter, " is not there"));
  result.loader = loader->path;

  const auto directories = default_directories(tree, loader->path);
  std::set<std::string> seen, used;
  std::deque<std::string> wanted(needs.libraries.begin(), needs.libraries.end());
  for (; !wanted.empty(); wanted.pop_front()) {
    const std::string& name = wanted.front();
    if (!seen.insert(name).second) continue;
    if (seen.size() > kMaxLibraries) return refuse("it needs absurdly many libraries");
    if (name.find('/') != std::string::npos) return refuse(concat("it needs ", name, " by its path"));
    bool is_found = false;
    for (const std::string& directory : directories) {
      const auto library = find_regular_file(tree, concat(directory, "/", name));
      if (!library) continue;
      const Needs more = read_needs(library->fd.get());
      if (!more.why_not.empty()) return refuse(concat("of its library ", name, ": ", more.why_not));
      wanted.insert(wanted.end(), more.libraries.begin(), more.libraries.end());
      used.insert(directory);
      is_found = true;
      break;
    }
    if (!is_found) return refuse(concat("it needs ", name, ", which is not there"));
  }
  for (const std::string& directory : directories)
    if (used.contains(directory)) result.library_path.push_back(directory);
  return result;
}

}  // namespace slipway
