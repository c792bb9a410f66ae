#pragma once
// How the emulated steps in and below a result were run, as its record says: by that --emulation=qemu and
// --emulation=verify decide whether they take it.
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "platforms/platform.h"

namespace slipway {

struct EmulationMark {
  /// A later one vouches for more.
  enum class By {
    Unknown,   ///< nobody says
    Twins,     ///< native twins ran, and nobody compared
    Emulator,  ///< the emulator ran all of it
    Both,      ///< it ran with twins, and once more by the emulator: what they wrote was the same
  };
  By by = By::Unknown;
  std::string packs = {};  ///< of Both: what names the toolchain packs that had a part in it; empty: none
  auto operator<=>(const EmulationMark&) const = default;
};

using EmulationMarks = std::map<Platform, EmulationMark>;

/// Adds what is said of something else that the same result is made of: of two marks of one platform the one
/// that vouches for less stays.
void add_marks(EmulationMarks& marks, const EmulationMarks& others);

/// "twins"; of Both "both".
std::string_view word_of(EmulationMark::By by);
/// "linux/arm64=emulator,linux/riscv64=both:0123456789ab"; empty if there are none.
std::string to_text(const EmulationMarks& marks);
/// Nothing for what to_text() does not give.
std::optional<EmulationMarks> parse_emulation_marks(std::string_view text);

}  // namespace slipway
