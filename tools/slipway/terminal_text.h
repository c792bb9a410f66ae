#pragma once
// Text from outside (programs' output, Dockerfiles, registries) made fit for a terminal: harmless and of
// known width. Widths do not depend on the locale; only UTF-8 is known.
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace slipway {

/// One line as it may be shown: terminal escape sequences, control characters but tabs, and characters that
/// reorder text are gone; bytes that are not UTF-8 become U+FFFD. A carriage return starts the line over, as
/// progress bars mean it. The result has no line break.
std::string clean_line(std::string_view raw);

/// clean_line of each line; no empty line at the end.
std::vector<std::string> clean_lines(std::string_view raw);

/// Columns a terminal needs for clean text; a tab counts as one.
std::size_t display_width(std::string_view text);

/// `text` cut to `columns`, ending in "…" if something is missing. Never cuts a character in two.
std::string fit_to_width(std::string_view text, std::size_t columns);

/// Tabs as spaces up to the next multiple of eight.
std::string expand_tabs(std::string_view text);

/// Makes lines of raw bytes that come in any portions. Lines longer than 16 KiB are cut there.
class LineSplitter {
 public:
  /// The lines that `bytes` complete, clean.
  std::vector<std::string> feed(std::string_view bytes);
  /// The line that has no end yet, which is forgotten; nothing if there is none.
  std::optional<std::string> take_rest();
  /// The same without forgetting it.
  std::optional<std::string> rest() const;

 private:
  std::string partial_;
};

}  // namespace slipway
