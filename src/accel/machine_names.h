#pragma once
// Names of machines that are compiled into programs: finding them, and making a copy of a program that tells
// another machine's. bash answers $HOSTTYPE and $MACHTYPE from such strings, make $(MAKE_HOST), dpkg-deb its
// own architecture; a twin has to say what the program it stands in for says.
#include <optional>
#include <string>
#include <vector>

#include "accel/elf_image.h"
#include "accel/neutral_packages.h"

namespace slipway {

struct MachineString {
  std::uint64_t address = 0;
  std::string text;
  bool operator==(const MachineString&) const = default;
};

/// The strings in a program's loaded segments that speak of `machine`; not those that are there for its
/// loader (PT_INTERP, DT_RUNPATH, the list's harmless names), nor those that `other`, the same program of
/// another machine, has too (xz's filter "arm64"). A program with hundreds of them yields
/// one that says so.
std::vector<MachineString> machine_strings(const ElfImage& program, const MachineNames& machine,
                                           const ElfImage& other, const NeutralPackages& list);

struct Retelling {
  std::optional<std::string> program;  ///< the bytes of the copy
  std::string why_not;                 ///< a clause, if there is none
};

/// A copy of `host` that tells what `target`, the same program of another machine, tells. Declines whatever
/// is not understood down to each reference to each string.
Retelling retell(const ElfImage& host, const MachineNames& host_machine, const ElfImage& target,
                 const MachineNames& target_machine, const NeutralPackages& list);

}  // namespace slipway
