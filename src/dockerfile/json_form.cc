#include "dockerfile/json_form.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "dockerfile/text_error.h"

namespace slipway::dockerfile {

std::optional<std::vector<std::string>> parse_json_form(std::string_view text) {
  if (text.empty() || text.front() != '[') return std::nullopt;
  const bool meant = text.size() > 1 && (text[1] == '"' || text[1] == '\'');
  nlohmann::json value;
  try {
    value = nlohmann::json::parse(text);
  } catch (const nlohmann::json::parse_error& error) {
    if (!meant) return std::nullopt;
    const std::size_t at = std::min(error.byte > 0 ? error.byte - 1 : 0, text.size() - 1);
    const bool single = text[1] == '\'';
    throw TextError(single ? "this is not a JSON array: JSON strings are written with double quotes"
                           : "this begins like a JSON array but is not valid JSON here",
                    single ? 1 : at);
  }
  std::vector<std::string> out;
  for (const nlohmann::json& element : value) {
    if (!element.is_string()) throw TextError("the JSON form takes strings only, in double quotes", 0);
    out.push_back(element.get<std::string>());
  }
  return out;
}

}  // namespace slipway::dockerfile
