#pragma once
// A compiled file name pattern. Internal to patterns.cc, which has the two dialects' contracts.
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace slipway {

/// A name as code points, so that '?' is one character. Bytes that are no UTF-8 become lone surrogates, so no
/// two names become the same.
std::u32string code_points(std::string_view text);

/// Immutable, thread-safe. Matching takes (length of the pattern) x (length of the name) steps at most.
class Glob {
 public:
  enum class Dialect {
    Go,    ///< path/filepath.Match
    Moby,  ///< moby/patternmatcher: also "**"
  };
  /// Throws InvalidInput where Go's filepath.Match says ErrBadPattern.
  Glob(std::string_view pattern, Dialect dialect);

  bool matches(const std::u32string& name) const;
  /// The name or one of the directories that it is in.
  bool matches_or_covers(const std::u32string& path) const;
  /// Something below the directory could match.
  bool may_match_below(const std::u32string& directory) const;

 private:
  enum class Kind { Literal, AnyCharacter, AnyText, Class, Directories, Rest };
  struct Range {
    char32_t low = 0, high = 0;
  };
  struct Token {
    Kind kind = Kind::Literal;
    char32_t literal = 0;
    bool negated = false;
    std::vector<Range> ranges;
  };
  /// Which tokens may come next; one more than there are tokens, the last stands for "all matched".
  using States = std::vector<char>;

  void add_any(Kind kind);
  Token parse_class(const std::u32string& pattern, std::size_t& at, std::string_view shown) const;
  void enter(States& states, std::size_t token) const;
  bool step(const States& now, States& next, char32_t character) const;
  bool done(const States& states) const { return states.back() != 0; }
  States start() const;

  std::vector<Token> tokens_;
};

}  // namespace slipway
