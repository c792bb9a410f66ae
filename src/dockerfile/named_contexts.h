#pragma once
// What --build-context gave names to: found by the name as written in the Dockerfile or by any other way to
// write the same image ("alpine", "alpine:latest", "docker.io/library/alpine"), for one platform or for all.
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "dockerfile/lower.h"

namespace slipway::dockerfile {

class NamedContexts {
 public:
  struct Found {
    const std::string* name = nullptr;  ///< as the caller gave it
    const NamedContext* context = nullptr;
  };

  /// Keys are NAME or NAME::PLATFORM. `contexts` must outlive this. Throws UsageError for a platform that is
  /// none.
  explicit NamedContexts(const std::map<std::string, NamedContext>& contexts);

  /// The one for `platform` if there is such, else the one for all. "scratch" and "context" are never found.
  std::optional<Found> find(std::string_view name, const Platform& platform) const;

 private:
  std::map<std::string, Found, std::less<>> by_key_;  ///< "alpine", "alpine::linux/arm64"
};

}  // namespace slipway::dockerfile
