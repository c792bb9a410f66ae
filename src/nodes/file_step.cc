#include "nodes/file_step.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <utility>

#include "base/error.h"
#include "nodes/file_actions.h"
#include "nodes/source_trees.h"

namespace slipway {

namespace {

/// True of what a path or file in the trees causes, rather than the machine.
bool is_trees_fault(int error_number) {
  static constexpr std::array kErrors = {ELOOP, ENOTDIR, EISDIR, ENAMETOOLONG, EINVAL, EEXIST, ENOTEMPTY};
  return std::ranges::find(kErrors, error_number) != kErrors.end();
}

/// The message without the place of the store, which says nothing to who wrote the Dockerfile.
std::string without(std::string text, const std::string& part) {
  for (std::size_t at; (at = text.find(part)) != std::string::npos;) text.erase(at, part.size());
  return text;
}

}  // namespace

VertexResult run_file_step(Store& store, LocalContexts& contexts, const Vertex& vertex, const FileOp& file,
                           const std::vector<VertexResult>& inputs, std::stop_token stop) {
  int base = kNoInput;
  std::visit([&](const auto& first) { base = first.base; }, file.actions.at(0));
  ActiveSnapshot active = store.snapshots().prepare(snapshot_of(base, inputs));
  SourceTrees sources(store, contexts, inputs);
  try {
    const RootedDir target(
        active.root());  // closed before the commit: an open descriptor would keep the mount busy
    apply_file_op(
        file, inputs.size(), target, [&](int input) { return sources.open(input); }, stop);
    for (const FileAction& action : file.actions) {
      const CopyAction* copied = std::get_if<CopyAction>(&action);
      if (!copied || copied->from < 0) continue;
      const std::string& context = inputs.at(static_cast<std::size_t>(copied->from)).context;
      if (!context.empty()) contexts.check_unchanged(context, *copied, vertex, stop);
    }
  } catch (const NotFound& missing) {
    rethrow_missing_source(missing, vertex, sources.last_opened());
  } catch (const SystemError& e) {
    if (!is_trees_fault(e.error_number())) throw;
    throw InvalidInput(without(e.what(), active.root().native()));
  }
  return {.snapshot = store.snapshots().commit(std::move(active), now_seconds())};
}

}  // namespace slipway
