#pragma once
// What a twin rests on besides its program: the libraries and the loader of the target's root, which the twin
// does not use. A step may replace them, put others before them, or have users looked up elsewhere; then the
// twin is not what the program would be.
#include <string>

#include "accel/packages.h"
#include "accel/twin.h"
#include "base/rooted.h"

namespace slipway {

/// Gives each twin of `found` its guards, for slipway-exec to look at. A twin whose program would load what
/// is not its package's file goes, with the reason in `declined`: so does each that looks up users where the
/// root has others than /etc/passwd do so. `machine` is the target's ELF number.
void add_guards(AcceleratedRoot& found, const RootedDir& target, PackageDatabase& packages,
                std::uint16_t machine);

/// Another text if the file that says how users are looked up is another: then guards are to be given anew.
std::string name_services_state(const RootedDir& root);

}  // namespace slipway
