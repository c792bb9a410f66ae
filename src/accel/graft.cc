#include "accel/graft.h"

#include <elf.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <optional>
#include <vector>

#include "accel/prelink.h"
#include "accel/programs.h"
#include "accel/twin.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/files.h"
#include "base/regular_file.h"
#include "base/strings.h"

namespace slipway {
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kDistanceAt = 8, kSegmentsAt = 16, kToldAt = 24;  // in slipway-exec (exec/kernel.h)
constexpr std::string_view kDistancePlaceholder = "slipexec";
constexpr std::size_t kMostSegments = 64;
constexpr std::uint64_t kMostAddress = std::uint64_t{1} << 47;
constexpr std::size_t kMostEmulator = std::size_t{1} << 28;

[[noreturn]] void refuse(std::string_view why) {
  throw HostError(concat("the emulator cannot be made to run native programs: ", why));
}
void need(bool holds, std::string_view why_not) {
  if (!holds) refuse(why_not);
}

struct Elf {
  Elf64_Ehdr header{};
  std::vector<Elf64_Phdr> segments;
};

void check_header(const Elf64_Ehdr& header) {
  need(std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0, "it is not an ELF file");
  need(header.e_ident[EI_CLASS] == ELFCLASS64 && header.e_ident[EI_DATA] == ELFDATA2LSB &&
           header.e_ident[EI_VERSION] == EV_CURRENT &&
           (header.e_machine == EM_X86_64 || header.e_machine == EM_AARCH64),
       "it is not a program of a 64-bit x86 or ARM machine");
  need(header.e_type == ET_EXEC || header.e_type == ET_DYN, "it is not a program");
  need(header.e_phentsize == sizeof(Elf64_Phdr) && header.e_phnum > 0 && header.e_phnum <= kMostSegments,
       "its table of segments is not as it should be");
}

Elf read_elf(std::string_view bytes) {
  static_assert(std::endian::native == std::endian::little || std::endian::native == std::endian::big);
  need(std::endian::native == std::endian::little, "this machine is not one that has native programs for it");
  Elf elf;
  need(bytes.size() >= sizeof elf.header, "it is not an ELF file");
  std::memcpy(&elf.header, bytes.data(), sizeof elf.header);
  check_header(elf.header);
  const std::size_t size = elf.header.e_phnum * sizeof(Elf64_Phdr);
  need(elf.header.e_phoff % alignof(Elf64_Phdr) == 0 && elf.header.e_phoff >= sizeof elf.header &&
           elf.header.e_phoff <= bytes.size() && size <= bytes.size() - elf.header.e_phoff,
       "its table of segments is not in the file");
  elf.segments.resize(elf.header.e_phnum);
  std::memcpy(elf.segments.data(), bytes.data() + elf.header.e_phoff, size);
  return elf;
}

bool holds(const Elf64_Phdr& segment, std::uint64_t address) {
  return address >= segment.p_vaddr && address - segment.p_vaddr < segment.p_filesz;
}

/// What the kernel relies on to load the program, and what it would be loaded wrongly without.
void check_segments(const Elf& elf, std::size_t file_size) {
  bool has_load = false, enters_code = false, loads_table = false;
  std::uint64_t end = 0;
  for (const Elf64_Phdr& segment : elf.segments) {
    need(segment.p_type != PT_INTERP, "it needs a dynamic loader, which a step's root does not have");
    if (segment.p_type != PT_LOAD) continue;
    need(segment.p_offset <= file_size && segment.p_filesz <= file_size - segment.p_offset,
         "one of its segments is not in the file");
    need(segment.p_filesz <= segment.p_memsz && segment.p_vaddr < kMostAddress &&
             segment.p_memsz < kMostAddress,
         "the size of one of its segments is not possible");
    need(segment.p_align <= 1 || (std::has_single_bit(segment.p_align) &&
                                  segment.p_vaddr % segment.p_align == segment.p_offset % segment.p_align),
         "one of its segments is not aligned");
    need(!has_load || segment.p_vaddr >= end, "its segments overlap or are not in order");
    has_load = true;
    end = segment.p_vaddr + segment.p_memsz;
    if ((segment.p_flags & PF_X) != 0 && holds(segment, elf.header.e_entry)) enters_code = true;
    // The kernel tells the program where its table is by the segment that has it.
    if (segment.p_offset <= elf.header.e_phoff &&
        elf.header.e_phoff + elf.segments.size() * sizeof(Elf64_Phdr) - segment.p_offset <= segment.p_filesz)
      loads_table = true;
  }
  need(has_load, "it has nothing to load");
  need(enters_code, "its entry point is not in its code");
  need(loads_table, "its table of segments is not loaded");
}

/// An entry of the table that nobody misses: a note. Not that of GNU properties where there are others, since
/// the kernel may go by it.
std::vector<Elf64_Phdr>::iterator spare_segment(std::vector<Elf64_Phdr>& segments) {
  const auto is_property = [&](const Elf64_Phdr& note) {
    return std::ranges::any_of(segments, [&](const Elf64_Phdr& other) {
      return other.p_type == PT_GNU_PROPERTY && other.p_offset == note.p_offset;
    });
  };
  auto spare = std::ranges::find_if(segments, [&](const Elf64_Phdr& segment) {
    return segment.p_type == PT_NOTE && !is_property(segment);
  });
  if (spare == segments.end())
    spare =
        std::ranges::find_if(segments, [](const Elf64_Phdr& segment) { return segment.p_type == PT_NOTE; });
  need(spare != segments.end(), "its table of segments has no entry to spare (PT_NOTE)");
  return spare;
}

std::uint64_t aligned(std::uint64_t value, std::uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

/// A place behind everything: last in the file, and last in memory.
Elf64_Phdr segment_for(const Elf& elf, std::size_t file_size, std::size_t stub_size) {
  // The largest page that the machine's kernels have.
  const std::uint64_t page = elf.header.e_machine == EM_AARCH64 ? 0x10000 : 0x1000;
  std::uint64_t end = 0;
  for (const Elf64_Phdr& segment : elf.segments)
    if (segment.p_type == PT_LOAD) end = std::max(end, segment.p_vaddr + segment.p_memsz);
  Elf64_Phdr out{};
  out.p_type = PT_LOAD;
  out.p_flags = PF_R | PF_X;
  out.p_offset = aligned(file_size, page);
  out.p_vaddr = out.p_paddr = aligned(end, page);
  out.p_filesz = out.p_memsz = stub_size;
  out.p_align = page;
  need(out.p_vaddr + stub_size < kMostAddress, "there is no place behind its last segment");
  return out;
}

/// Whether the program itself knows the property: what only calls an emulator, and may carry one along behind
/// its segments, takes no arguments but the program's.
bool knows_cheap_pointer_codes(const Elf& elf, std::string_view emulator) {
  return std::ranges::any_of(elf.segments, [&](const Elf64_Phdr& segment) {
    return segment.p_type == PT_LOAD &&
           emulator.substr(segment.p_offset, segment.p_filesz).find("pauth-impdef") != std::string_view::npos;
  });
}

void write_at(std::string& bytes, std::size_t offset, const void* from, std::size_t size) {
  std::memcpy(bytes.data() + offset, from, size);
}

}  // namespace

std::string graft(std::string_view emulator, std::string_view stub, GraftOptions options) {
  need(stub.size() > kToldAt + sizeof(std::uint64_t) &&
           stub.substr(kDistanceAt, kDistancePlaceholder.size()) == kDistancePlaceholder,
       "there is no program to put on it");
  need(emulator.size() <= kMostEmulator, "it is too large");
  Elf elf = read_elf(emulator);
  check_segments(elf, emulator.size());
  const std::uint64_t told =
      options.cheap_pointer_codes && knows_cheap_pointer_codes(elf, emulator) ? 1 : 0;
  const std::size_t table_size = elf.segments.size() * sizeof(Elf64_Phdr);
  const std::size_t table_at = aligned(stub.size(), alignof(Elf64_Phdr));
  const Elf64_Phdr added = segment_for(elf, emulator.size(), table_at + table_size);
  elf.segments.erase(spare_segment(elf.segments));
  // Older kernels take the first and the last in the table for the lowest and the highest.
  const auto last_load =
      std::ranges::find_if(elf.segments.rbegin(), elf.segments.rend(),
                           [](const Elf64_Phdr& segment) { return segment.p_type == PT_LOAD; });
  elf.segments.insert(last_load.base(), added);
  const std::uint64_t distance = elf.header.e_entry - added.p_vaddr;
  elf.header.e_entry = added.p_vaddr;

  std::string out(emulator);
  out.resize(added.p_offset, '\0');
  out += stub;
  out.resize(added.p_offset + table_at, '\0');
  out.append(reinterpret_cast<const char*>(elf.segments.data()), table_size);
  write_at(out, added.p_offset + kDistanceAt, &distance, sizeof distance);
  write_at(out, added.p_offset + kToldAt, &told, sizeof told);
  if (elf.header.e_machine == EM_X86_64 && elf.header.e_type == ET_DYN && prelink(out, elf.segments)) {
    // The kernel is to load it there. Its own code goes by the other table, as if it had been loaded there by
    // chance.
    elf.header.e_type = ET_EXEC;
    elf.header.e_entry += kPrelinkBase;
    for (Elf64_Phdr& segment : elf.segments)
      if (segment.p_type == PT_LOAD) segment.p_vaddr = segment.p_paddr = segment.p_vaddr + kPrelinkBase;
    const std::uint64_t distance_to_table = table_at;
    write_at(out, added.p_offset + kSegmentsAt, &distance_to_table, sizeof distance_to_table);
  }
  write_at(out, 0, &elf.header, sizeof elf.header);
  write_at(out, elf.header.e_phoff, elf.segments.data(), table_size);
  return out;
}

namespace {

/// What was made for an emulator earlier is known by the emulator's identity: reading and digesting it takes
/// longer than a step that does nothing.
class Memory {
 public:
  Memory(const fs::path& emulator, std::string_view inputs, const fs::path& directory)
      : file_(directory / "made" / Digest::of(emulator.native()).hex()) {
    struct stat status {};
    if (::stat(emulator.c_str(), &status) != 0) throw SystemError(errno, "stat", emulator.native());
    const FileIdentity id = FileIdentity::of(status);
    line_ = concat(status.st_dev, ' ', id.inode, ' ', id.size, ' ', id.mtime_ns, ' ', id.ctime_ns, ' ',
                   inputs, ' ');
    // A change within one tick of the kernel's clock would not show.
    struct timespec now {};
    ::clock_gettime(CLOCK_REALTIME, &now);
    is_settled_ = status.st_ctim.tv_sec + 2 < now.tv_sec;
  }
  std::optional<std::string> recall() const {
    const auto text = read_regular_file_if_exists(file_);
    if (!text || !text->starts_with(line_)) return std::nullopt;
    const std::string name = text->substr(line_.size());
    if (!Digest::is_valid(concat("sha256:", name))) return std::nullopt;
    return name;
  }
  /// `later` was taken after the emulator had been read.
  void remember(const Memory& later, std::string_view name) const {
    if (!is_settled_ || later.line_ != line_) return;
    fs::create_directories(file_.parent_path());
    write_file_atomic(file_, concat(line_, name));
  }

