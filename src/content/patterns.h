#pragma once
// The pattern languages of Dockerfiles: moby/patternmatcher (.dockerignore, COPY --exclude) and Go's
// filepath.Match (COPY sources).
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "content/glob.h"

namespace slipway {

/// Go's filepath.Match: '*' and '?' do not cross '/', [a-z], [^a], '\' escapes. Throws InvalidInput for a bad
/// pattern.
bool glob_match(std::string_view pattern, std::string_view name);
bool has_wildcards(std::string_view pattern);

/// .dockerignore semantics: patterns in order, the last that matches wins, '!' re-includes, "**" is any
/// depth, a pattern that matches a directory covers what is in it. Immutable, thread-safe.
class PatternMatcher {
 public:
  PatternMatcher() = default;
  /// Patterns as an ignore file's reader gives them (cleaned, without leading '/'). Throws InvalidInput.
  explicit PatternMatcher(const std::vector<std::string>& patterns);
  bool empty() const { return patterns_.empty(); }
  /// `path` is relative with '/' separators and no leading '/'.
  bool excludes(std::string_view path) const;
  /// The pattern that decides that `path` is excluded, as it was given; nothing if it is not excluded.
  std::optional<std::string> excluded_by(std::string_view path) const;
  /// True if something below the excluded directory could be re-included, so that it must still be walked.
  bool may_include_below(std::string_view directory) const;
  /// True if something below the directory, which is not excluded itself, could be: what patterns of
  /// inclusion ask (there "excluded" reads "selected").
  bool may_exclude_below(std::string_view directory) const;

 private:
  struct Pattern {
    std::string text;  ///< as given, with the '!'
    bool negated = false;
    Glob glob;
  };
  /// The last pattern that matches, or null.
  const Pattern* last_match(const std::u32string& path) const;
  std::vector<Pattern> patterns_;
  bool has_negations_ = false;
};

}  // namespace slipway
