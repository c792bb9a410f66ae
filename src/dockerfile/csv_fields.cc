#include "dockerfile/csv_fields.h"

#include <algorithm>

#include "dockerfile/text_error.h"

namespace slipway::dockerfile {
namespace {

/// The field in quotes whose first quote is text[at]; moves `at` behind the last one.
std::string quoted_field(std::string_view text, std::size_t& at) {
  const std::size_t start = at++;
  std::string out;
  while (true) {
    const std::size_t quote = text.find('"', at);
    if (quote == std::string_view::npos) throw TextError("the quote that begins here is not closed", start);
    out += text.substr(at, quote - at);
    at = quote + 1;
    if (at == text.size() || text[at] == ',') return out;
    if (text[at] != '"') throw TextError("after a closing quote there must be a comma or the end", at);
    out += text[at++];
  }
}

std::string plain_field(std::string_view text, std::size_t& at) {
  const std::size_t start = at;
  at = std::min(text.find(',', at), text.size());
  const std::string_view field = text.substr(start, at - start);
  const std::size_t quote = field.find('"');
  if (quote != std::string_view::npos)
    throw TextError("a quote may only stand around a whole field: \"source=a,b\"", start + quote);
  return std::string(field);
}

}  // namespace

std::vector<std::string> csv_fields(std::string_view text) {
  if (text.empty()) throw TextError("nothing is given", 0);
  std::vector<std::string> out;
  for (std::size_t at = 0;; ++at) {
    const bool quoted = at < text.size() && text[at] == '"';
    out.push_back(quoted ? quoted_field(text, at) : plain_field(text, at));
    if (at == text.size()) return out;
  }
}

}  // namespace slipway::dockerfile