 private:
  fs::path file_;
  std::string line_;
  bool is_settled_ = false;
};

}  // namespace

fs::path grafted_emulator(const fs::path& emulator, const fs::path& cache_directory, GraftOptions options) {
  const std::string_view stub = slipway_exec_program();
  if (stub.empty())
    throw HostError("emulation cannot be accelerated on this machine: only on amd64 and arm64");
  const std::string others(
      Digest::of(concat(stub, options.cheap_pointer_codes ? "1" : "0")).hex());
  const Memory memory(emulator, others, cache_directory);
  if (const auto name = memory.recall())
    if (fs::path known = cache_directory / *name / emulator.filename(); fs::exists(known)) return known;
  const std::string bytes = read_file(emulator, kMostEmulator);
  Sha256 digest;
  digest.update(Digest::of(bytes).str());
  digest.update(others);
  const std::string name(digest.finish().hex());
  const fs::path file = cache_directory / name / emulator.filename();
  try {
    if (!fs::exists(file)) {
      const std::string grafted = graft(bytes, stub, options);
      fs::create_directories(file.parent_path());
      write_file_atomic(file, grafted, Durability::Fsync, 0755);
    }
    memory.remember(Memory(emulator, others, cache_directory), name);
  } catch (Error& error) {
    error.add_context(emulator.native());
    throw;
  }
  return file;
}

}  // namespace slipway
