#pragma once
// Gives a static position-independent emulator its addresses once, when it is grafted, rather than at every
// start: for QEMU that is some 90,000 words on 400 pages, which each process would have to copy to write
// them.
#include <elf.h>

#include <cstdint>
#include <string>
#include <vector>

namespace slipway {

/// Where such an emulator then lies: behind where Linux on x86-64 puts position-independent programs, before
/// where it puts libraries and stacks, also with vm.mmap_rnd_bits at its greatest, and far from what guests
/// ask for.
inline constexpr std::uint64_t kPrelinkBase = 0x6a00'0000'0000;

/// Writes the addresses into `bytes`, an x86-64 program whose segments are `segments` and have been checked,
/// and leaves its own start-up nothing to do for them. False, and nothing is changed, for a program that has
/// none or is not as expected. What is left to do for the caller: have its PT_LOADs loaded `kPrelinkBase`
/// higher, at just that place.
bool prelink(std::string& bytes, const std::vector<Elf64_Phdr>& segments);

}  // namespace slipway
