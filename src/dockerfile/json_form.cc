#include "dockerfile/json_form.h"

#include <algorithm>
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

}  // namespace

std::optional<std::vector<std::string>> parse_json_form(std::string_view text) {
  if (!text.starts_with('[')) return std::nullopt;
  StringArray array;
  if (!nlohmann::json::sax_parse(text, &array)) return std::nullopt;
  if (!array.only_strings) throw TextError("the JSON form takes strings only, in double quotes", 0);
  return std::move(array.strings);
}

std::optional<std::size_t> looks_like_json_form(std::string_view text) {
  if (!text.starts_with("[\"") && !text.starts_with("['")) return std::nullopt;
  StringArray array;
  if (nlohmann::json::sax_parse(text, &array)) return std::nullopt;
  return std::min(array.wrong_at, text.size() - 1);
}

}  // namespace slipway::dockerfile
