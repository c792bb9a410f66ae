#pragma once
// Whether what a program names to be run by is there: the dynamic loader of an ELF file, the interpreter of a
// script. The kernel sees to that before it starts a program of this machine. For another machine's it starts
// the emulator, which ends with 255 and words of its own.
//
// For programs without a library, as runtime/freestanding.h is.
#include "runtime/freestanding.h"

#if defined(__x86_64__)
enum { NR_close = 3, NR_pread64 = 17, NR_openat = 257, NR_faccessat = 269 };
#elif defined(__aarch64__)
enum { NR_faccessat = 48, NR_openat = 56, NR_close = 57, NR_pread64 = 67 };
#endif

namespace {

constexpr word kCurrentDirectory = -100;
constexpr unsigned long kLongestPath = 4096;

/// access(2): 0 or the negative error.
inline word access_to(const char* path, word mode = 0) {
  return call(NR_faccessat, kCurrentDirectory, address(path), mode);
}

/// Whom a file names, if it names somebody: read(), then path().
class Interpreter {
 public:
  enum class Kind { None, Loader, Script };

  Kind read(const char* file) {
    constexpr word kReadOnly = 0, kNonBlocking = 04000, kCloseOnExec = 02000000;
    const word descriptor =
        call(NR_openat, kCurrentDirectory, address(file), kReadOnly | kNonBlocking | kCloseOnExec);
    if (descriptor < 0) return Kind::None;
    const Kind kind = read_from(descriptor);
    call(NR_close, descriptor);
    return kind;
  }
  const char* path() const { return text_ + start_; }

 private:
  /// Where the numbers of interest are in a file of 32 or 64 bits: elf(5).
  struct Layout {
    unsigned word_size, table, entry_size, entry_count, offset, size, entry_bytes;
  };
  static constexpr Layout kLayout32{4, 28, 42, 44, 4, 16, 32};
  static constexpr Layout kLayout64{8, 32, 54, 56, 8, 32, 56};
  static constexpr unsigned kHeaderSize = 64, kSegmentSize = 56, kFirstLine = 256;

  Kind read_from(word descriptor) {
    unsigned char header[kHeaderSize];
    const word got = read_at(descriptor, 0, header, sizeof header);
    if (got >= 2 && header[0] == '#' && header[1] == '!') return read_script(descriptor);
    const bool is_elf =
        got >= 52 && header[0] == 0x7f && header[1] == 'E' && header[2] == 'L' && header[3] == 'F';
    if (!is_elf) return Kind::None;
    const bool wide = header[4] == 2;
    if (wide && got < static_cast<word>(kHeaderSize)) return Kind::None;
    return read_loader(descriptor, header, wide ? kLayout64 : kLayout32, header[5] == 2);
  }

  Kind read_loader(word descriptor, const unsigned char* header, const Layout& layout, bool big) {
    constexpr unsigned long kNamesLoader = 3;  // PT_INTERP
    const unsigned long count = number(header + layout.entry_count, 2, big);
    if (number(header + layout.entry_size, 2, big) != layout.entry_bytes) return Kind::None;
    for (unsigned long i = 0; i < count; ++i) {
      unsigned char segment[kSegmentSize];
      const unsigned long at = number(header + layout.table, layout.word_size, big) + i * layout.entry_bytes;
      if (read_at(descriptor, at, segment, layout.entry_bytes) != static_cast<word>(layout.entry_bytes))
        return Kind::None;
      if (number(segment, 4, big) != kNamesLoader) continue;
      const unsigned long size = number(segment + layout.size, layout.word_size, big);
      if (size < 2 || size > kLongestPath) return Kind::None;
      start_ = 0;
      const unsigned long place = number(segment + layout.offset, layout.word_size, big);
      if (read_at(descriptor, place, text_, size) != static_cast<word>(size)) return Kind::None;
      return text_[size - 1] == 0 ? Kind::Loader : Kind::None;
    }
    return Kind::None;
  }

  Kind read_script(word descriptor) {
    const word got = read_at(descriptor, 0, text_, kFirstLine);
    const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
    word at = 2;
    while (at < got && is_blank(text_[at])) ++at;
    start_ = static_cast<unsigned long>(at);
    while (at < got && !is_blank(text_[at]) && text_[at] != '\n' && text_[at] != 0) ++at;
    const bool is_cut = at >= static_cast<word>(kFirstLine);
    if (at < 2 || is_cut || at == static_cast<word>(start_)) return Kind::None;
    text_[at] = 0;
    return Kind::Script;
  }

  static word read_at(word descriptor, unsigned long place, void* bytes, unsigned long size) {
    return call(NR_pread64, descriptor, address(bytes), static_cast<word>(size), static_cast<word>(place));
  }
  static unsigned long number(const unsigned char* bytes, unsigned size, bool big) {
    unsigned long value = 0;
    for (unsigned i = 0; i < size; ++i) value = value << 8 | bytes[big ? i : size - 1 - i];
    return value;
  }

  char text_[kLongestPath];
  unsigned long start_ = 0;
};

/// Of a program that may be executed; what the kernel would refuse for another reason lacks nothing.
inline bool lacks_interpreter(const char* program) {
  constexpr word kExecute = 1;
  constexpr int kMostScripts = 5;  // the kernel's: of scripts that are run by scripts
  Interpreter interpreter;
  const char* file = program;
  for (int i = 0; i <= kMostScripts; ++i) {
    if (access_to(file, kExecute) != 0) return false;
    const Interpreter::Kind kind = interpreter.read(file);
    if (kind == Interpreter::Kind::None) return false;
    if (access_to(interpreter.path()) == -kNotFound) return true;
    if (kind == Interpreter::Kind::Loader) return false;
    file = interpreter.path();
  }
  return false;
}

}  // namespace
