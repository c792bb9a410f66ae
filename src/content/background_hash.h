#pragma once
// SHA-256 of a stream, computed on another core beside the work that makes the stream. Internal to layers.
#include <memory>
#include <string_view>

#include "base/digest.h"

namespace slipway {

/// One owner, one thread that calls it. Holds 2 MiB at most.
class BackgroundHash {
 public:
  BackgroundHash();
  ~BackgroundHash();
  void update(std::string_view bytes);
  Digest finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace slipway
