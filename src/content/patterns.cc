#include "content/patterns.h"

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"

namespace slipway {

bool glob_match(std::string_view pattern, std::string_view name) {
  return Glob(pattern, Glob::Dialect::Go).matches(code_points(name));
}

bool has_wildcards(std::string_view pattern) {
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\')
      ++i;  // what is escaped is no wildcard
    else if (pattern[i] == '*' || pattern[i] == '?' || pattern[i] == '[')
      return true;
  }
  return false;
}

namespace {

/// Go's filepath.Clean. A leading '/' stays: paths have none, so such a pattern matches nothing, as in
/// BuildKit (readers of ignore files take it away).
std::string cleaned(std::string_view pattern) {
  const bool rooted = pattern.starts_with('/');
  std::vector<std::string> parts;
  for (std::string& part : split(pattern, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == ".." && !parts.empty() && parts.back() != "..") {
      parts.pop_back();
    } else if (part != ".." || !rooted) {
      parts.push_back(std::move(part));
    }
  }
  if (parts.empty()) return {};
  return concat(rooted ? "/" : "", join(parts, "/"));
}

}  // namespace

PatternMatcher::PatternMatcher(const std::vector<std::string>& patterns) {
  for (const std::string& given : patterns) {
    std::string_view text = trim(given);
    if (text.empty()) continue;
    const bool negated = text.front() == '!';
    if (negated) text.remove_prefix(1);
    if (text.empty()) throw InvalidInput("\"!\" alone is not a pattern: say what to include again");
    // moby checks against filepath.Match's grammar, so "**" is well-formed there too.
    const std::string clean = cleaned(text);
    if (clean.empty()) continue;  // "." or "/": the root itself, which is never excluded
    patterns_.push_back(
        {.text = std::string(trim(given)), .negated = negated, .glob = Glob(clean, Glob::Dialect::Moby)});
    has_negations_ |= negated;
  }
}

const PatternMatcher::Pattern* PatternMatcher::last_match(const std::u32string& path) const {
  const auto found = std::find_if(patterns_.rbegin(), patterns_.rend(), [&](const Pattern& pattern) {
    return pattern.glob.matches_or_covers(path);
  });
  return found == patterns_.rend() ? nullptr : &*found;
}

bool PatternMatcher::excludes(std::string_view path) const {
  if (patterns_.empty() || path.empty()) return false;
  const Pattern* last = last_match(code_points(path));
  return last && !last->negated;
}

std::optional<std::string> PatternMatcher::excluded_by(std::string_view path) const {
  if (patterns_.empty() || path.empty()) return std::nullopt;
  const Pattern* last = last_match(code_points(path));
  if (!last || last->negated) return std::nullopt;
  return last->text;
}

bool PatternMatcher::may_include_below(std::string_view directory) const {
  if (!has_negations_) return false;
  const std::u32string path = code_points(directory);
  // What matches the directory covers all below it, so only a later "!" can bring something back.
  const Pattern* last = path.empty() ? nullptr : last_match(path);
  const std::size_t first = last ? static_cast<std::size_t>(last - patterns_.data()) + 1 : 0;
  return std::any_of(
      patterns_.begin() + static_cast<std::ptrdiff_t>(first), patterns_.end(),
      [&](const Pattern& pattern) { return pattern.negated && pattern.glob.may_match_below(path); });
}

bool PatternMatcher::may_exclude_below(std::string_view directory) const {
  const std::u32string path = code_points(directory);
  return std::ranges::any_of(patterns_, [&](const Pattern& pattern) {
    return !pattern.negated && pattern.glob.may_match_below(path);
  });
}

}  // namespace slipway
