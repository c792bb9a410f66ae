#include "accel/loader_options.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/files.h"
#include "base/rooted.h"
#include "base/strings.h"

namespace slipway {
namespace {

constexpr std::size_t kMostLoader = std::size_t{64} << 20;

/// "1.2.5": the version that a file has as a string of its own.
bool is_new_musl_version(std::string_view text) {
  const std::vector<std::string> parts = split(text.substr(0, text.find_first_of("-_+ ")), '.');
  if (parts.size() != 3) return false;
  std::array<std::uint64_t, 3> version{};
  for (std::size_t i = 0; i < 3; ++i) {
    const auto number = parse_unsigned(parts[i]);
    if (!number || parts[i].size() > 4) return false;
    version[i] = *number;
  }
  return version >= std::array<std::uint64_t, 3>{1, 2, 2} && version[0] == 1;
}

// musl compares its options without having them as strings.
bool is_new_musl(const std::string& bytes) {
  std::size_t from = 0;
  while (from < bytes.size()) {
    const std::size_t end = std::min(bytes.find('\0', from), bytes.size());
    if (end - from >= 5 && end - from < 32 && is_new_musl_version({bytes.data() + from, end - from}))
      return true;
    from = end + 1;
  }
  return false;
}

}  // namespace

bool is_musl_loader(std::string_view loader) {
  const std::string_view name = loader.substr(loader.rfind('/') + 1);
  return name.starts_with("ld-musl") || name == "libc.so";
}

std::optional<std::string> loader_shortcoming(const std::filesystem::path& tree, std::string_view loader) {
  std::string bytes;
  try {
    const auto file = RootedDir(tree).try_open(loader, O_RDONLY | O_NONBLOCK);
    if (!file) return "its dynamic loader is not there";
    bytes = read_all(file->get(), loader, kMostLoader);
  } catch (const Error& error) {
    return concat("its dynamic loader cannot be read: ", error.message());
  }
  const bool knows_argv0 = is_musl_loader(loader) ? is_new_musl(bytes)
                                                  : bytes.find("--argv0") != std::string::npos &&
                                                        bytes.find("--preload") != std::string::npos;
  if (!knows_argv0) return "its dynamic loader is too old";
  return std::nullopt;
}

}  // namespace slipway
