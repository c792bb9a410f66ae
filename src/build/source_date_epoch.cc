#include "build/source_date_epoch.h"

#include "base/error.h"
#include "base/strings.h"

namespace slipway {

std::optional<std::int64_t> parse_source_date_epoch(std::string_view text) {
  if (text.empty()) return std::nullopt;
  const auto seconds = parse_unsigned(text);
  // 9999-12-31, the last day that RFC 3339 can write.
  if (!seconds || *seconds > 253402300799U)
    throw UsageError(concat("SOURCE_DATE_EPOCH=", text, " is no number of seconds"));
  return static_cast<std::int64_t>(*seconds);
}

}  // namespace slipway
