// Which words of a line begin a here-document is decided the way BuildKit decides it, odd corners too, as a
// different answer would take the lines that follow for something else. The line is split into shell words
// with quotes, escapes and variables left as they are; the escape character is always the backslash here,
// whatever the file's is.
#include "dockerfile/heredocs.h"

#include <algorithm>
#include <cctype>
#include <limits>
#include <utility>

#include "dockerfile/names.h"
#include "dockerfile/spaces.h"

namespace slipway::dockerfile {
namespace {

/// Deeper than any shell text that people write; what nests deeper has no here-documents.
constexpr int kMaxDepth = 256;
constexpr char kEscape = '\\';

struct ShellWord {
  std::string text;
  std::size_t offset = 0;
};

class WordReader {
 public:
  /// Whether quotes and escapes stay in the words.
  enum class Marks { Keep, KeepQuotes, Drop };
  WordReader(std::string_view text, Marks marks)
      : text_(text), keep_quotes_(marks != Marks::Drop), keep_escapes_(marks == Marks::Keep) {}

  /// Nothing if a quote or a "${" is left open, or a "${…}" is none of the language's.
  std::optional<std::vector<ShellWord>> read() {
    while (!at_end()) {
      const std::size_t start = at_;
      const char c = text_[at_];
      piece_.clear();
      if (c == '$') {
        if (!read_dollar()) return std::nullopt;
        for (std::size_t i = 0; i < piece_.size();) add_or_split(piece_, i, start);
      } else if (c == '\'' || c == '"') {
        if (!read_quotes()) return std::nullopt;
        add(piece_, start);
      } else if (c == '<') {
        read_less_than();
        add(piece_, start);
      } else if (c == kEscape) {
        ++at_;
        if (keep_escapes_) add(text_.substr(start, 1), start);
        if (!at_end()) add(text_.substr(at_++, 1), start);
      } else {
        add_or_split(text_, at_, start);
      }
    }
    if (!word_.empty()) words_.push_back({std::move(word_), word_start_});
    return std::move(words_);
  }

 private:
  bool at_end() const { return at_ == text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[at_]; }

  void add(std::string_view piece, std::size_t start) {
    if (word_.empty()) word_start_ = start;
    word_ += piece;
  }
  /// One character of `from`, which ends the word if it is a space; moves `at` behind it.
  void add_or_split(std::string_view from, std::size_t& at, std::size_t start) {
    const std::size_t space = space_at(from, at);
    if (space == 0) return add(from.substr(at++, 1), start);
    at += space;
    if (word_.empty()) return;
    words_.push_back({std::move(word_), word_start_});
    word_.clear();
  }

  // What follows appends to piece_ and is false where the reading fails.

  bool read_until(char stop, bool keep_escapes) {
    // The word that is being read starts anew behind a modifier's text: BuildKit's words lose what stands
    // before it.
    word_.clear();
    if (++depth_ > kMaxDepth) return false;
    const bool before = std::exchange(keep_escapes_, keep_escapes);
    bool found = false;
    while (!at_end() && !found) {
      const char c = text_[at_];
      if (c == stop) {
        ++at_;
        found = true;
      } else if (c == '$') {
        if (!read_dollar()) return false;
      } else if (c == '\'' || c == '"') {
        if (!read_quotes()) return false;
      } else if (c == kEscape) {
        ++at_;
        if (keep_escapes_) piece_ += c;
        if (!at_end()) piece_ += text_[at_++];
      } else {
        piece_ += c;
        ++at_;
      }
    }
    keep_escapes_ = before;
    --depth_;
    return found;
  }

  bool read_quotes() {
    const char quote = text_[at_++];
    if (keep_quotes_) piece_ += quote;
    while (!at_end() && text_[at_] != quote) {
      const char c = text_[at_];
      if (quote == '"' && c == '$') {
        if (!read_dollar()) return false;
        continue;
      }
      ++at_;
      if (quote == '"' && c == kEscape) {
        if (keep_escapes_) piece_ += c;
        if (at_end()) return false;
        const char next = text_[at_];
        if (next == '"' || next == '$' || next == kEscape) {
          piece_ += next;
          ++at_;
          continue;
        }
      }
      piece_ += c;
    }
    if (at_end()) return false;
    ++at_;
    if (keep_quotes_) piece_ += quote;
    return true;
  }

