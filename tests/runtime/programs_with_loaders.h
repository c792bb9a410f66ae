#pragma once
// Programs of any machine that need a dynamic loader, and do nothing else.
#include <cstdint>
#include <string>

#include "qemu/elf.h"

namespace slipway {

/// An ELF file of that one segment which names `loader`.
inline std::string program_with_loader(const ElfTarget& target, const std::string& loader) {
  const std::size_t word = target.is_64bit ? 8 : 4;
  std::string bytes = elf_header(target, 2);
  const auto add = [&](std::uint64_t value, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i)
      bytes += static_cast<char>(value >> 8 * (target.is_little_endian ? i : size - 1 - i));
  };
  const std::size_t header = target.is_64bit ? 64 : 52, segment = target.is_64bit ? 56 : 32;
  add(1, 4);          // version
  add(0, word);       // entry
  add(header, word);  // program headers
  add(0, word);       // section headers
  add(0, 4);          // flags
  add(header, 2);
  add(segment, 2);
  add(1, 2);
  for (int i = 0; i < 3; ++i) add(0, 2);
  add(3, 4);  // PT_INTERP
  if (target.is_64bit) add(4, 4);
  add(header + segment, word);  // offset
  add(0, word);
  add(0, word);
  add(loader.size() + 1, word);
  add(loader.size() + 1, word);
  if (!target.is_64bit) add(4, 4);
  add(1, word);
  return bytes + loader + '\0';
}

}  // namespace slipway
