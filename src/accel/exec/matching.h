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

inline bool is_one_of(const char* text, const char* const* words, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i)
    if (equal(text, words[i])) return true;
  return false;
}

/// The value of the variable NAME=, null if there is none or it is empty.
inline const char* variable(const char* const* environment, const char* name_and_equals) {
  for (; *environment != nullptr; ++environment) {
    if (!begins_with(*environment, name_and_equals)) continue;
    const char* value = *environment;
    while (*value != '=') ++value;
    return value[1] == 0 ? nullptr : value + 1;
  }
  return nullptr;
}

/// Languages without translations: "en_US:en". Those of others may be written in other character sets.
inline bool is_plain_language(const char* list) {
  constexpr const char* kPlain[] = {"en_US.UTF-8", "en_US.utf8", "en_US", "en", "C"};
  while (*list != 0) {
    const char* rest = list;
    for (const char* plain : kPlain) {
      std::uint64_t size = 0;
      while (plain[size] != 0) ++size;
      if (begins_with(list, plain) && (list[size] == 0 || list[size] == ':')) rest = list + size;
    }
    if (rest == list) return false;
    list = *rest == ':' ? rest + 1 : rest;
  }
  return true;
}

/// Are all locales such as need no module of the C library? Those are found in the root, if at all, and are
/// for the other machine: to read other character sets, and translations into languages that have been
/// written in them.
inline bool has_plain_locale(const char* const* environment) {
  constexpr const char* kPlain[] = {"",          "C",      "POSIX",       "C.UTF-8",     "C.utf-8",
                                    "C.utf8",    "C.UTF8", "en_US.UTF-8", "en_US.utf-8", "en_US.utf8",
                                    "en_US.UTF8"};
  constexpr std::uint64_t kCount = sizeof kPlain / sizeof *kPlain;
  if (const char* all = variable(environment, "LC_ALL=")) {
    if (equal(all, "C") || equal(all, "POSIX")) return true;
    const char* language = variable(environment, "LANGUAGE=");
    return is_one_of(all, kPlain, kCount) && (language == nullptr || is_plain_language(language));
  }
  for (; *environment != nullptr; ++environment) {
    const char* value = *environment;
    const bool is_language = begins_with(value, "LANGUAGE=");
    if (!is_language && !begins_with(value, "LC_") && !begins_with(value, "LANG=")) continue;
    while (*value != 0 && *value != '=') ++value;
    if (*value == 0) continue;
    if (is_language ? !is_plain_language(value + 1) : !is_one_of(value + 1, kPlain, kCount)) return false;
  }
  return true;
}

}  // namespace slipway::twin_file
