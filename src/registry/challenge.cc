#include "registry/challenge.h"

#include "base/strings.h"

namespace slipway {
namespace {

constexpr std::size_t kMaxHeader = 16 * 1024;

class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}
  bool done() const { return rest_.empty(); }
  void skip(std::string_view chars) {
    while (!rest_.empty() && chars.find(rest_.front()) != std::string_view::npos) rest_.remove_prefix(1);
  }
  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void drop() { rest_.remove_prefix(1); }
  std::string token() {
    const std::size_t end = rest_.find_first_of(" \t,=\"");
    std::string out(rest_.substr(0, end));
    rest_.remove_prefix(out.size());
    return out;
  }
  /// After the opening quote.
  std::string quoted() {
    std::string out;
    while (!rest_.empty()) {
      char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') break;
      if (c == '\\' && !rest_.empty()) {
        c = rest_.front();
        rest_.remove_prefix(1);
      }
      out += c;
    }
    return out;
  }

 private:
  std::string_view rest_;
};

}  // namespace

// A word followed by "=" is a parameter of the challenge at hand, any other word begins a new one.
std::vector<AuthChallenge> parse_challenges(std::string_view header) {
  std::vector<AuthChallenge> out;
  Scanner scan(header.substr(0, kMaxHeader));
  while (true) {
    scan.skip(" \t,");
    if (scan.done()) return out;
    const std::string word = scan.token();
    if (word.empty()) {
      scan.drop();
      continue;
    }
    scan.skip(" \t");
    if (!scan.take('=')) {
      out.push_back({.scheme = to_lower(word), .params = {}});
      continue;
    }
    scan.skip(" \t");
    std::string value = scan.take('"') ? scan.quoted() : scan.token();
    if (!out.empty()) out.back().params[to_lower(word)] = std::move(value);
  }
}

}  // namespace slipway
