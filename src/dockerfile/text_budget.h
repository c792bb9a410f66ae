#pragma once
// How much text one build may make out of its Dockerfile. Variables can double at each instruction, so a small file
// could otherwise ask for any amount of memory and time.
#include <cstddef>

#include "dockerfile/text_error.h"

namespace slipway::dockerfile {

class TextBudget {
 public:
  static constexpr std::size_t kDefaultLimit = std::size_t{256} << 20;
  explicit TextBudget(std::size_t limit = kDefaultLimit) : left_(limit) {}

  /// Throws TextError (offset 0) when more is asked than is left.
  void spend(std::size_t bytes) {
    if (bytes > left_)
      throw TextError("the Dockerfile expands to too much text; shorten its variables or split the build", 0);
    left_ -= bytes;
  }

 private:
  std::size_t left_;
};

}  // namespace slipway::dockerfile
