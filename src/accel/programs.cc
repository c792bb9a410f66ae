#include "accel/programs.h"

#include "base/check.h"
#include "base/error.h"
#include "base/strings.h"

namespace slipway {

std::string_view slipway_exec_program() {
#if defined(SLIPWAY_HAS_TWINS)
  static constexpr unsigned char kProgram[] = {
#include "accel/exec/bytes.inc"
  };
  return {reinterpret_cast<const char*>(kProgram), sizeof kProgram};
#else
  return {};
#endif
}

std::string uname_shim(std::string_view machine) {
#if defined(SLIPWAY_HAS_TWINS)
  static constexpr unsigned char kLibrary[] = {
#include "accel/shim/bytes.inc"
  };
  constexpr std::string_view kPlaceholder = "the machine of the target, written here by slipway.............";
  constexpr std::size_t kFieldSize = 65;  // of struct utsname
  if (machine.empty() || machine.size() >= kFieldSize || machine.find('\0') != std::string_view::npos)
    throw InvalidInput(concat("\"", machine, "\" cannot be the name of a machine"));
  std::string library(reinterpret_cast<const char*>(kLibrary), sizeof kLibrary);
  const std::size_t place = library.find(kPlaceholder);
  SLIPWAY_CHECK(place != std::string::npos && place + kFieldSize <= library.size(),
                "the shim has its placeholder");
  std::string field(machine);
  field.resize(kFieldSize, '\0');
  return library.replace(place, kFieldSize, field);
#else
  static_cast<void>(machine);
  return {};
#endif
}

}  // namespace slipway
