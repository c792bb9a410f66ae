#pragma once
// --qemu-dir and --qemu-image, which several commands have.
#include <string>
#include <vector>

#include "build/emulators.h"
#include "runtime/isolation.h"

namespace slipway {

inline EmulatorOptions emulator_options(const std::vector<std::string>& directories,
                                        const std::string& image) {
  return {.directories = {directories.begin(), directories.end()}, .image = image};
}

/// What the tier leaves of the ways to run an emulator.
inline EmulatorOptions in_tier(EmulatorOptions options, Isolation isolation) {
  options.private_table = isolation == Isolation::Oci;
  // proot loads programs itself and asks no kernel who emulates them.
  options.host_table = isolation != Isolation::Proot;
  return options;
}

}  // namespace slipway
