#include "accel/prelink.h"

#include <cstring>
#include <map>
#include <optional>
#include <type_traits>

namespace slipway {
namespace {

/// A program's bytes by the addresses that they are linked for.
class Image {
 public:
  Image(const std::string& bytes, const std::vector<Elf64_Phdr>& segments)
      : bytes_(bytes), segments_(segments) {}

  /// Where in the file `size` bytes at `address` are; nothing if they are not all in one segment with these
  /// flags.
  std::optional<std::size_t> offset(std::uint64_t address, std::uint64_t size, Elf64_Word flags = 0) const {
    for (const Elf64_Phdr& segment : segments_) {
      if (segment.p_type != PT_LOAD || (segment.p_flags & flags) != flags || address < segment.p_vaddr)
        continue;
      const std::uint64_t in_segment = address - segment.p_vaddr;
      if (in_segment <= segment.p_filesz && size <= segment.p_filesz - in_segment)
        return segment.p_offset + in_segment;
    }
    return std::nullopt;
  }
  template <class T>
  T at(std::size_t offset) const {
    T out;
    std::memcpy(&out, bytes_.data() + offset, sizeof out);
    return out;
  }

 private:
  const std::string& bytes_;
  const std::vector<Elf64_Phdr>& segments_;
};

/// The dynamic section: where in the file each of its values is.
std::map<Elf64_Sxword, std::size_t> read_dynamic(const Image& image,
                                                 const std::vector<Elf64_Phdr>& segments) {
  std::map<Elf64_Sxword, std::size_t> values;
  for (const Elf64_Phdr& segment : segments) {
    if (segment.p_type != PT_DYNAMIC) continue;
    const auto start = image.offset(segment.p_vaddr, segment.p_filesz, PF_W);
    if (!start) return {};
    for (std::size_t at = 0; at + sizeof(Elf64_Dyn) <= segment.p_filesz; at += sizeof(Elf64_Dyn)) {
      const auto entry = image.at<Elf64_Dyn>(*start + at);
      if (entry.d_tag == DT_NULL) break;
      if (!values.emplace(entry.d_tag, *start + at + offsetof(Elf64_Dyn, d_un)).second &&
          entry.d_tag != DT_NEEDED)
        return {};
    }
  }
  return values;
}

template <class T>
void put(std::string& bytes, std::size_t offset, const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  std::memcpy(bytes.data() + offset, &value, sizeof value);
}

}  // namespace

bool prelink(std::string& bytes, const std::vector<Elf64_Phdr>& segments) {
  const Image image(bytes, segments);
  const auto dynamic = read_dynamic(image, segments);
  for (const Elf64_Sxword tag : {DT_RELA, DT_RELASZ, DT_RELAENT, DT_RELACOUNT})
    if (!dynamic.contains(tag)) return false;
  for (const Elf64_Sxword tag : {DT_NEEDED, DT_TEXTREL, DT_REL})
    if (dynamic.contains(tag)) return false;
  const auto value = [&](Elf64_Sxword tag) { return image.at<std::uint64_t>(dynamic.at(tag)); };
  const std::uint64_t table = value(DT_RELA), size = value(DT_RELASZ), count = value(DT_RELACOUNT);
  const auto first = image.offset(table, size);
  if (!first || value(DT_RELAENT) != sizeof(Elf64_Rela) || count == 0 || count > size / sizeof(Elf64_Rela))
    return false;

  std::string out = bytes;
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto relocation = image.at<Elf64_Rela>(*first + i * sizeof(Elf64_Rela));
    const auto place = image.offset(relocation.r_offset, sizeof(std::uint64_t), PF_W);
    if (ELF64_R_TYPE(relocation.r_info) != R_X86_64_RELATIVE || !place) return false;
    put(out, *place, static_cast<std::uint64_t>(relocation.r_addend) + kPrelinkBase);
  }
  // A relocation may not have been of the dynamic section itself.
  for (const auto& [tag, offset] : dynamic)
    if (std::memcmp(out.data() + offset, bytes.data() + offset, sizeof(std::uint64_t)) != 0) return false;
  put(out, dynamic.at(DT_RELA), table + count * sizeof(Elf64_Rela));
  put(out, dynamic.at(DT_RELASZ), size - count * sizeof(Elf64_Rela));
  put(out, dynamic.at(DT_RELACOUNT), std::uint64_t{0});
  bytes = std::move(out);
  return true;
}

}  // namespace slipway
