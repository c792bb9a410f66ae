#pragma once
// The smallest ELF files that say what a loader asks for.
#include <elf.h>

#include <cstdint>
#include <string>
#include <vector>

namespace slipway {

struct ElfFile {
  std::string interpreter;          ///< empty: none
  std::vector<std::string> needed;  ///< any: there is a dynamic section
  std::string run_path;
  std::string exported;  ///< names before those of the libraries
  std::string code;      ///< of a function `exported`; empty: none
  std::uint16_t machine =
#if defined(__aarch64__)
      EM_AARCH64;
#else
      EM_X86_64;
#endif
};

/// One loaded segment is the whole file, at address 0x10000.
inline std::string elf_file(const ElfFile& file) {
  constexpr std::uint64_t kAddress = 0x10000;
  std::string names(1, '\0'), data;
  names += file.exported + '\0';
  std::vector<Elf64_Dyn> dynamic;
  const auto name = [&names](const std::string& text) {
    names += text + '\0';
    return names.size() - text.size() - 1;
  };
  for (const std::string& library : file.needed)
    dynamic.push_back({.d_tag = DT_NEEDED, .d_un = {.d_val = name(library)}});
  if (!file.run_path.empty())
    dynamic.push_back({.d_tag = DT_RUNPATH, .d_un = {.d_val = name(file.run_path)}});
  const std::uint64_t start = sizeof(Elf64_Ehdr) + 3 * sizeof(Elf64_Phdr);
  const std::uint64_t code_at = start + file.interpreter.size() + 1;
  const std::uint64_t symbols_at = code_at + file.code.size();
  Elf64_Sym symbol{};
  symbol.st_name = 1;
  symbol.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC);
  symbol.st_shndx = 1;
  symbol.st_value = kAddress + code_at;
  symbol.st_size = file.code.size();
  const std::string symbols =
      file.code.empty() ? "" : std::string(reinterpret_cast<const char*>(&symbol), sizeof symbol);
  if (!file.code.empty()) dynamic.push_back({.d_tag = DT_SYMTAB, .d_un = {.d_val = kAddress + symbols_at}});
  const std::uint64_t names_at = symbols_at + symbols.size();
  const std::uint64_t dynamic_at = names_at + names.size();
  dynamic.push_back({.d_tag = DT_STRTAB, .d_un = {.d_val = kAddress + names_at}});
  dynamic.push_back({.d_tag = DT_STRSZ, .d_un = {.d_val = names.size()}});
  dynamic.push_back({.d_tag = DT_NULL, .d_un = {.d_val = 0}});
  const std::uint64_t end = dynamic_at + dynamic.size() * sizeof(Elf64_Dyn);

  const auto segment = [](std::uint32_t type, std::uint64_t offset, std::uint64_t size) {
    Elf64_Phdr header{};
    header.p_type = type;
    header.p_offset = offset;
    header.p_vaddr = kAddress + offset;
    header.p_filesz = header.p_memsz = size;
    return header;
  };
  Elf64_Ehdr header{};
  std::string(ELFMAG).copy(reinterpret_cast<char*>(header.e_ident), SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_type = ET_DYN;
  header.e_machine = file.machine;
  header.e_phoff = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 3;
  const std::vector<Elf64_Phdr> segments{
      segment(PT_LOAD, 0, end),
      file.interpreter.empty() ? segment(PT_NULL, 0, 0)
                               : segment(PT_INTERP, start, file.interpreter.size() + 1),
      file.needed.empty() && file.run_path.empty()
          ? segment(PT_NULL, 0, 0)
          : segment(PT_DYNAMIC, dynamic_at, dynamic.size() * sizeof(Elf64_Dyn))};
  data.append(reinterpret_cast<const char*>(&header), sizeof header);
  data.append(reinterpret_cast<const char*>(segments.data()), segments.size() * sizeof(Elf64_Phdr));
  data += file.interpreter + '\0' + file.code + symbols + names;
  data.append(reinterpret_cast<const char*>(dynamic.data()), dynamic.size() * sizeof(Elf64_Dyn));
  return data;
}

}  // namespace slipway
