#include "nodes/file_step.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

#include "base/error.h"
#include "base/strings.h"
#include "nodes/action_trees.h"
#include "nodes/context_copy.h"
#include "nodes/file_actions.h"
#include "nodes/source_trees.h"

namespace slipway {

namespace {

/// True of what a path or file in the trees causes, rather than the machine.
bool is_trees_fault(int error_number) {
  static constexpr std::array kErrors = {ELOOP,  ENOTDIR, EISDIR,    ENAMETOOLONG,
                                         EINVAL, EEXIST,  ENOTEMPTY, ENXIO};
  return std::ranges::find(kErrors, error_number) != kErrors.end();
}

/// The message without the place of the store, which says nothing to who wrote the Dockerfile.
std::string without(std::string text, const std::string& part) {
  for (std::size_t at; (at = text.find(part)) != std::string::npos;) text.erase(at, part.size());
  return text;
}

SnapshotId run_actions(Store& store, LocalContexts& contexts, const Vertex& vertex, const FileOp& file,
                       const std::vector<VertexResult>& inputs, ContextCopy& copy,
                       const std::stop_token& stop) {
  SourceTrees sources(store, contexts, inputs);
  ActionTrees trees(store, file, inputs, sources);
  std::optional<CopiedDirectory> how;
  for (std::size_t i = 0; i < file.actions.size(); ++i) {
    const RootedDir& target = trees.target(i);
    try {
      how = apply_file_action(
          file.actions[i], target, [&](int from) { return trees.source(from); }, store.logger(), stop);
    } catch (const NotFound& missing) {
      rethrow_missing_source(missing, vertex, sources.last_opened());
    } catch (const SystemError& e) {
      if (!is_trees_fault(e.error_number())) throw;
      throw InvalidInput(without(e.what(), target.shown()));
    }
  }
  for (const FileAction& action : file.actions) {
    const CopyAction* copied = std::get_if<CopyAction>(&action);
    if (!copied || copied->from < 0 || static_cast<std::size_t>(copied->from) >= inputs.size()) continue;
    const std::string& context = inputs[static_cast<std::size_t>(copied->from)].context;
    if (context.empty()) continue;
    const auto after = contexts.check_unchanged(context, *copied, vertex, stop);
    if (how) copy.prepare_commit(trees, *how, *after);
  }
  return trees.commit();
}

}  // namespace

VertexResult run_file_step(Store& store, LocalContexts& contexts, const Vertex& vertex, const FileOp& file,
                           const std::vector<VertexResult>& inputs, std::stop_token stop) {
  if (file.actions.empty()) throw InvalidInput("a file operation without actions");
  ContextCopy copy(store, contexts, vertex, file, inputs);
  if (const auto amended = copy.amended(stop)) return {.snapshot = *amended};
  const SnapshotId snapshot = run_actions(store, contexts, vertex, file, inputs, copy, stop);
  copy.committed(snapshot);
  return {.snapshot = snapshot};
}

}  // namespace slipway
