#pragma once
// The table of native twins as bytes: what twin_table.cc writes and slipway-exec (main.cc) reads, on one
// machine, so numbers are in its byte order. Offsets count from the start of the file; nothing in it is
// trusted by the reader. Any change of the layout is a new kMagic.
#include <cstdint>

namespace slipway::twin_file {

inline constexpr std::uint64_t kMagic = 0x32306e6977546c73;  // "slTwin02"

/// `size` bytes and a NUL.
struct Text {
  std::uint32_t offset = 0;
  std::uint32_t size = 0;
};
struct List {
  std::uint32_t offset = 0;
  std::uint32_t count = 0;
};

enum RuleKind : std::uint32_t { kPrepend, kAppend, kReplace, kDrop, kDecline, kRequire, kDeclineVariable };
struct Rule {
  std::uint32_t kind = kAppend;
  Text pattern;
  List with;  ///< of Text
};

enum EntryFlags : std::uint32_t {
  kStatic = 1,         ///< `executable` is the twin, not its loader
  kNoHostPreload = 2,  ///< its loader would read /etc/ld.so.preload: not for the twin where there is one
};
/// A file or directory besides the program that has to be as it was: a library, a place where one would come
/// first, a directory of plugins.
struct Guard {
  std::uint64_t inode = 0, size = 0;
  std::int64_t mtime_ns = 0, ctime_ns = 0;
  std::uint32_t is_absent = 0;  ///< there was no such file, and the rest is zero
  Text path;
  Text library;  ///< the name by which the loader looks it up in its cache; empty: it does not
  std::uint32_t padding = 0;
};
struct Entry {
  std::uint64_t inode = 0, size = 0;
  std::int64_t mtime_ns = 0, ctime_ns = 0;
  std::uint32_t index = 0;  ///< its number in `counts`
  std::uint32_t flags = 0;
  Text executable;        ///< what is executed: the loader, or the program if it is static
  Text link_directory;    ///< with links of other names to `executable`; ends with '/'
  Text program;           ///< for the loader
  List loader_arguments;  ///< of Text; argv[0] for the program follows, then `program`
  List declined_names;    ///< of Text
  Text multi_call;
  List rules;   ///< of Rule
  List guards;  ///< of Guard
};

struct Header {
  std::uint64_t magic = 0;
  std::uint64_t size = 0;   ///< of the whole file
  List entries;             ///< of Entry, by inode
  List declined_variables;  ///< of Text: beginnings of the names of environment variables
  List loader_cache;        ///< of Guard, at most one: the loader's cache when it was looked through
};

static_assert(sizeof(Entry) == 104 && sizeof(Rule) == 20 && sizeof(Guard) == 56 && sizeof(Header) == 40);

}  // namespace slipway::twin_file
