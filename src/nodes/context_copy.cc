#include "nodes/context_copy.h"

#include "base/strings.h"
#include "content/copied_list.h"
#include "content/copy_amend.h"
#include "nodes/file_actions.h"

namespace slipway {

namespace {

// Below that, looking for the earlier copy costs more than it saves.
constexpr std::size_t kFewFiles = 256;

const CopyAction* only_copy(const FileOp& file) {
  const CopyAction* copy =
      file.actions.size() == 1 ? std::get_if<CopyAction>(&file.actions.front()) : nullptr;
  // Where a directory itself goes depends on its name, which a wildcard may find another of next time.
  return copy && copy->copy_dir_contents && !copy->attempt_unpack ? copy : nullptr;
}

}  // namespace

ContextCopy::ContextCopy(Store& store, LocalContexts& contexts, const Vertex& vertex, const FileOp& file,
                         const std::vector<VertexResult>& inputs)
    : store_(store), contexts_(contexts), vertex_(vertex) {
  const CopyAction* copy = only_copy(file);
  if (!copy || store.snapshots().mode() != TreeMode::Overlay || copy->from < 0 ||
      static_cast<std::size_t>(copy->from) >= inputs.size())
    return;
  context_ = inputs[static_cast<std::size_t>(copy->from)].context;
  if (context_.empty()) return;
  copy_ = copy;
  base_ = snapshot_of(copy->base, inputs);
  key_ = Digest::of(concat("slipway copy v3\n", vertex.digest.str(), "\n", contexts.at(context_).shown));
}

std::optional<SnapshotId> ContextCopy::amended(const std::stop_token& stop) {
  if (!copy_ || vertex_.info.ignore_cache) return std::nullopt;
  SnapshotStore& snapshots = store_.snapshots();
  const auto list = contexts_.listed(context_, *copy_, vertex_);
  const auto earlier = list ? store_.results().find(*key_) : std::nullopt;
  if (!earlier || snapshots.info(*earlier).parent != base_) return std::nullopt;
  const auto note = snapshots.note(*earlier);
  auto copied = note ? CopiedList::parse(*note) : std::nullopt;
  if (!copied) return std::nullopt;
  const auto options = [&](const RootedDir& target) {
    return copy_options(*copy_, target, /*source_is_roots=*/true, store_.logger());
  };
  return amend_copy(snapshots, {.snapshot = *earlier, .list = std::move(*copied)},
                    contexts_.at(context_).tree, *list, options, now_seconds(), stop);
}

void ContextCopy::prepare_commit(ActionTrees& trees, const CopiedDirectory& how, const SelectionList& after) {
  const auto before = copy_ ? contexts_.listed(context_, *copy_, vertex_) : nullptr;
  if (!before || before->files.size() < kFewFiles || before->files.size() != how.entries) return;
  auto copied = CopiedList::of(*before, how);
  if (!copied || !copied->forget_changed(*before, after)) return;
  trees.set_note(copied->bytes());
  is_kept_ = true;
}

void ContextCopy::committed(SnapshotId snapshot) {
  if (is_kept_) store_.results().put_latest(*key_, snapshot);
}

}  // namespace slipway
