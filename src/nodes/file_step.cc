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

/// The context that `action` copies from; null: none.
const std::string* context_of(const CopyAction* action, const std::vector<VertexResult>& inputs) {
  if (!action || action->from < 0 || static_cast<std::size_t>(action->from) >= inputs.size()) return nullptr;
  const std::string& context = inputs[static_cast<std::size_t>(action->from)].context;
  return context.empty() ? nullptr : &context;
}

SnapshotId run_actions(Store& store, LocalContexts& contexts, const Vertex& vertex, const FileOp& file,
                       const std::vector<VertexResult>& inputs, ContextCopy& copy,
                       const std::stop_token& stop) {
  SourceTrees sources(store, contexts, inputs);
  ActionTrees trees(store, file, inputs, sources);
  for (std::size_t i = 0; i < file.actions.size(); ++i) {
    const RootedDir& target = trees.target(i);
    const CopyAction* const copied = std::get_if<CopyAction>(&file.actions[i]);
    const std::string* const context = context_of(copied, inputs);
    CopyRecord record;
    const auto source = [&](int from) {
      SourceTree tree = trees.source(from);
      if (context) tree.listener = [&](const TakenEntry& taken) { record.add(taken); };
      return tree;
    };
    std::optional<CopiedDirectory> how;
    try {
      how = apply_file_action(file.actions[i], target, source, store.logger(), stop);
    } catch (const NotFound& missing) {
      rethrow_missing_source(missing, vertex, sources.last_opened());
    } catch (const SystemError& e) {
      if (!is_trees_fault(e.error_number())) throw;
      throw InvalidInput(without(e.what(), target.shown()));
    }
    if (!context) continue;
    const auto after = contexts.check_copied(*context, *copied, vertex, record, target, stop);
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
