#include "base/free_memory.h"

#include <exception>
#include <string>

#include "base/files.h"
#include "base/strings.h"

namespace slipway {

std::uint64_t parse_available_memory(std::string_view meminfo) {
  constexpr std::string_view kName = "MemAvailable:";
  const std::size_t at = meminfo.find(kName);
  if (at == std::string_view::npos) return kAnyMemory;
  std::string_view value = meminfo.substr(at + kName.size());
  value = trim(value.substr(0, value.find("kB")));
  const auto kibibytes = parse_unsigned(value);
  if (!kibibytes || *kibibytes > kAnyMemory / 1024) return kAnyMemory;
  return *kibibytes * 1024;
}

std::uint64_t available_memory() noexcept {
  try {
    return parse_available_memory(read_file_if_exists("/proc/meminfo").value_or(""));
  } catch (const std::exception&) {
    return kAnyMemory;  // then nothing is held back for want of it
  }
}

}  // namespace slipway
