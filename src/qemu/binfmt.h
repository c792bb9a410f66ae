#pragma once
// The language of the kernel's binfmt_misc (Documentation/admin-guide/binfmt-misc.rst): the registration that
// slipway writes into a table of its own, and the entries that a host may have. The host's table is only ever
// read.
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "qemu/elf.h"

namespace slipway {

/// Magic and mask that match every program of `target` and no other: the type may be ET_EXEC or ET_DYN,
/// EI_OSABI may be anything (GNU programs with IFUNCs say Linux, others System V).
struct BinfmtPattern {
  std::string magic;
  std::string mask;
};
BinfmtPattern binfmt_pattern(const ElfTarget& target);

/// ":NAME:M::MAGIC:MASK:INTERPRETER:FLAGS". A path with a colon gets another separator: the kernel takes the
/// line's first character for it. Throws HostError for a path that no line can hold.
std::string registration_line(std::string_view name, const ElfTarget& target,
                              const std::filesystem::path& interpreter, std::string_view flags);

/// One entry of a host's table, as the kernel prints it.
struct BinfmtEntry {
  std::string name;  ///< its file's; not in the text
  bool enabled = false;
  std::string interpreter;
  std::string flags;  ///< "POCF"
  std::size_t offset = 0;
  std::string magic;  ///< empty for an entry that goes by file name
  std::string mask;   ///< as long as the magic, or empty: all bits
};
/// Nothing for text that is no entry.
std::optional<BinfmtEntry> parse_binfmt_entry(std::string_view text);
bool matches(const BinfmtEntry& entry, std::string_view header);

/// The interpreter that the host's table gives for all programs of `target`, if it is right for use in any
/// root: its file was opened at registration (flag F). Where several entries match, each must be so, since
/// which of them the kernel takes depends on an order that it does not show.
std::optional<BinfmtEntry> find_host_entry(const std::filesystem::path& binfmt_directory,
                                           const ElfTarget& target);

}  // namespace slipway
