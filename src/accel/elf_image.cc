#include "accel/elf_image.h"

#include <elf.h>

#include <cstring>

namespace slipway {
namespace {

/// A structure at an offset; nothing if it is not wholly inside.
template <class T>
std::optional<T> read_at(std::string_view bytes, std::uint64_t offset) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

/// A NUL-terminated string inside `bytes`.
std::optional<std::string> string_at(std::string_view bytes, std::uint64_t offset) {
  if (offset >= bytes.size()) return std::nullopt;
  const std::size_t end = bytes.find('\0', offset);
  if (end == std::string_view::npos) return std::nullopt;
  return std::string(bytes.substr(offset, end - offset));
}

}  // namespace

std::optional<ElfImage> ElfImage::parse(std::string bytes) {
  ElfImage image;
  image.bytes_ = std::move(bytes);
  if (!image.read()) return std::nullopt;
  return image;
}

bool ElfImage::read() {
  const auto header = read_at<Elf64_Ehdr>(bytes_, 0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return false;
  if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB) return false;
  if (header->e_type != ET_EXEC && header->e_type != ET_DYN) return false;
  if (header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phnum > 256) return false;
  machine_ = header->e_machine;
  type_ = header->e_type;
  for (unsigned i = 0; i < header->e_phnum; ++i) {
    const auto entry = read_at<Elf64_Phdr>(bytes_, header->e_phoff + i * sizeof(Elf64_Phdr));
    if (!entry) return false;
    if (entry->p_offset > bytes_.size() || bytes_.size() - entry->p_offset < entry->p_filesz) return false;
    if (entry->p_memsz < entry->p_filesz && entry->p_type == PT_LOAD) return false;
    if (entry->p_vaddr + entry->p_memsz < entry->p_vaddr) return false;
    segments_.push_back({.type = entry->p_type,
                         .flags = entry->p_flags,
                         .offset = entry->p_offset,
                         .address = entry->p_vaddr,
                         .file_size = entry->p_filesz,
                         .memory_size = entry->p_memsz,
                         .alignment = entry->p_align});
  }
  for (const Segment& segment : segments_) {
    if (segment.type == PT_INTERP) {
      const auto name = string_at(contents(segment), 0);
      if (!name || name->empty()) return false;
      interpreter_ = *name;
    }
    if (segment.type == PT_DYNAMIC && !read_dynamic(segment)) return false;
  }
  return true;
}

bool ElfImage::read_dynamic(const Segment& dynamic) {
  std::vector<Elf64_Dyn> entries;
  const std::string_view table = contents(dynamic);
  for (std::uint64_t at = 0;; at += sizeof(Elf64_Dyn)) {
    const auto entry = read_at<Elf64_Dyn>(table, at);
    if (!entry || entry->d_tag == DT_NULL) break;
    entries.push_back(*entry);
  }
  const auto value_of = [&](std::int64_t tag) -> std::optional<std::uint64_t> {
    for (const Elf64_Dyn& entry : entries) {
      if (entry.d_tag == tag) return entry.d_un.d_val;
    }
    return std::nullopt;
  };
  std::string_view strings;
  if (const auto address = value_of(DT_STRTAB)) {
    const auto offset = offset_of(*address);
    const std::uint64_t size = value_of(DT_STRSZ).value_or(0);
    if (!offset || size > bytes_.size() - *offset) return false;
    strings = std::string_view(bytes_).substr(*offset, size);
    symbol_names_ = Table{.offset = *offset, .size = size};
  }
  // How many symbols there are nothing says but the names, which linkers put behind them.
  if (const auto address = value_of(DT_SYMTAB)) {
    const auto offset = offset_of(*address);
    if (offset && symbol_names_ && *offset < symbol_names_->offset)
      symbols_ = Table{.offset = *offset, .size = symbol_names_->offset - *offset};
  }
  for (const Elf64_Dyn& entry : entries) {
    if (entry.d_tag != DT_NEEDED && entry.d_tag != DT_RPATH && entry.d_tag != DT_RUNPATH) continue;
    auto text = string_at(strings, entry.d_un.d_val);
    if (!text || text->empty()) return false;
    if (entry.d_tag == DT_NEEDED) needed_.push_back(std::move(*text));
    if (entry.d_tag == DT_RPATH)
      rpath_ = std::move(*text);
    else if (entry.d_tag == DT_RUNPATH)
      runpath_ = std::move(*text);
  }
  // DT_RELR, DT_RELRSZ, DT_RELRENT: newer than some machines' elf.h.
  has_packed_relocations_ = value_of(36).has_value() || value_of(35).has_value();
  if (const auto address = value_of(DT_RELA)) {
    const auto offset = offset_of(*address);
    const std::uint64_t size = value_of(DT_RELASZ).value_or(0);
    if (!offset || size > bytes_.size() - *offset || size % sizeof(Elf64_Rela) != 0) return false;
    relocations_ = Table{.offset = *offset, .size = size};
  }
  return true;
}

std::optional<std::uint64_t> ElfImage::offset_of(std::uint64_t address) const {
  for (const Segment& segment : segments_) {
    if (segment.type == PT_LOAD && segment.contains(address))
      return segment.offset + (address - segment.address);
  }
  return std::nullopt;
}

std::optional<ElfImage::Table> ElfImage::function(std::string_view name) const {
  if (!symbols_) return std::nullopt;
  const std::string_view symbols = std::string_view(bytes_).substr(symbols_->offset, symbols_->size),
                         names = std::string_view(bytes_).substr(symbol_names_->offset, symbol_names_->size);
  for (std::uint64_t at = 0; const auto symbol = read_at<Elf64_Sym>(symbols, at); at += sizeof(Elf64_Sym)) {
    if (ELF64_ST_TYPE(symbol->st_info) != STT_FUNC || symbol->st_shndx == SHN_UNDEF) continue;
    if (string_at(names, symbol->st_name) != name) continue;
    const auto offset = offset_of(symbol->st_value);
    if (!offset || symbol->st_size == 0 || symbol->st_size > bytes_.size() - *offset) return std::nullopt;
    return Table{.offset = *offset, .size = symbol->st_size};
  }
  return std::nullopt;
}

}  // namespace slipway
