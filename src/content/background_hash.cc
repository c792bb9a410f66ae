#include "content/background_hash.h"

#include <tbb/task_group.h>

#include <string>

namespace slipway {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20;

}  // namespace

struct BackgroundHash::State {
  Sha256 hash;
  std::string filling, hashing;
  tbb::task_group group;

  ~State() { group.wait(); }
  /// One piece at a time, so they are hashed in order.
  void start() {
    group.wait();
    hashing.swap(filling);
    filling.clear();
    group.run([this] { hash.update(hashing); });
  }
};

BackgroundHash::BackgroundHash() : state_(std::make_unique<State>()) {}
BackgroundHash::~BackgroundHash() = default;

void BackgroundHash::update(std::string_view bytes) {
  state_->filling += bytes;
  if (state_->filling.size() >= kPiece) state_->start();
}

Digest BackgroundHash::finish() {
  state_->start();
  state_->group.wait();
  return state_->hash.finish();
}

}  // namespace slipway
