#include "platforms/platform.h"

#include <sys/utsname.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/strings.h"

namespace slipway {

namespace {

struct Alias {
  std::string_view name, architecture, variant;
};
// containerd platforms/database.go, normalizeArch: what people and machines call an architecture.
constexpr std::array kAliases = {
    Alias{"i386", "386", ""},          Alias{"i486", "386", ""},     Alias{"i586", "386", ""},
    Alias{"i686", "386", ""},          Alias{"x86_64", "amd64", ""}, Alias{"x86-64", "amd64", ""},
    Alias{"aarch64", "arm64", ""},     Alias{"armhf", "arm", "v7"},  Alias{"armel", "arm", "v6"},
    Alias{"armv7l", "arm", "v7"},      Alias{"armv6l", "arm", "v6"}, Alias{"ppc64el", "ppc64le", ""},
    Alias{"mips64el", "mips64le", ""},
};

// The architecture names that OCI images use (Go's GOARCH).
constexpr std::array<std::string_view, 12> kArchitectures = {"386",     "amd64",    "arm",     "arm64",
                                                             "loong64", "mips64le", "ppc64le", "riscv64",
                                                             "s390x",   "ppc64",    "mips64",  "wasm"};

void normalise(std::string& architecture, std::string& variant) {
  architecture = to_lower(architecture);
  variant = to_lower(variant);
  for (const Alias& alias : kAliases) {
    if (architecture != alias.name) continue;
    architecture = alias.architecture;
    if (variant.empty()) variant = alias.variant;
  }
  if (!variant.empty() && variant.front() >= '0' && variant.front() <= '9') variant = "v" + variant;
  if (architecture == "arm64" && variant == "v8") variant.clear();
  if (architecture == "amd64" && variant == "v1") variant.clear();
  if (architecture == "arm" && variant.empty()) variant = "v7";
}

[[noreturn]] void refuse(std::string_view text, std::string_view why) {
  throw UsageError(concat("invalid platform \"", text, "\": ", why));
}

bool is_word(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
}

/// 7 of "v7", -1 if it is not of that form.
int variant_number(const std::string& variant) {
  if (variant.size() < 2 || variant[0] != 'v') return -1;
  const auto number = parse_unsigned(std::string_view(variant).substr(1));
  return number && *number < 100 ? static_cast<int>(*number) : -1;
}

}  // namespace

Platform Platform::parse(std::string_view text) {
  const std::vector<std::string> parts = split(text, '/');
  for (const std::string& part : parts)
    if (!is_word(part)) refuse(text, "expected os/architecture[/variant], such as linux/arm64");
  if (parts.size() > 3) refuse(text, "more than three parts");
  Platform platform;
  if (parts.size() == 1) {
    // "arm64" alone, as buildx takes it; "linux" alone is the host's architecture.
    if (to_lower(parts[0]) == "linux") return host();
    platform.os_ = "linux";
    platform.architecture_ = parts[0];
  } else {
    platform.os_ = to_lower(parts[0]);
    platform.architecture_ = parts[1];
    if (parts.size() == 3) platform.variant_ = parts[2];
  }
  normalise(platform.architecture_, platform.variant_);
  if (platform.os_ != "linux" && platform.os_ != "windows" && platform.os_ != "darwin" &&
      platform.os_ != "freebsd" && platform.os_ != "unknown")
    refuse(text, concat("unknown operating system \"", platform.os_, "\""));
  if (platform.os_ == "linux" &&
      std::ranges::find(kArchitectures, platform.architecture_) == kArchitectures.end()) {
    const auto near = closest_match(platform.architecture_, {kArchitectures.begin(), kArchitectures.end()});
    refuse(text, concat("unknown architecture \"", platform.architecture_, "\"",
                        near ? concat(", did you mean \"", *near, "\"?") : ""));
  }
  return platform;
}

Platform Platform::from_fields(std::string_view os, std::string_view architecture, std::string_view variant,
                               std::string_view os_version) {
  Platform platform;
  platform.os_ = to_lower(os);
  platform.architecture_ = architecture;
  platform.variant_ = variant;
  platform.os_version_ = os_version;
  normalise(platform.architecture_, platform.variant_);
  return platform;
}

Platform Platform::host() {
  struct utsname names {};
  ::uname(&names);
  return from_fields("linux", names.machine, "");
}

std::string Platform::str() const {
  return variant_.empty() ? concat(os_, "/", architecture_) : concat(os_, "/", architecture_, "/", variant_);
}

std::vector<Platform> parse_platform_list(std::string_view text) {
  std::vector<Platform> platforms;
  for (const std::string& part : split(text, ',')) {
    if (trim(part).empty()) throw UsageError(concat("empty platform in \"", text, "\""));
    Platform platform = Platform::parse(trim(part));
    if (std::ranges::find(platforms, platform) == platforms.end()) platforms.push_back(std::move(platform));
  }
  return platforms;
}

std::optional<int> match_rank(const Platform& wanted, const Platform& offered) {
  if (wanted.os() != offered.os() || wanted.architecture() != offered.architecture()) return std::nullopt;
  if (!wanted.os_version().empty() && wanted.os_version() != offered.os_version()) return std::nullopt;
  if (wanted.variant() == offered.variant()) return 0;
  // An older variant serves a newer one (arm v7 <- v6 <- v5, amd64 v3 <- v2 <- v1), never the other way.
  const int base = wanted.architecture() == "amd64" ? 1 : wanted.architecture() == "arm64" ? 8 : -1;
  const int want = wanted.variant().empty() ? base : variant_number(wanted.variant());
  const int have = offered.variant().empty() ? base : variant_number(offered.variant());
  if (want < 0 || have < 0 || have > want) return std::nullopt;
  return want - have;
}

bool runs_natively(const Platform& host, const Platform& target) {
  if (host.os() != target.os()) return false;
  if (host.architecture() == "amd64" && target.architecture() == "386") return true;
  // amd64 v2..v4 programs are assumed to run: whether this CPU has the instructions is not the kernel's
  // business.
  if (host.architecture() == "amd64" && target.architecture() == "amd64") return true;
  return match_rank(host, target).has_value();
}

std::optional<std::string> debian_architecture(const Platform& platform) {
  const std::string& architecture = platform.architecture();
  if (platform.os() != "linux") return std::nullopt;
  if (architecture == "386") return "i386";
  if (architecture == "arm") return platform.variant() == "v7" ? "armhf" : "armel";
  if (architecture == "ppc64le") return "ppc64el";
  if (architecture == "mips64le") return "mips64el";
  if (architecture == "amd64" || architecture == "arm64" || architecture == "s390x" ||
      architecture == "riscv64")
    return architecture;
  return std::nullopt;
}

std::optional<std::string> qemu_architecture(const Platform& platform) {
  const std::string& architecture = platform.architecture();
  if (platform.os() != "linux") return std::nullopt;
  if (architecture == "amd64") return "x86_64";
  if (architecture == "386") return "i386";
  if (architecture == "arm64") return "aarch64";
  if (architecture == "mips64le") return "mips64el";
  if (architecture == "arm" || architecture == "ppc64le" || architecture == "s390x" ||
      architecture == "riscv64")
    return architecture;
  return std::nullopt;
}

}  // namespace slipway
