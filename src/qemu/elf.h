#pragma once
// The little that slipway reads of ELF files: what a kernel sees in the first bytes, and whether a program is
// static.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "platforms/platform.h"

namespace slipway {

/// What tells the programs of one architecture from all others (elf(5): e_ident, e_machine).
struct ElfTarget {
  bool is_64bit = true;
  bool is_little_endian = true;
  std::uint16_t machine = 0;
  bool any_abi_version = false;  ///< MIPS linkers set EI_ABIVERSION to 1 for some programs
  /// Whether a program of the one is a program of the other to a kernel.
  bool same_machine(const ElfTarget& other) const;
};

/// Nothing for a platform that slipway knows no emulator for.
std::optional<ElfTarget> elf_target(const Platform& platform);

/// The first 20 bytes (through e_machine) of a program of `target`; e_type 2 is ET_EXEC, 3 is ET_DYN (PIE).
std::string elf_header(const ElfTarget& target, std::uint8_t type);

/// What a program's first bytes say it is for; nothing for what is not there or not ELF.
std::optional<ElfTarget> read_elf_target(const std::filesystem::path& program);

/// True for an ELF program without PT_INTERP: it needs no dynamic loader, so it runs inside any root (static
/// PIE too). False for what is not there, not ELF, or damaged.
bool is_static_program(const std::filesystem::path& path);

}  // namespace slipway
