#pragma once
// Platforms as OCI image-spec (image-index.md, "platform") and containerd spell and match them.
#include <compare>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace slipway {

/// A normalised platform: "linux/arm64", "linux/arm/v7", "linux/amd64/v3". arm64/v8, amd64/v1 and arm/v7's
/// aliases are folded, so equal platforms compare equal.
class Platform {
 public:
  /// Accepts os/arch[/variant], arch alone (os linux), and the usual aliases (aarch64, x86_64, armhf…).
  /// Throws UsageError naming what is wrong.
  static Platform parse(std::string_view text);
  /// From the fields of an OCI document, normalised; unknown values are kept as they are.
  static Platform from_fields(std::string_view os, std::string_view architecture, std::string_view variant,
                              std::string_view os_version = {});
  /// The machine that this process runs on.
  static Platform host();

  const std::string& os() const { return os_; }
  const std::string& architecture() const { return architecture_; }
  const std::string& variant() const { return variant_; }
  const std::string& os_version() const { return os_version_; }
  std::string str() const;  ///< "linux/arm/v7"
  auto operator<=>(const Platform&) const = default;

 private:
  Platform() = default;
  std::string os_, architecture_, variant_, os_version_;
};

/// Splits "linux/amd64,linux/arm64" (buildx's --platform), drops repetitions, keeps the order. Throws
/// UsageError.
std::vector<Platform> parse_platform_list(std::string_view text);

/// How well an image for `offered` serves someone who asked for `wanted`: 0 is exact, larger is worse,
/// nothing is no match. containerd's rules: arm/v7 takes v7, v6, v5; amd64/v3 takes v3, v2, v1; arm64 takes
/// arm64 only here.
std::optional<int> match_rank(const Platform& wanted, const Platform& offered);

/// True if a kernel of `host` executes programs of `target` without an emulator (arm64 runs… nothing else by
/// assumption; amd64 runs 386; arm/v7 runs v6 and v5).
bool runs_natively(const Platform& host, const Platform& target);

/// What Debian calls it (dpkg architecture): arm64, armhf, i386, ppc64el…; nothing if Debian has no such
/// port.
std::optional<std::string> debian_architecture(const Platform& platform);
/// What QEMU's user emulator is named for it: aarch64, arm, i386, ppc64le, s390x…
std::optional<std::string> qemu_architecture(const Platform& platform);

}  // namespace slipway
