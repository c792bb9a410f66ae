#pragma once
// A value that must not be printed. There is no operator<< and no implicit conversion on purpose.
#include <string>
#include <utility>

namespace slipway {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  /// The one way to the bytes; every use of it is a place to review.
  const std::string& reveal() const { return value_; }
  bool empty() const { return value_.empty(); }

 private:
  std::string value_;
};

}  // namespace slipway
