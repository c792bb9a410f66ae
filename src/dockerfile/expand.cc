// A word lexer that writes into a sink. What a piece of text means depends on where it goes: a word list ends
// a word at an unquoted blank. So every character is handed on with how it was written, and the sink decides.
//
// Patterns and replacements are texts in which escapes stay, for the pattern to read; quotes go, and protect
// nothing in it. That is unlike a shell, and like the Dockerfile language.
#include "dockerfile/expand.h"

#include <cctype>
#include <utility>

#include "base/strings.h"
#include "dockerfile/logical_lines.h"
#include "dockerfile/shell_pattern.h"

namespace slipway::dockerfile {
namespace {

constexpr int kMaxDepth = 64;

enum class Written { Plain, Quoted, FromVariable };

class Sink {
 public:
  virtual ~Sink() = default;
  virtual void put(char c, Written how) = 0;
  virtual void put_all(std::string_view text, Written how) {
    for (char c : text) put(c, how);
  }
};

void check_size(std::size_t size, std::size_t limit = kMaxExpandedWord) {
  if (size > limit) throw TextError("this expands to more than 1 MiB of text", 0);
}

class TextSink final : public Sink {
 public:
  explicit TextSink(std::size_t limit = kMaxExpandedWord) : limit_(limit) {}
  void put(char c, Written) override {
    check_size(text.size() + 1, limit_);
    text += c;
  }
  void put_all(std::string_view more, Written) override {
    check_size(text.size() + more.size(), limit_);
    text += more;
  }
  std::string text;

 private:
  std::size_t limit_;
};

class WordsSink final : public Sink {
 public:
  void put(char c, Written how) override {
    if (how != Written::Quoted && is_blank(c)) return end_word();
    check_size(++size_);
    word_ += c;
    open_ = true;
  }
  void end_word() {
    if (open_) words.push_back(std::move(word_));
    word_.clear();
    open_ = false;
  }
  std::vector<std::string> words;

 private:
  std::string word_;
  bool open_ = false;
  std::size_t size_ = 0;
};

class Expander {
 public:
  Expander(std::string_view word, const Lookup& lookup, char escape, TextBudget& budget, TextRules rules = {})
      : word_(word), lookup_(lookup), escape_(escape), budget_(budget), rules_(rules) {}

  void run(Sink& sink) { read_until(0, sink); }

 private:
  bool at_end() const { return at_ == word_.size(); }
  char peek() const { return at_end() ? '\0' : word_[at_]; }

  /// Up to `stop`, which is taken, or to the end if stop is 0. False if the end came before `stop`.
  bool read_until(char stop, Sink& sink) {
    while (!at_end()) {
      const char c = word_[at_];
      if (stop != 0 && c == stop) {
        ++at_;
        return true;
      }
      if (c == '\'' && rules_.quotes != Quotes::Ordinary) {
        read_single_quoted(sink);
      } else if (c == '"' && rules_.quotes != Quotes::Ordinary) {
        read_double_quoted(sink);
      } else if (c == '$') {
        read_variable(sink, Written::FromVariable);
      } else if (c == escape_) {
        ++at_;
        if (keep_escapes_) sink.put(c, Written::Quoted);
        if (!at_end()) sink.put(word_[at_++], Written::Quoted);
      } else {
        ++at_;
        sink.put(c, Written::Plain);
      }
    }
    return stop == 0;
  }

  void read_single_quoted(Sink& sink) {
    const std::size_t start = at_++;
    const std::size_t end = word_.find('\'', at_);
    if (end == std::string_view::npos)
      throw TextError("the single quote that begins here is not closed", start);
    put_quote(sink, '\'');
    sink.put_all(word_.substr(at_, end - at_), Written::Quoted);
    put_quote(sink, '\'');
    at_ = end + 1;
  }

  void put_quote(Sink& sink, char quote) {
    if (rules_.quotes == Quotes::Keep) sink.put(quote, Written::Quoted);
  }

  void read_double_quoted(Sink& sink) {
    const std::size_t start = at_++;
    put_quote(sink, '"');
    while (!at_end()) {
      const char c = word_[at_];
      if (c == '"') {
        ++at_;
        put_quote(sink, '"');
        return;
      }
      if (c == '$') {
        read_variable(sink, Written::Quoted);
        continue;
      }
      ++at_;
      if (c == escape_) {
        // Only ", $ and the escape character itself can be escaped in here; the mark stays before all else.
        if (keep_escapes_) sink.put(c, Written::Quoted);
        if (at_end()) continue;
        const char next = word_[at_];
        if (next == '"' || next == '$' || next == escape_) {
          ++at_;
          sink.put(next, Written::Quoted);
          continue;
        }
      }
      sink.put(c, Written::Quoted);
    }
    throw TextError("the double quote that begins here is not closed", start);
  }

  std::string_view read_name() {
    const std::size_t start = at_;
    if (at_end()) return {};
    const auto is_digit = [this] { return !at_end() && std::isdigit(static_cast<unsigned char>(peek())); };
    if (is_digit()) {
      while (is_digit()) ++at_;
    } else if (std::string_view("@*#?-$!").find(peek()) != std::string_view::npos) {
      ++at_;
    } else {
      while (!at_end() && (std::isalnum(static_cast<unsigned char>(peek())) || peek() == '_')) ++at_;
    }
    return word_.substr(start, at_ - start);
  }

  void put_value(Sink& sink, std::string_view value, Written how) {
    budget_.spend(value.size());
    sink.put_all(value, how);
  }