  /// "<<" takes the blanks behind it into the word: "<< EOF" is one.
  void read_less_than() {
    piece_ += text_[at_++];
    if (peek() != '<') return;
    piece_ += text_[at_++];
    while (peek() == ' ' || peek() == '\t' || peek() == '\r') piece_ += text_[at_++];
  }

  std::string_view read_name() {
    const std::size_t start = at_;
    at_ += name_length(text_, at_);
    return text_.substr(start, at_ - start);
  }

  /// No variable is set here: each stays as it is written.
  bool read_dollar() {
    piece_ += text_[at_++];
    if (peek() != '{') {
      piece_ += read_name();
      return true;
    }
    piece_ += text_[at_++];
    if (at_end() || peek() == '{' || peek() == '}' || peek() == ':') return false;
    piece_ += read_name();
    if (at_end()) return false;
    char modifier = text_[at_++];
    piece_ += modifier;
    if (modifier == '}') return true;
    if (modifier == '/') return read_replacement();
    bool keep_escapes = modifier == '#' || modifier == '%';
    if (modifier == ':') {
      if (at_end()) return false;
      modifier = text_[at_++];
      piece_ += modifier;
      if (modifier == '#' || modifier == '%') return false;
    } else if (!keep_escapes && modifier != '-' && modifier != '+' && modifier != '?') {
      return false;
    }
    if (!read_until('}', keep_escapes)) return false;
    piece_ += '}';
    return true;
  }

  bool read_replacement() {
    if (peek() == '/') ++at_;
    if (!read_until('/', true)) return false;
    piece_ += '/';
    if (!read_until('}', true)) return false;
    piece_ += '}';
    return true;
  }

  std::string_view text_;
  bool keep_quotes_, keep_escapes_;
  std::size_t at_ = 0;
  int depth_ = 0;
  std::string piece_;
  std::string word_;
  std::size_t word_start_ = 0;
  std::vector<ShellWord> words_;
};

std::ptrdiff_t quotes_in(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return c == '\'' || c == '"'; });
}

int number_of(std::string_view digits) {
  constexpr int kMax = std::numeric_limits<int>::max();
  int out = 0;
  for (char c : digits) {
    if (out > (kMax - 9) / 10) return kMax;
    out = out * 10 + (c - '0');
  }
  return out;
}

}  // namespace

std::optional<Heredoc> heredoc_of_word(std::string_view word) {
  Heredoc out;
  std::size_t at = 0;
  while (at < word.size() && std::isdigit(static_cast<unsigned char>(word[at])) != 0) ++at;
  out.fd = number_of(word.substr(0, at));
  if (!word.substr(at).starts_with("<<")) return std::nullopt;
  at += 2;
  if (word.substr(at).starts_with('-')) {
    out.strip_tabs = true;
    ++at;
  }
  while (at < word.size() && std::string_view(" \t\n\f\r").find(word[at]) != std::string_view::npos) ++at;
  const std::string_view name = word.substr(at);
  if (name.empty() || name.find('<') != std::string_view::npos) return std::nullopt;
  const auto plain = WordReader(name, WordReader::Marks::Drop).read();
  const auto quoted = WordReader(name, WordReader::Marks::KeepQuotes).read();
  if (!plain || !quoted || plain->size() != 1 || quoted->size() != 1) return std::nullopt;
  out.name = plain->front().text;
  out.expand = quotes_in(out.name) == quotes_in(quoted->front().text);
  return out;
}

std::vector<HeredocMark> find_heredocs(std::string_view line) {
  std::vector<HeredocMark> out;
  if (line.find("<<") == std::string_view::npos) return out;
  const auto words = WordReader(line, WordReader::Marks::Keep).read();
  if (!words) return out;
  for (const ShellWord& word : *words)
    if (std::optional<Heredoc> heredoc = heredoc_of_word(word.text))
      out.push_back({std::move(*heredoc), word.text, word.offset});
  return out;
}

}  // namespace slipway::dockerfile
