#include "dockerfile/json_form.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "dockerfile/text_error.h"

namespace slipway::dockerfile {
namespace {

/// Takes the strings of one array and notes everything else; never holds more of a document than that.
class StringArray final : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::vector<std::string> strings;
  bool only_strings = true;
  std::size_t wrong_at = 0;

  bool null() override { return other(); }
  bool boolean(bool) override { return other(); }
  bool number_integer(number_integer_t) override { return other(); }
  bool number_unsigned(number_unsigned_t) override { return other(); }
  bool number_float(number_float_t, const string_t&) override { return other(); }
  bool binary(binary_t&) override { return other(); }
  bool string(string_t& value) override {
    if (only_strings) strings.push_back(std::move(value));
    return true;
  }
  bool start_object(std::size_t) override { return other(); }
  bool key(string_t&) override { return true; }
  bool end_object() override { return true; }
  bool start_array(std::size_t) override {
    if (++depth_ > 1) only_strings = false;
    return true;
  }
  bool end_array() override { return true; }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    wrong_at = position > 0 ? position - 1 : 0;
    return false;
  }

 private:
  bool other() {
    only_strings = false;
    return true;
  }
  int depth_ = 0;
};

/// The UTF-16 unit that an escape at `at` stands for, as in \\u00e9.
std::optional<unsigned> escaped_unit(std::string_view text, std::size_t at) {
  if (text.size() < at + 6 || text.substr(at, 2) != "\\u") return std::nullopt;
  unsigned unit = 0;
  const char* last = text.data() + at + 6;
  const auto [end, error] = std::from_chars(text.data() + at + 2, last, unit, 16);
  return error == std::errc() && end == last ? std::optional(unit) : std::nullopt;
}

/// Half a surrogate pair is U+FFFD to other builders, and an error to the JSON parser. No length changes.
std::string without_lone_surrogates(std::string_view text) {
  const auto within = [](std::optional<unsigned> unit, unsigned first) {
    return unit && *unit >= first && *unit < first + 0x400;
  };
  std::string out(text);
  for (std::size_t at = out.find('\\'); at != std::string::npos; at = out.find('\\', at)) {
    const std::optional<unsigned> unit = escaped_unit(out, at);
    if (within(unit, 0xd800) && within(escaped_unit(out, at + 6), 0xdc00)) {
      at += 12;
    } else if (within(unit, 0xd800) || within(unit, 0xdc00)) {
      out.replace(at + 2, 4, "fffd");
      at += 6;
    } else {
      at += 2;
    }
  }
  return out;
}

bool read_json(std::string_view text, StringArray& array) {
  return nlohmann::json::sax_parse(without_lone_surrogates(text), &array);
}

}  // namespace

std::optional<std::vector<std::string>> parse_json_form(std::string_view text) {
  if (!text.starts_with('[')) return std::nullopt;
  StringArray array;
  if (!read_json(text, array)) return std::nullopt;
  if (!array.only_strings) throw TextError("the JSON form takes strings only, in double quotes", 0);
  return std::move(array.strings);
}

std::optional<std::size_t> looks_like_json_form(std::string_view text) {
  if (!text.starts_with("[\"") && !text.starts_with("['")) return std::nullopt;
  StringArray array;
  if (read_json(text, array)) return std::nullopt;
  return std::min(array.wrong_at, text.size() - 1);
}

}  // namespace slipway::dockerfile
