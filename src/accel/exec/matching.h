#pragma once
// What slipway-exec compares: names, shell patterns, the environment. Without a library.
#include <cstdint>

namespace slipway::twin_file {

inline bool equal(const char* a, const char* b) {
  while (*a != 0 && *a == *b) ++a, ++b;
  return *a == *b;
}

inline bool begins_with(const char* text, const char* beginning) {
  while (*beginning != 0)
    if (*text++ != *beginning++) return false;
  return true;
}

inline bool ends_with_ignoring_case(const char* text, const char* lower_case_ending) {
  const auto length = [](const char* of) {
    std::uint64_t size = 0;
    while (of[size] != 0) ++size;
    return size;
  };
  const std::uint64_t size = length(text), ending = length(lower_case_ending);
  if (ending > size) return false;
  for (std::uint64_t i = 0; i < ending; ++i) {
    const char c = text[size - ending + i];
    if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c) != lower_case_ending[i]) return false;
  }
  return true;
}

/// What follows the last '/'.
inline const char* last_part(const char* path) {
  const char* part = path;
  for (; *path != 0; ++path)
    if (*path == '/') part = path + 1;
  return part;
}

/// Whether the bracket expression at `pattern` (behind its '[') has `c` in it; `end` is set behind it, or to
/// null if it does not end: then the '[' is an ordinary character.
inline bool matches_bracket(const char* pattern, char c, const char*& end) {
  const bool negated = *pattern == '!' || *pattern == '^';
  if (negated) ++pattern;
  const auto byte = [](char of) { return static_cast<unsigned char>(of); };
  bool found = false;
  end = nullptr;
  for (bool first = true; first || *pattern != ']'; first = false) {
    if (*pattern == '\\') ++pattern;
    if (*pattern == 0) return false;
    const char low = *pattern++;
    char high = low;
    if (*pattern == '-' && pattern[1] != ']' && pattern[1] != 0) {
      ++pattern;
      if (*pattern == '\\') ++pattern;
      if (*pattern == 0) return false;
      high = *pattern++;
    }
    if (byte(low) <= byte(c) && byte(c) <= byte(high)) found = true;
  }
  end = pattern + 1;
  return found != negated;
}

/// Whether matches_pattern() takes `pattern` for what fnmatch(3) does: its brackets are closed and without
/// [:classes:].
inline bool is_plain_pattern(const char* pattern) {
  while (*pattern != 0) {
    const char* next = pattern + 1;
    if (*pattern == '\\' && *next != 0) ++next;
    if (*pattern == '[') {
      matches_bracket(pattern + 1, 0, next);
      if (next == nullptr) return false;
      for (const char* in = pattern + 1; in + 1 < next; ++in)
        if (*in == '[' && (in[1] == ':' || in[1] == '.' || in[1] == '=')) return false;
    }
    pattern = next;
  }
  return true;
}

/// fnmatch(3) without flags in the locale C, without [:classes:]. Time is at most the product of both
/// lengths.
inline bool matches_pattern(const char* pattern, const char* text) {
  const char *star = nullptr, *star_text = nullptr;
  while (true) {
    bool same = false;
    const char* next = pattern + 1;
    if (*pattern == '*') {
      star = ++pattern;
      star_text = text;
      continue;
    }
    if (*text == 0) {
      if (*pattern == 0) return true;
    } else if (*pattern == '?') {
      same = true;
    } else if (*pattern == '[') {
      same = matches_bracket(pattern + 1, *text, next);
      if (next == nullptr) {
        same = *text == '[';
        next = pattern + 1;
      }
    } else if (*pattern == '\\') {
      same = pattern[1] != 0 && pattern[1] == *text;
      next = pattern + 2;
    } else {
      same = *pattern == *text;
    }
    if (same) {
      pattern = next;
      ++text;
    } else {
      if (star == nullptr || *star_text == 0) return false;
      pattern = star;
      text = ++star_text;
    }
  }
}

/// The value of the variable NAME=, null if there is none.
inline const char* variable(const char* const* environment, const char* name_and_equals) {
  for (; *environment != nullptr; ++environment) {
    if (!begins_with(*environment, name_and_equals)) continue;
    const char* value = *environment;
    while (*value != '=') ++value;
    return value + 1;
  }
  return nullptr;
}

/// A locale whose character set needs no module of a library: others are found in the root, if at all, and
/// those are for the other machine.
inline bool has_known_charset(const char* const* environment) {
  const char* locale = variable(environment, "LC_ALL=");
  if (locale == nullptr || *locale == 0) locale = variable(environment, "LC_CTYPE=");
  if (locale == nullptr || *locale == 0) locale = variable(environment, "LANG=");
  return locale == nullptr || *locale == 0 || equal(locale, "C") || equal(locale, "POSIX") ||
         ends_with_ignoring_case(locale, "utf-8") || ends_with_ignoring_case(locale, "utf8");
}

}  // namespace slipway::twin_file