  void read_variable(Sink& sink, Written how) {
    const std::size_t start = at_++;
    if (peek() != '{') {
      const std::string_view name = read_name();
      if (name.empty()) return sink.put('$', how == Written::Quoted ? how : Written::Plain);
      const std::optional<std::string_view> value = lookup_(name);
      if (!value && rules_.keep_unset) return put_value(sink, word_.substr(start, at_ - start), how);
      put_value(sink, value.value_or(std::string_view{}), how);
      return;
    }
    ++at_;
    if (++depth_ > kMaxDepth) throw TextError("variables are nested too deeply here", start);
    if (rules_.keep_unset && !is_set_here()) {
      TextSink unused;
      read_braced(start, unused, how);
      put_value(sink, word_.substr(start, at_ - start), how);
    } else {
      read_braced(start, sink, how);
    }
    --depth_;
  }

  /// Whether the name that follows has a value.
  bool is_set_here() {
    const std::size_t start = at_;
    const bool set = lookup_(read_name()).has_value();
    at_ = start;
    return set;
  }

  void read_braced(std::size_t start, Sink& sink, Written how) {
    if (at_end()) throw TextError("this ${ has no closing }", start);
    const std::string_view name = read_name();
    if (name.empty()) throw TextError("bad substitution: ${ must be followed by a variable's name", start);
    if (at_end()) throw TextError("this ${ has no closing }", start);
    const std::optional<std::string_view> value = lookup_(name);
    char modifier = word_[at_++];
    if (modifier == '}') return put_value(sink, value.value_or(std::string_view{}), how);
    if (modifier == '#' || modifier == '%') return read_trim(start, modifier, value, sink, how);
    if (modifier == '/') return read_replace(start, value, sink, how);
    const bool empty_is_unset = modifier == ':';
    if (empty_is_unset) modifier = at_end() ? '\0' : word_[at_++];
    if (modifier != '-' && modifier != '+' && modifier != '?')
      throw TextError(concat("bad substitution: ${", name,
                             " may be followed by }, :-, -, :+, +, :?, ?, #, ##, %, %% or /"),
                      start);
    const bool set = value && !(empty_is_unset && value->empty());
    const std::string word = read_text(start, '}', Escapes::Apply);
    if (modifier == '?' && !set)
      throw TextError(concat(name, ": ",
                             !word.empty() ? word
                             : value       ? std::string("may not be empty")
                                           : std::string("must be set")),
                      start);
    if (modifier == '+') return set ? put_value(sink, word, how) : void();
    put_value(sink, set ? *value : std::string_view(word), how);
  }

  enum class Escapes { Apply, Keep };

  std::string read_text(std::size_t start, char stop, Escapes escapes) {
    TextSink text;
    const bool before = std::exchange(keep_escapes_, escapes == Escapes::Keep);
    if (!read_until(stop, text))
      throw TextError(
          stop == '/' ? "this ${…/ lacks the / between pattern and replacement" : "this ${ has no closing }",
          start);
    keep_escapes_ = before;
    budget_.spend(text.text.size());
    return std::move(text.text);
  }

  ShellPattern read_pattern(std::size_t start, char stop) {
    const std::string text = read_text(start, stop, Escapes::Keep);
    try {
      return ShellPattern::parse(text);
    } catch (const TextError& error) {
      throw TextError(error.message(), start);
    }
  }

  /// Matching is (pattern) x (value) simple steps, and a byte of text pays for few: a pattern of thousands of
  /// "*" over a value of a MiB would take many seconds.
  void spend_match(const ShellPattern& pattern, std::string_view value) {
    budget_.spend((pattern.size() + 1) * (value.size() + 1) / 4);
  }

  void read_trim(std::size_t start, char modifier, std::optional<std::string_view> value, Sink& sink,
                 Written how) {
    ShellPattern::Length length = ShellPattern::Length::Shortest;
    if (peek() == modifier) {
      ++at_;
      length = ShellPattern::Length::Longest;
    }
    const ShellPattern pattern = read_pattern(start, '}');
    const std::string_view text = value.value_or(std::string_view{});
    spend_match(pattern, text);
    put_value(sink,
              modifier == '#' ? pattern.without_prefix(text, length) : pattern.without_suffix(text, length),
              how);
  }

  void read_replace(std::size_t start, std::optional<std::string_view> value, Sink& sink, Written how) {
    const bool all = peek() == '/';
    if (all) ++at_;
    const ShellPattern pattern = read_pattern(start, '/');
    const std::string replacement = read_text(start, '}', Escapes::Keep);
    const std::string_view text = value.value_or(std::string_view{});
    spend_match(pattern, text);
    put_value(sink, pattern.replace(text, replacement, all, kMaxExpandedWord), how);
  }

  std::string_view word_;
  const Lookup& lookup_;
  char escape_;
  TextBudget& budget_;
  TextRules rules_;
  std::size_t at_ = 0;
  int depth_ = 0;
  bool keep_escapes_ = false;
};

}  // namespace

std::string expand_word(std::string_view word, const Lookup& lookup, char escape, TextBudget& budget) {
  TextSink sink;
  Expander(word, lookup, escape, budget).run(sink);
  budget.spend(sink.text.size());
  return std::move(sink.text);
}

std::string expand_text(std::string_view text, const Lookup& lookup, char escape, TextBudget& budget,
                        const TextRules& rules) {
  TextSink sink(kMaxExpandedWord + text.size());
  Expander(text, lookup, escape, budget, rules).run(sink);
  budget.spend(sink.text.size());
  return std::move(sink.text);
}

std::vector<std::string> expand_words(std::string_view word, const Lookup& lookup, char escape,
                                      TextBudget& budget) {
  WordsSink sink;
  Expander(word, lookup, escape, budget).run(sink);
  sink.end_word();
  return std::move(sink.words);
}

}  // namespace slipway::dockerfile
