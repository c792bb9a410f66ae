#include "build/vertex_solver.h"

#include <utility>

#include "base/check.h"
#include "cache/cache_key.h"
#include "history/record.h"

namespace slipway {

namespace {

/// What was made of trees that caches call otherwise they call otherwise, too.
VertexResult named(VertexResult result, const std::optional<ContentKeys>& content) {
  if (!result.name_in_caches && content && content->here != content->in_caches)
    result.name_in_caches = content->in_caches;
  return result;
}

/// A source's key is what it is now: there is no doubt that --no-cache could clear.
bool is_source(const Vertex& vertex) { return std::holds_alternative<SourceOp>(vertex.op.what); }

}  // namespace

std::optional<VertexResult> VertexSolver::find_result(const Vertex& vertex) {
  if (is_source(vertex) && !is_remote_source(vertex.op)) return node_.find_result(vertex);
  if (doubts_.contains(vertex.digest)) return std::nullopt;
  auto known = find_by(vertex, keys_.at(vertex.digest));
  if (known) node_.forget(vertex);
  return known;
}

std::optional<VertexResult> VertexSolver::find_by_definition_in_caches(const Vertex& vertex) {
  if (doubts_.contains(vertex.digest) || (is_source(vertex) && !is_remote_source(vertex.op))) return std::nullopt;
  return find_in_caches(vertex, keys_.at(vertex.digest));
}

bool VertexSolver::is_made_anew(const Vertex& vertex) const {
  const auto doubt = doubts_.find(vertex.digest);
  return doubt != doubts_.end() && doubt->second == CacheDoubt::All;
}

std::optional<VertexResult> VertexSolver::find_by(const Vertex& vertex, const Digest& key) {
  const auto snapshot = store_.results().find(key);
  if (!snapshot) return std::nullopt;
  return taken(vertex,
               {.snapshot = snapshot,
                .context = {},
                .emulation = terms_.marks_of(vertex.digest, store_.results().emulation_of(key, *snapshot)),
                .name_in_caches = imports_ ? store_.results().name_in_caches(*snapshot) : std::nullopt});
}

std::optional<VertexResult> VertexSolver::find_in_caches(const Vertex& vertex, const Digest& key) {
  if (!imports_) return std::nullopt;
  auto cached = imports_->find(key);
  if (!cached) return std::nullopt;
  EmulationMarks marks = terms_.marks_of(vertex.digest, cached->result.notes.emulation);
  return taken(vertex, {.remote = std::move(cached), .emulation = std::move(marks)});
}

std::optional<VertexResult> VertexSolver::find_by_content(const Vertex& vertex,
                                                          const std::vector<VertexResult>& inputs,
                                                          std::stop_token stop) {
  if (is_made_anew(vertex)) return std::nullopt;
  const std::optional<ContentKeys> content = node_.content_keys(vertex, inputs, std::move(stop));
  if (!content) return std::nullopt;
  if (auto known = find_by(vertex, content->here)) return named(*std::move(known), content);
  return find_in_caches(vertex, content->in_caches);
}

std::optional<VertexResult> VertexSolver::taken(const Vertex& vertex, VertexResult known) {
  std::string why = terms_.refusal(vertex.digest, known.emulation);
  if (why.empty()) return known;
  state_.lock()->passed_over.insert_or_assign(vertex.digest, std::move(why));
  return std::nullopt;
}

std::string VertexSolver::passed_over(const Vertex& vertex) {
  auto state = state_.lock();
  const auto found = state->passed_over.find(vertex.digest);
  return found == state->passed_over.end() ? "" : found->second;
}

std::optional<VertexSolver::Solution> VertexSolver::solve(const Vertex& vertex,
                                                          const std::vector<VertexResult>& inputs,
                                                          const std::function<void()>& on_run,
                                                          std::stop_token stop) {
  const auto run_now = [&](const std::optional<ContentKeys>& content) {
    on_run();
    return Solution{.result = run(vertex, content, inputs, stop)};
  };
  if (!local_source_name(vertex.op).empty()) return run_now({});
  const std::optional<ContentKeys> content = node_.content_keys(vertex, inputs, stop);
  if (content) state_.lock()->contents.insert_or_assign(vertex.digest, *content);
  if (is_made_anew(vertex)) return run_now(content);

  if (auto known = look(vertex, content)) return known;
  const Digest& key = content ? content->here : keys_.at(vertex.digest);
  const auto lock = store_.step_locks().try_acquire(key);
  if (!lock) {
    state_.lock()->waits_for.insert_or_assign(vertex.digest, key);
    return std::nullopt;
  }
  if (auto known = look(vertex, content)) return known;  // who had the lock may just have ended
  state_.lock()->ran.insert(key);
  return run_now(content);
}

// Planning did not find it by its definition: if it is there now, somebody was at it at the same time.
std::optional<VertexSolver::Solution> VertexSolver::look(const Vertex& vertex,
                                                         const std::optional<ContentKeys>& content) {
  const auto shared = [&](VertexResult known) {
    const bool ours = content && state_.lock()->ran.contains(content->here);
    return Solution{.result = named(std::move(known), content),
                    .how = ours ? "shared with another step" : "shared with another build"};
  };
  if (auto known = find_result(vertex)) return shared(*std::move(known));
  if (!content) return std::nullopt;
  auto known = find_by(vertex, content->here);
  if (!known) {
    if (auto cached = find_in_caches(vertex, content->in_caches))
      return Solution{.result = *std::move(cached), .how = kHitByContent};
    return std::nullopt;
  }
  store_.results().put(keys_.at(vertex.digest), content->here, *known->snapshot,
                       {.emulation = to_text(known->emulation)});
  if (state_.lock()->waits_for.contains(vertex.digest)) return shared(*std::move(known));
  return Solution{.result = named(*std::move(known), content), .how = kHitByContent};
}

void VertexSolver::wait(const Vertex& vertex, const std::stop_token& stop) {
  std::optional<Digest> key;
  {
    auto state = state_.lock();
    const auto found = state->waits_for.find(vertex.digest);
    SLIPWAY_CHECK(found != state->waits_for.end(), "only who was told to wait waits");
    key = found->second;
  }
  store_.step_locks().wait(*key, stop);
}

std::optional<ContentKeys> VertexSolver::content_of(const Vertex& vertex) {
  auto state = state_.lock();
  const auto found = state->contents.find(vertex.digest);
  return found == state->contents.end() ? std::nullopt : std::optional(found->second);
}

VertexResult VertexSolver::run(const Vertex& vertex, const std::optional<ContentKeys>& content,
                               const std::vector<VertexResult>& inputs, std::stop_token stop) {
  VertexResult result = node_.run(vertex, inputs, std::move(stop));
  for (const VertexResult& input : inputs) add_marks(result.emulation, input.emulation);
  node_.forget(vertex);
  if (!result.snapshot || !result.lasting || (is_source(vertex) && !is_remote_source(vertex.op)))
    return result;
  const Digest& key = keys_.at(vertex.digest);
  const ResultNotes notes{.description = described(vertex), .emulation = to_text(result.emulation)};
  if (content) {
    store_.results().put(key, content->here, *result.snapshot, notes);
  } else {
    store_.results().put(key, *result.snapshot, notes);
  }
  result = named(std::move(result), content);
  if (result.name_in_caches)
    store_.results().remember_name_in_caches(*result.snapshot, *result.name_in_caches);
  return result;
}

}  // namespace slipway
