// How a program is re-told. Its strings cannot be overwritten, because the other machine's name may be longer
// and linkers merge strings that end alike. So the new ones go into a segment of their own, behind all
// others: the program header of a note (a build id, which no program reads) becomes that of a PT_LOAD. Then
// each reference to an old string is turned to the new one. On x86-64 a position independent program refers
// to a string by
//
//     48 8d 05 <disp32>   lea rax, [rip + disp32]     (any 64-bit register)
//
// or by a pointer in its data, which a relocation R_X86_64_RELATIVE makes, with the address as its addend.
// Any other use of the old string's bytes means that the program is not understood, and it is declined:
// another instruction with an operand there, a reference into the string's middle, pieces of the string as
// constants in instructions (a compiler's way to copy a short string).
#include "accel/machine_names.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "base/strings.h"

namespace slipway {
namespace {

constexpr std::uint64_t kPage = 4096;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }
bool is_text(char c) { return (c >= 0x20 && c < 0x7f) || c == '\n' || c == '\t'; }

/// Whether `bytes` has `name` (lower case) ending at `last`, in either case.
bool ends_with_name(std::string_view bytes, std::size_t last, std::string_view name) {
  if (last + 1 < name.size()) return false;
  const std::size_t first = last + 1 - name.size();
  for (std::size_t i = name.size(); i-- > 0;) {  // the last bytes tell most of the rest apart
    if (lower(bytes[first + i]) != name[i]) return false;
  }
  return true;
}

bool is_loaded(const ElfImage::Segment& segment) { return segment.type == PT_LOAD && segment.file_size > 0; }
bool is_code(const ElfImage::Segment& segment) { return is_loaded(segment) && (segment.flags & PF_X); }

template <class T>
T load(std::string_view bytes, std::uint64_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

template <class T>
void store(std::string& bytes, std::uint64_t at, const T& value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

/// Whether a program has a string of its own, or the end of one: how linkers merge strings.
bool has_string(const ElfImage& program, const std::string& text) {
  const std::string_view whole(text.c_str(), text.size() + 1);
  return std::ranges::any_of(program.segments(), [&](const ElfImage::Segment& segment) {
    return is_loaded(segment) && program.contents(segment).find(whole) != std::string_view::npos;
  });
}

/// One string that is to become another.
struct Change {
  MachineString old;
  std::string spelling;  ///< the part of the old one that names the machine
  std::string text;      ///< the new one
  std::uint64_t address = 0;
  std::size_t references = 0;
  std::size_t after_name = 0;  ///< a shorter end of the old one has nothing of the machine's name in it
  bool is_inside(std::uint64_t at) const { return at >= old.address && at - old.address < old.text.size(); }
};

/// How much of a string is left behind the last byte of the last name of a machine in it, plus one: an end of
/// that length or longer begins within the name.
std::size_t length_after_name(const std::string& text, const MachineNames& machine) {
  std::size_t last = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (const std::string& name : machine.speaks_of) {
      if (ends_with_name(text, at, name)) last = at;
    }
  }
  return text.size() - last;
}

/// What the target says where the host says `old`. The target must have exactly one of the possible
/// spellings.
std::optional<Change> change_for(const MachineString& old, const MachineNames& host_machine,
                                 const ElfImage& target, const MachineNames& target_machine) {
  std::string spelling, kind;
  for (const auto& [name, alternatives] : host_machine.spellings) {
    for (const std::string& alternative : alternatives) {
      if (old.text.find(alternative) == std::string::npos || alternative.size() <= spelling.size()) continue;
      spelling = alternative;
      kind = name;
    }
  }
  const auto others = target_machine.spellings.find(kind);
  if (spelling.empty() || others == target_machine.spellings.end()) return std::nullopt;
  std::set<std::string> found;
  for (const std::string& other : others->second) {
    std::string text = old.text;
    text.replace(text.find(spelling), spelling.size(), other);
    if (text.find(spelling) == std::string::npos && has_string(target, text)) found.insert(std::move(text));
  }
  if (found.size() != 1) return std::nullopt;
  return Change{.old = old, .spelling = spelling, .text = *found.begin()};
}

/// The work on one program; `why_not` is set when something is not understood.
class Retold {
 public:
  Retold(const ElfImage& host, const ElfImage& target, std::vector<Change> changes)
      : host_(host), target_(target), bytes_(host.bytes()), changes_(std::move(changes)) {}

  Retelling make() {
    if (!place_strings()) return {.program = std::nullopt, .why_not = why_not_};
    for (const ElfImage::Segment& segment : host_.segments()) {
      if (is_code(segment) && !(turn_instructions(segment) && has_no_pieces(segment)))
        return {.program = std::nullopt, .why_not = why_not_};
    }
    if (!turn_pointers()) return {.program = std::nullopt, .why_not = why_not_};
    for (const Change& change : changes_) {
      if (change.references == 0)
        return {.program = std::nullopt,
                .why_not = concat("nothing is seen to refer to \"", change.old.text, '"')};
    }
    return {.program = std::move(bytes_), .why_not = {}};
  }

 private:
  bool decline(std::string why) {
    why_not_ = std::move(why);
    return false;
  }

  bool place_strings() {
    const auto header = load<Elf64_Ehdr>(bytes_, 0);
    std::vector<Elf64_Phdr> entries(header.e_phnum);
    std::memcpy(entries.data(), bytes_.data() + header.e_phoff, entries.size() * sizeof(Elf64_Phdr));
    const auto is_note = [](const Elf64_Phdr& entry) { return entry.p_type == PT_NOTE; };
    const auto note = std::find_if(entries.rbegin(), entries.rend(), is_note);
    if (note == entries.rend()) return decline("it has no note whose program header could be used");
    entries.erase(std::next(note).base());
    std::uint64_t end = 0;
    auto place = entries.end();
    for (auto entry = entries.begin(); entry != entries.end(); ++entry) {
      if (entry->p_type != PT_LOAD) continue;
      if (entry->p_vaddr < end) return decline("its segments are not in order");
      if (entry->p_align > kPage) return decline("its segments want larger pages");
      end = entry->p_vaddr + entry->p_memsz;
      place = std::next(entry);
    }
    if (end == 0 || end > (std::uint64_t{1} << 30))
      return decline("its segments are not where a program's are");
    const std::uint64_t address = (end + kPage - 1) / kPage * kPage;
    bytes_.resize((bytes_.size() + kPage - 1) / kPage * kPage);
    const std::uint64_t offset = bytes_.size();
    for (Change& change : changes_) {
      change.address = address + (bytes_.size() - offset);
      bytes_.append(change.text.c_str(), change.text.size() + 1);
    }
    const std::uint64_t size = bytes_.size() - offset;
    entries.insert(place, Elf64_Phdr{.p_type = PT_LOAD,
                                     .p_flags = PF_R,
                                     .p_offset = offset,
                                     .p_vaddr = address,
                                     .p_paddr = address,
                                     .p_filesz = size,
                                     .p_memsz = size,
                                     .p_align = kPage});
    std::memcpy(bytes_.data() + header.e_phoff, entries.data(), entries.size() * sizeof(Elf64_Phdr));
    return true;
  }

  /// Looks at every four bytes of code as if they were a displacement.
  bool turn_instructions(const ElfImage::Segment& segment) {
    const std::string_view code = host_.contents(segment);
    for (std::size_t at = 3; at + 4 <= code.size(); ++at) {
      const std::uint64_t next = segment.address + at + 4;
      const std::uint64_t pointed =
          next + static_cast<std::uint64_t>(std::int64_t{load<std::int32_t>(code, at)});
      for (Change& change : changes_) {
        if (pointed + 4 < change.old.address || pointed >= change.old.address + change.old.text.size())
          continue;
        const auto byte = [&](std::size_t back) { return static_cast<unsigned char>(code[at - back]); };
        const bool is_operand = (byte(1) & 0xc7) == 0x05;  // mod 0, r/m 5: relative to the next instruction
        const bool is_lea = is_operand && byte(2) == 0x8d && (byte(3) == 0x48 || byte(3) == 0x4c);
        if (is_lea && pointed == change.old.address) {
          store(bytes_, segment.offset + at, static_cast<std::int32_t>(change.address - next));
          ++change.references;
          continue;
        }
        if (!is_operand || (is_lea && !change.is_inside(pointed))) continue;
        if (is_lea && is_neutral_end(change, pointed)) continue;
        // An instruction may have 1, 2 or 4 more bytes after the displacement, which then counts from behind
        // them.
        if (change.is_inside(pointed) || change.is_inside(pointed + 1) || change.is_inside(pointed + 2) ||
            change.is_inside(pointed + 4))
          return decline(concat("it refers to \"", change.old.text, "\" in a way that is not understood"));
      }
    }
    return true;
  }

  /// Whether an address in the middle of a string is that of another string, which the linker merged with its
  /// end: bash's OSTYPE "linux-gnu" is the end of its MACHTYPE. It stays as it is if the target says the
  /// same.
  bool is_neutral_end(const Change& change, std::uint64_t at) const {
    if (at <= change.old.address || !change.is_inside(at)) return false;
    const std::string end = change.old.text.substr(at - change.old.address);
    return end.size() < change.after_name && has_string(target_, end);
  }

  /// Pieces of four bytes of a string, three of them of the machine's name, as constants in code.
  bool has_no_pieces(const ElfImage::Segment& segment) {
    const std::string_view code = host_.contents(segment);
    for (const Change& change : changes_) {
      const std::string& text = change.old.text;
      const std::size_t first = text.find(change.spelling), last = first + change.spelling.size();
      for (std::size_t at = 0; at + 4 <= text.size(); ++at) {
        const std::size_t overlap_begin = std::max(at, first), overlap_end = std::min(at + 4, last);
        if (overlap_end < overlap_begin + 3) continue;
        const std::string_view piece = std::string_view(text).substr(at, 4);
        for (std::size_t hit = code.find(piece); hit != std::string_view::npos;
             hit = code.find(piece, hit + 1)) {
          const std::uint64_t address = segment.address + hit;
          const bool is_known =
              std::ranges::any_of(changes_, [&](const Change& c) { return c.is_inside(address); });
          if (!is_known && !is_for_loader(address))
            return decline(concat("its code holds a piece of \"", text, '"'));
        }
      }
    }
    return true;
  }

  /// Strings for the loader (PT_INTERP, DT_NEEDED) may be in the same segment as the code.
  bool is_for_loader(std::uint64_t address) const {
    return std::ranges::any_of(host_.segments(), [&](const ElfImage::Segment& segment) {
      return segment.type == PT_INTERP && segment.contains(address);
    });
  }

  bool turn_pointers() {
    if (host_.has_packed_relocations()) return decline("it has packed relocations");
    if (!host_.relocations()) return true;
    const auto [offset, size] = *host_.relocations();
    for (std::uint64_t at = offset; at < offset + size; at += sizeof(Elf64_Rela)) {
      auto entry = load<Elf64_Rela>(host_.bytes(), at);
      if (ELF64_R_TYPE(entry.r_info) != R_X86_64_RELATIVE) continue;
      for (Change& change : changes_) {
        if (!change.is_inside(static_cast<std::uint64_t>(entry.r_addend))) continue;
        if (is_neutral_end(change, static_cast<std::uint64_t>(entry.r_addend))) continue;
        if (static_cast<std::uint64_t>(entry.r_addend) != change.old.address)
          return decline(concat("it has a pointer into \"", change.old.text, '"'));
        entry.r_addend = static_cast<std::int64_t>(change.address);
        store(bytes_, at, entry);
        ++change.references;
      }
    }
    return true;
  }

  const ElfImage &host_, &target_;
  std::string bytes_;
  std::vector<Change> changes_;
  std::string why_not_;
};

}  // namespace

std::vector<MachineString> machine_strings(const ElfImage& program, const MachineNames& machine,
                                           const ElfImage& other, const NeutralPackages& list) {
  // Each is looked for in the other program; one that is made to have thousands is not worth the time.
  constexpr std::size_t kMost = 256;
  // Names end in few different bytes, and memchr(3) looks for one of them at the speed of memory.
  std::set<char> ends;
  for (const std::string& name : machine.speaks_of) {
    ends.insert(name.back());
    ends.insert(to_upper(name).back());
  }
  std::map<std::uint64_t, std::string> found;
  for (const ElfImage::Segment& segment : program.segments()) {
    if (!is_loaded(segment)) continue;
    const std::string_view bytes = program.contents(segment);
    for (const char last : ends) {
      for (std::size_t at = bytes.find(last); at != std::string_view::npos; at = bytes.find(last, at + 1)) {
        if (std::ranges::none_of(machine.speaks_of,
                                 [&](const std::string& name) { return ends_with_name(bytes, at, name); }))
          continue;
        std::size_t first = at, end = at;
        while (first > 0 && is_text(bytes[first - 1])) --first;
        while (end < bytes.size() && is_text(bytes[end])) ++end;
        found.emplace(segment.address + first, bytes.substr(first, end - first));
        if (found.size() > kMost) return {{.address = 0, .text = "more names than are looked at"}};
        at = end - 1;
      }
    }
  }
  std::vector<MachineString> strings;
  for (auto& [address, text] : found) {
    if (text == program.interpreter() || text == program.runpath() || list.is_harmless(text)) continue;
    if (!has_string(other, text)) strings.push_back({.address = address, .text = std::move(text)});
  }
  return strings;
}

Retelling retell(const ElfImage& host, const MachineNames& host_machine, const ElfImage& target,
                 const MachineNames& target_machine, const NeutralPackages& list) {
  const auto declined = [](std::string why) {
    return Retelling{.program = std::nullopt, .why_not = std::move(why)};
  };
  if (host.machine() != EM_X86_64) return declined("programs are re-told for x86-64 hosts only");
  if (!host.is_position_independent()) return declined("it is not position independent");
  const std::vector<MachineString> strings = machine_strings(host, host_machine, target, list);
  if (strings.size() > 8) return declined("it names machines in too many places");
  std::vector<Change> changes;
  std::set<std::string> expected;
  for (const MachineString& old : strings) {
    const auto change = change_for(old, host_machine, target, target_machine);
    if (!change) return declined(concat("the target's program has no like of \"", old.text, '"'));
    expected.insert(change->text);
    changes.push_back(*change);
    changes.back().after_name = length_after_name(old.text, host_machine);
  }
  for (const MachineString& own : machine_strings(target, target_machine, host, list)) {
    if (!expected.contains(own.text))
      return declined(concat("the host's program has no like of \"", own.text, '"'));
  }
  if (changes.empty()) return {.program = host.bytes(), .why_not = {}};
  return Retold(host, target, std::move(changes)).make();
}

}  // namespace slipway
