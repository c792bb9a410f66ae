#include "dockerfile/named_contexts.h"

#include "base/strings.h"

namespace slipway::dockerfile {
namespace {

constexpr std::string_view kLatest = ":latest";

/// One spelling for all names of an image; other names stay as they are.
std::string common_name(std::string_view name) {
  std::string out;
  try {
    out = ImageRef::parse(name).familiar();
  } catch (const InvalidInput&) {
    return to_lower(name);
  }
  if (out.ends_with(kLatest)) out.resize(out.size() - kLatest.size());
  return to_lower(out);
}

}  // namespace

NamedContexts::NamedContexts(const std::map<std::string, NamedContext>& contexts) {
  for (const auto& [key, context] : contexts) {
    const std::size_t separator = key.find("::");
    std::string common = common_name(std::string_view(key).substr(0, separator));
    if (separator != std::string::npos)
      common += concat("::", Platform::parse(std::string_view(key).substr(separator + 2)).str());
    by_key_[std::move(common)] = {&key, &context};
  }
}

std::optional<NamedContexts::Found> NamedContexts::find(std::string_view name,
                                                        const Platform& platform) const {
  if (by_key_.empty() || name == "scratch" || name == "context") return std::nullopt;
  const std::string common = common_name(name);
  auto known = by_key_.find(concat(common, "::", platform.str()));
  if (known == by_key_.end()) known = by_key_.find(common);
  if (known == by_key_.end()) return std::nullopt;
  return known->second;
}

}  // namespace slipway::dockerfile
