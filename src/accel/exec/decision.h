#pragma once
// Whether a twin runs, and with which arguments: the part of slipway-exec that makes no system calls.
#include "accel/exec/matching.h"
#include "accel/exec/table_reader.h"

namespace slipway::twin_file {

/// A program as the kernel was asked to start it.
struct Invocation {
  const char* path = nullptr;
  const char* argv0 = nullptr;
  const char* const* arguments = nullptr;  ///< without argv[0]
  std::uint64_t count = 0;
  const char* const* environment = nullptr;
  const char* name = "";  ///< what the kernel calls the process
};

/// Takes pointers as long as there is room, and always counts them.
class Pointers {
 public:
  Pointers() = default;
  Pointers(const char** room, std::uint64_t capacity) : room_(room), capacity_(capacity) {}
  void add(const char* pointer) {
    if (count_ < capacity_) room_[count_] = pointer;
    ++count_;
  }
  std::uint64_t count() const { return count_; }
  bool is_complete() const { return count_ <= capacity_; }

 private:
  const char** room_ = nullptr;
  std::uint64_t capacity_ = 0, count_ = 0;
};

/// Is it fit for a twin, as far as the environment goes? False also if the table is damaged.
inline bool environment_allows(const Table& table, const char* const* environment) {
  const Text* prefixes;
  const List list = table.header().declined_variables;
  if (!table.find(list, prefixes)) return false;
  for (std::uint32_t i = 0; i < list.count; ++i) {
    const char* prefix = table.text(prefixes[i]);
    if (prefix == nullptr) return false;
    for (const char* const* entry = environment; *entry != nullptr; ++entry)
      if (begins_with(*entry, prefix)) return false;
  }
  return has_plain_locale(environment);
}

/// Is `name` none of the declined ones? A login shell's begins with a '-' that is not part of it.
inline bool name_allows(const Table& table, const Entry& entry, const char* name) {
  if (*name == '-') ++name;
  const Text* declined;
  if (!table.find(entry.declined_names, declined)) return false;
  for (std::uint32_t i = 0; i < entry.declined_names.count; ++i) {
    const char* other = table.text(declined[i]);
    if (other == nullptr || equal(name, other)) return false;
  }
  return true;
}

/// argv[0], and as long as that is the multi-call name, what follows: "busybox busybox uname".
inline bool names_allow(const Table& table, const Entry& entry, const Invocation& wanted) {
  const char* multi_call = table.text(entry.multi_call);
  if (multi_call == nullptr) return false;
  const char* name = last_part(wanted.argv0);
  for (std::uint64_t next = 0; name_allows(table, entry, name); ++next) {
    if (*name == '-') ++name;
    const bool multiple = *multi_call != 0 && equal(name, multi_call);
    if (!multiple || next == wanted.count) return true;
    name = last_part(wanted.arguments[next]);
  }
  return false;
}

inline bool add_texts(const Table& table, List list, Pointers& out) {
  const Text* texts;
  if (!table.find(list, texts)) return false;
  for (std::uint32_t i = 0; i < list.count; ++i) {
    const char* text = table.text(texts[i]);
    if (text == nullptr) return false;
    out.add(text);
  }
  return true;
}

inline bool add_rules_of_kind(const Table& table, const Entry& entry, RuleKind kind, Pointers& out) {
  const Rule* rules;
  if (!table.find(entry.rules, rules)) return false;
  for (std::uint32_t i = 0; i < entry.rules.count; ++i)
    if (rules[i].kind == kind && !add_texts(table, rules[i].with, out)) return false;
  return true;
}

/// One argument by the first rule that it matches.
inline bool add_argument(const Table& table, const Entry& entry, const char* argument, Pointers& out) {
  const Rule* rules;
  if (!table.find(entry.rules, rules)) return false;
  for (std::uint32_t i = 0; i < entry.rules.count; ++i) {
    const std::uint32_t kind = rules[i].kind;
    if (kind == kPrepend || kind == kAppend || kind == kRequire || kind == kDeclineVariable) continue;
    const char* pattern = table.text(rules[i].pattern);
    if (pattern == nullptr) return false;
    if (!matches_pattern(pattern, argument)) continue;
    return kind == kReplace ? add_texts(table, rules[i].with, out) : kind == kDrop;
  }
  out.add(argument);
  return true;
}

/// Whether the arguments have what is required, and the environment nothing that is declined.
inline bool circumstances_allow(const Table& table, const Entry& entry, const Invocation& wanted) {
  const Rule* rules;
  if (!table.find(entry.rules, rules)) return false;
  for (std::uint32_t i = 0; i < entry.rules.count; ++i) {
    const std::uint32_t kind = rules[i].kind;
    if (kind != kRequire && kind != kDeclineVariable) continue;
    const char* pattern = table.text(rules[i].pattern);
    if (pattern == nullptr) return false;
    bool found = false;
    if (kind == kRequire) {
      for (std::uint64_t n = 0; n < wanted.count && !found; ++n)
        found = matches_pattern(pattern, wanted.arguments[n]);
    } else {
      for (const char* const* variable = wanted.environment; *variable != nullptr && !found; ++variable)
        found = matches_pattern(pattern, *variable);
    }
    if (found != (kind == kRequire)) return false;
  }
  return true;
}

/// Everything that is handed to execve(2), with the null at the end. False if the arguments are not for the
/// twin, or the table is damaged.
inline bool add_arguments(const Table& table, const Entry& entry, const Invocation& wanted, Pointers& out) {
  if ((entry.flags & kStatic) == 0) {
    // Not the link's name: musl's loader is "ldd" where its own name ends so.
    const char *loader = table.text(entry.executable), *program = table.text(entry.program);
    if (loader == nullptr || program == nullptr) return false;
    // glibc's makes nothing of it, and the shim calls the process so.
    out.add((entry.flags & kNoHostPreload) != 0 && *wanted.name != 0 ? wanted.name : loader);
    if (!add_texts(table, entry.loader_arguments, out)) return false;
    out.add(wanted.argv0);
    out.add(program);
  } else {
    out.add(wanted.argv0);
  }
  if (!circumstances_allow(table, entry, wanted)) return false;
  if (!add_rules_of_kind(table, entry, kPrepend, out)) return false;
  for (std::uint64_t i = 0; i < wanted.count; ++i)
    if (!add_argument(table, entry, wanted.arguments[i], out)) return false;
  if (!add_rules_of_kind(table, entry, kAppend, out)) return false;
  out.add(nullptr);
  return true;
}

}  // namespace slipway::twin_file
