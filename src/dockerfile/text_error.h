#pragma once
// Errors of code that works on a piece of an instruction's text and does not know where in the file that piece is.
#include <cstddef>
#include <string>

#include "base/error.h"

namespace slipway::dockerfile {

/// Something is wrong `offset` bytes into the text that was given. Whoever knows the file turns it into an
/// InvalidInput with a place.
class TextError : public InvalidInput {
 public:
  TextError(std::string message, std::size_t offset) : InvalidInput(std::move(message)), offset_(offset) {}
  std::size_t offset() const { return offset_; }

 private:
  std::size_t offset_;
};

}  // namespace slipway::dockerfile
