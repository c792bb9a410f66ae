#pragma once
// Shell patterns of variable expansion (${v#p}, ${v/p/r}): * is any text, ? one character, neither a line's
// end. Not for file names.
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace slipway::dockerfile {

/// Matching takes (length of the pattern) x (length of the value) steps at most, whatever the pattern.
class ShellPattern {
 public:
  /// A backslash takes the meaning from *, ? and itself, and is dropped before } and /. Throws TextError, at
  /// the backslash, before anything else.
  static ShellPattern parse(std::string_view text);
  std::size_t size() const { return tokens_.size(); }

  enum class Length { Shortest, Longest };
  /// The value without the shortest or longest prefix (suffix) that matches; the whole value if none does.
  std::string without_prefix(std::string_view value, Length length) const;
  std::string without_suffix(std::string_view value, Length length) const;
  /// The leftmost longest match, or all of them from left to right, replaced; an empty one not right behind
  /// another. Stops replacing once the result is longer than `limit`.
  std::string replace(std::string_view value, std::string_view replacement, bool all,
                      std::size_t limit) const;

 private:
  void add_any_text();
  enum class Kind { Literal, AnyCharacter, AnyText };
  struct Token {
    Kind kind = Kind::Literal;
    char literal = 0;
  };
  std::optional<std::size_t> match_length(std::string_view value, bool from_end, Length length) const;
  std::optional<std::pair<std::size_t, std::size_t>> find(std::string_view value, std::size_t from) const;

  std::vector<Token> tokens_;
};

}  // namespace slipway::dockerfile
