#pragma once
// The user's own emulator with slipway-exec (exec/main.cc) on it: one file that the kernel starts for foreign
// programs in accelerated steps, which executes their twins, or is the emulator as it was. Everything of the
// emulator stays where it is in file and memory; slipway-exec is one more segment behind all others, and the
// entry point.
#include <filesystem>
#include <string>
#include <string_view>

namespace slipway {

struct GraftOptions {
  /// Programs for PAuth (FEAT_PAuth; distributions of 2024 and later are made for it) sign every return
  /// address. Which code they sign with the processor may choose, and no program can tell; the architecture's
  /// own, QARMA5, is what QEMU 6 to 9 compute unless they are told otherwise, and computing it takes them
  /// longer than all else. True: they are told. For an emulator of AArch64 that has_cheap_pointer_codes() only;
  /// one that does not have the property's name in it is told nothing all the same.
  bool cheap_pointer_codes = false;
};

/// The emulator's bytes with `stub` on them. For static 64-bit little-endian programs of x86-64 and AArch64,
/// fixed or position-independent. Throws HostError, which says what about the emulator does not fit, and does
/// so for anything odd: the segments' table has no entry to spare (PT_NOTE), a dynamic loader is asked for,
/// numbers that contradict each other.
std::string graft(std::string_view emulator, std::string_view stub, GraftOptions options = {});

/// The file of graft(`emulator`, slipway_exec_program()) in `cache_directory`, made if it is not there:
/// DIGEST/NAME, where NAME is the emulator's and DIGEST that of all inputs, so that it stays right as any of
/// them changes. Several processes and threads may do so at once. Throws HostError as graft() does, or where there
/// is no slipway-exec for this machine, and SystemError.
std::filesystem::path grafted_emulator(const std::filesystem::path& emulator,
                                       const std::filesystem::path& cache_directory,
                                       GraftOptions options = {});

}  // namespace slipway
