#include "nodes/context_copy.h"

#include "base/strings.h"

namespace slipway {

namespace {

// Below that, looking for the earlier copy costs more than it saves.
constexpr std::size_t kFewFiles = 256;

const CopyAction* only_copy(const FileOp& file) {
  const CopyAction* copy =
      file.actions.size() == 1 ? std::get_if<CopyAction>(&file.actions.front()) : nullptr;
  return copy && !copy->attempt_unpack ? copy : nullptr;
}

}  // namespace

ContextCopy::ContextCopy(Store& store, const LocalContexts& contexts, const Vertex& vertex,
                         const FileOp& file, const std::vector<VertexResult>& inputs)
    : store_(store) {
  const CopyAction* copy = only_copy(file);
  if (!copy || store.snapshots().mode() != TreeMode::Overlay || copy->from < 0 ||
      static_cast<std::size_t>(copy->from) >= inputs.size())
    return;
  const std::string& context = inputs[static_cast<std::size_t>(copy->from)].context;
  if (context.empty()) return;
  key_ = Digest::of(concat("slipway copy v1\n", vertex.digest.str(), "\n", contexts.at(context).shown));
  std::optional<CopiedFiles> files;
  std::filesystem::path directory;
  if (const auto earlier = vertex.info.ignore_cache ? std::nullopt : store.results().find(*key_)) {
    files = CopiedFiles::read(store.snapshots().copied_list(*earlier));
    directory = store.snapshots().diff_directory(*earlier);
  }
  reuse_.emplace(store.file_digests(), std::move(files), std::move(directory));
}

void ContextCopy::prepare_commit(ActionTrees& trees) {
  if (!reuse_) return;
  ReusedFiles files = reuse_->finish();
  is_kept_ = files.copied.size() >= kFewFiles;
  if (is_kept_ || !files.paths.empty()) trees.link_at_commit(std::move(files));
}

void ContextCopy::committed(SnapshotId snapshot) {
  if (is_kept_) store_.results().put_latest(*key_, snapshot);
}

}  // namespace slipway
