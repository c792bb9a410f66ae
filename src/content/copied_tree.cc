#include "content/copied_tree.h"

#include <algorithm>

namespace slipway {
namespace {

/// Each may be a whole file system on the disk. Some platforms are built side by side.
constexpr std::size_t kMost = 4;

auto find_in(auto& trees, SnapshotId id) {
  return std::ranges::find(trees, id, [](const auto& kept) { return kept.first; });
}

}  // namespace

// What is dropped is dropped after the lock: removing a tree takes its time.

void KeptTrees::put(SnapshotId id, std::shared_ptr<CopiedTree> tree) {
  Trees dropped;
  auto trees = trees_.lock();
  trees->emplace_back(id, std::move(tree));
  while (trees->size() > kMost) dropped.splice(dropped.end(), *trees, trees->begin());
}

std::shared_ptr<CopiedTree> KeptTrees::take(SnapshotId id) {
  auto trees = trees_.lock();
  const auto at = find_in(*trees, id);
  // Readers come only by way of this list, so nobody can become one now.
  if (at == trees->end() || at->second.use_count() > 1) return nullptr;
  std::shared_ptr<CopiedTree> tree = std::move(at->second);
  trees->erase(at);
  return tree;
}

std::shared_ptr<const CopiedTree> KeptTrees::borrow(SnapshotId id) {
  auto trees = trees_.lock();
  const auto at = find_in(*trees, id);
  return at == trees->end() ? nullptr : at->second;
}

void KeptTrees::forget(SnapshotId id) {
  Trees dropped;
  auto trees = trees_.lock();
  if (const auto at = find_in(*trees, id); at != trees->end()) dropped.splice(dropped.end(), *trees, at);
}

}  // namespace slipway
