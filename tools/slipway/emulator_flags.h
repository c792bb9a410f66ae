#pragma once
// --qemu-dir and --qemu-image, which several commands have.
#include <string>
#include <vector>

#include "build/emulators.h"

namespace slipway {

inline EmulatorOptions emulator_options(const std::vector<std::string>& directories,
                                        const std::string& image) {
  return {.directories = {directories.begin(), directories.end()}, .image = image};
}

}  // namespace slipway
