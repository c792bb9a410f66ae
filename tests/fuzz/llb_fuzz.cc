// libFuzzer's entry: ./dev fuzz
#include <cstddef>
#include <cstdint>

#include "fuzz/llb_target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kMaxInput = 64 << 10;
  if (size <= kMaxInput) slipway::testing::try_llb({reinterpret_cast<const char*>(data), size});
  return 0;
}
