#include "build/attributes.h"

#include <algorithm>
#include <cstdlib>

#include "base/error.h"
#include "base/strings.h"

namespace slipway {

Attributes::Attributes(std::string flag, std::string_view text) : flag_(std::move(flag)) {
  for (const std::string& field : split_csv(text)) {
    const std::size_t equals = field.find('=');
    if (equals == std::string::npos)
      throw UsageError(concat(flag_, ": \"", field, "\" is not of the form key=value"));
    values_[to_lower(trim(std::string_view(field).substr(0, equals)))] = field.substr(equals + 1);
  }
}

std::string Attributes::take(const std::string& key) {
  const auto found = values_.find(key);
  if (found == values_.end()) return {};
  std::string value = std::move(found->second);
  values_.erase(found);
  return value;
}

std::string Attributes::take_or_variable(const std::string& key,
                                         std::initializer_list<const char*> variables) {
  std::string value = take(key);
  for (const char* variable : variables)
    if (const char* set = std::getenv(variable); value.empty() && set) value = set;
  return value;
}

bool Attributes::take_bool(const std::string& key, bool fallback) {
  if (!values_.contains(key)) return fallback;
  const std::string value = to_lower(take(key));
  if (value == "true" || value == "1") return true;
  if (value == "false" || value == "0") return false;
  throw UsageError(concat(flag_, ": ", key, "=", value, " is neither true nor false"));
}

std::optional<Attributes::ChosenCompression> Attributes::take_compression() {
  const std::string name = take("compression"), level = take("compression-level");
  if (name.empty() && level.empty()) return std::nullopt;
  ChosenCompression chosen;
  if (name == "uncompressed") {
    chosen.compression = Compression::None;
  } else if (name == "zstd") {
    chosen.compression = Compression::Zstd;
  } else if (!name.empty() && name != "gzip") {
    throw UsageError(concat(flag_, ": unknown compression \"", name, "\" (gzip, zstd, uncompressed)"));
  }
  if (!level.empty()) {
    const auto number = parse_unsigned(level);
    const unsigned most = chosen.compression == Compression::Zstd ? 22 : 9;
    if (!number || *number > most)
      throw UsageError(concat(flag_, ": compression-level=", level, " is no level (0-", most, ")"));
    chosen.level = static_cast<int>(*number);
  }
  return chosen;
}

void Attributes::refuse_rest(const std::vector<std::string>& known) const {
  if (values_.empty()) return;
  const std::string& key = values_.begin()->first;
  if (std::ranges::find(known, key) != known.end())
    throw UsageError(concat(flag_, ": ", key, "= is of no use with the type that it is given with"));
  const auto near = closest_match(key, known);
  throw UsageError(
      concat(flag_, ": unknown attribute \"", key, "\"", near ? concat(", did you mean ", *near, "?") : ""));
}

}  // namespace slipway
