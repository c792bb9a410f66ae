#include "base/mode_change.h"

#include <sys/stat.h>

#include "base/error.h"
#include "base/strings.h"

// The rules are those of BSD's setmode(3), which BuildKit follows where POSIX leaves a choice: a step sees
// what the ones before it have made of the mode, but "X" looks at the mode that the file had; "s" of "o"
// alone and "t" of "o" alone mean nothing; "=" without a "who" leaves the sticky bit.
namespace slipway {
namespace {

constexpr unsigned kUser = S_ISUID | S_IRWXU, kGroup = S_ISGID | S_IRWXG, kOther = S_IRWXO;
constexpr unsigned kAll = kUser | kGroup | kOther;
constexpr unsigned kRead = S_IRUSR | S_IRGRP | S_IROTH, kWrite = S_IWUSR | S_IWGRP | S_IWOTH,
                   kExecute = S_IXUSR | S_IXGRP | S_IXOTH, kRwx = kRead | kWrite | kExecute;

/// The rwx in the low three bits, once for each class.
unsigned in_all_classes(unsigned rwx) { return rwx | rwx << 3 | rwx << 6; }

}  // namespace

class ModeChange::Parser {
 public:
  explicit Parser(std::string_view text) : text_(text), rest_(text) {}

  std::vector<Step> run() {
    while (true) {
      unsigned who = read_who();
      do {
        read_action(who);
      } while (!rest_.empty() && rest_.front() != ',');
      if (rest_.empty()) return std::move(steps_);
      rest_.remove_prefix(1);
    }
  }

 private:
  [[noreturn]] void fail() const {
    InvalidInput error(concat("\"", text_, "\" is no mode"));
    error.set_hint("write it in octal (755) or as changes (u=rwX,go=rX or +x)");
    throw error;
  }

  unsigned read_who() {
    unsigned who = 0;
    for (;; rest_.remove_prefix(1)) {
      switch (rest_.empty() ? '\0' : rest_.front()) {
        case 'a':
          who |= kAll;
          break;
        case 'u':
          who |= kUser;
          break;
        case 'g':
          who |= kGroup;
          break;
        case 'o':
          who |= kOther;
          break;
        default:
          return who;
      }
    }
  }

  /// One operator with what follows it.
  void read_action(unsigned who) {
    const char operation = rest_.empty() ? '\0' : rest_.front();
    if (operation != '+' && operation != '-' && operation != '=') fail();
    rest_.remove_prefix(1);
    const bool beyond_other = who == 0 || (who & ~kOther) != 0;
    unsigned bits = 0, if_executable = 0;
    bool assigned = operation != '=';
    const auto flush = [&] {
      if (bits != 0 || !assigned) add(operation, who, bits);
      assigned = true;
      if (if_executable != 0) steps_.push_back({Step::Kind::SetIfExecutable, only(who, if_executable), 0});
      bits = if_executable = 0;
    };
    for (; !rest_.empty(); rest_.remove_prefix(1)) {
      const char c = rest_.front();
      if (c == 'r') {
        bits |= kRead;
      } else if (c == 'w') {
        bits |= kWrite;
      } else if (c == 'x' || (c == 'X' && operation == '-')) {
        bits |= kExecute;
      } else if (c == 'X') {
        if_executable = kExecute;
      } else if (c == 's') {
        if (beyond_other) bits |= S_ISUID | S_ISGID;
      } else if (c == 't') {
        if (!beyond_other) continue;
        bits |= S_ISVTX;
        who |= S_ISVTX;
      } else if (c == 'u' || c == 'g' || c == 'o') {
        assigned = assigned || bits == 0;  // the copy itself replaces what was there
        flush();
        add_copy(operation, who, c == 'u' ? 6 : c == 'g' ? 3 : 0);
      } else {
        break;
      }
    }
    flush();
  }

  static unsigned only(unsigned who, unsigned bits) { return who == 0 ? bits : bits & who; }

  void add(char operation, unsigned who, unsigned bits) {
    if (operation == '=') steps_.push_back({Step::Kind::Clear, who == 0 ? kAll : who, 0});
    steps_.push_back({operation == '-' ? Step::Kind::Clear : Step::Kind::Set, only(who, bits), 0});
  }

  void add_copy(char operation, unsigned who, unsigned shift) {
    const Step::Kind kind = operation == '+'   ? Step::Kind::AddCopy
                            : operation == '-' ? Step::Kind::RemoveCopy
                                               : Step::Kind::ReplaceByCopy;
    steps_.push_back({kind, only(who, kRwx), shift});
  }

  std::string_view text_, rest_;
  std::vector<Step> steps_;
};

ModeChange ModeChange::parse(std::string_view text) {
  ModeChange change;
  change.steps_ = Parser(text).run();
  return change;
}

unsigned ModeChange::apply(unsigned mode) const {
  const bool executable = S_ISDIR(mode) || (mode & kExecute) != 0;
  unsigned bits = mode & 07777;
  for (const Step& step : steps_) {
    const unsigned copied = in_all_classes((bits >> step.shift) & 7) & step.bits;
    switch (step.kind) {
      case Step::Kind::Clear:
        bits &= ~step.bits;
        break;
      case Step::Kind::Set:
        bits |= step.bits;
        break;
      case Step::Kind::SetIfExecutable:
        if (executable) bits |= step.bits;
        break;
      case Step::Kind::AddCopy:
        bits |= copied;
        break;
      case Step::Kind::RemoveCopy:
        bits &= ~copied;
        break;
      case Step::Kind::ReplaceByCopy:
        bits = (bits & ~step.bits) | copied;
        break;
    }
  }
  return bits;
}

}  // namespace slipway
