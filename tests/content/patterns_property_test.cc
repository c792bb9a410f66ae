// Ignore patterns against a slow matcher that follows the rules one by one.
#include <gtest/gtest.h>

#include <random>

#include "base/strings.h"
#include "content/patterns.h"

namespace slipway {
namespace {

bool part_matches(std::string_view pattern, std::string_view name) {
  if (pattern.empty()) return name.empty();
  if (pattern.front() == '*')
    return part_matches(pattern.substr(1), name) || (!name.empty() && part_matches(pattern, name.substr(1)));
  return !name.empty() && (pattern.front() == '?' || pattern.front() == name.front()) &&
         part_matches(pattern.substr(1), name.substr(1));
}

/// "**" as a whole part takes any number of parts; at the end at least one.
bool path_matches(const std::vector<std::string>& pattern, std::size_t p,
                  const std::vector<std::string>& path, std::size_t n) {
  if (p == pattern.size()) return n == path.size();
  if (pattern[p] == "**" && p + 1 == pattern.size()) return n < path.size();
  if (pattern[p] == "**")
    return path_matches(pattern, p + 1, path, n) ||
           (n < path.size() && path_matches(pattern, p, path, n + 1));
  return n < path.size() && part_matches(pattern[p], path[n]) && path_matches(pattern, p + 1, path, n + 1);
}

/// The last pattern that matches the path or a directory it is in decides.
bool excluded(const std::vector<std::string>& patterns, const std::string& path) {
  bool out = false;
  const std::vector<std::string> parts = split(path, '/');
  for (const std::string& given : patterns) {
    const bool negated = given.starts_with('!');
    const std::vector<std::string> pattern = split(std::string_view(given).substr(negated ? 1 : 0), '/');
    for (std::size_t length = 1; length <= parts.size(); ++length) {
      const std::vector<std::string> covered(parts.begin(),
                                             parts.begin() + static_cast<std::ptrdiff_t>(length));
      if (path_matches(pattern, 0, covered, 0)) {
        out = !negated;
        break;
      }
    }
  }
  return out;
}

class RandomPaths {
 public:
  explicit RandomPaths(unsigned seed) : engine_(seed) {}
  std::size_t below(std::size_t end) {
    return std::uniform_int_distribution<std::size_t>(0, end - 1)(engine_);
  }
  std::string path(const std::vector<std::string>& parts) {
    std::string out;
    for (std::size_t count = 1 + below(4); count > 0; --count)
      out += concat(out.empty() ? "" : "/", parts[below(parts.size())]);
    return out;
  }

 private:
  std::mt19937 engine_;
};

TEST(PatternProperty, ExcludesWhatTheSlowMatcherExcludes) {
  const std::vector<std::string> pattern_parts = {"a", "b", "ab", "*", "?", "a*", "*b", "a?b", "**", "**"};
  const std::vector<std::string> path_parts = {"a", "b", "ab", "aab", "c"};
  RandomPaths random(1);
  int hits = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::string> patterns;
    for (std::size_t count = 1 + random.below(4); count > 0; --count)
      patterns.push_back(concat(random.below(3) == 0 ? "!" : "", random.path(pattern_parts)));
    const std::string path = random.path(path_parts);
    const PatternMatcher matcher(patterns);
    ASSERT_EQ(matcher.excludes(path), excluded(patterns, path)) << join(patterns, " ") << " of " << path;
    hits += matcher.excludes(path) ? 1 : 0;
  }
  EXPECT_GT(hits, 2'000);
}

/// What a walk leaves out without looking inside must hold nothing that is included.
TEST(PatternProperty, SkippedDirectoriesHoldNothingIncluded) {
  const std::vector<std::string> pattern_parts = {"a", "b", "*", "a*", "**"};
  const std::vector<std::string> path_parts = {"a", "b", "ab"};
  RandomPaths random(2);
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::string> patterns;
    for (std::size_t count = 1 + random.below(4); count > 0; --count)
      patterns.push_back(concat(random.below(2) == 0 ? "!" : "", random.path(pattern_parts)));
    const std::string directory = random.path(path_parts);
    const PatternMatcher matcher(patterns);
    if (!matcher.excludes(directory) || matcher.may_include_below(directory)) continue;
    const std::string below = concat(directory, "/", random.path(path_parts));
    ASSERT_TRUE(matcher.excludes(below)) << join(patterns, " ") << " of " << below;
  }
}

}  // namespace
}  // namespace slipway
