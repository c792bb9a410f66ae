// Results that are known in caches outside the store only: fetched when something needs them, and made by
// running their steps after all if a cache turns out not to have them.
#include <algorithm>
#include <span>

#include "base/error.h"
#include "base/strings.h"
#include "build/build_run.h"
#include "build/expected_layers.h"
#include "graph/root_image.h"

namespace slipway {

namespace {

bool is_plain_source(const Op& op) {
  return std::holds_alternative<SourceOp>(op.what) && !is_remote_source(op);
}

std::vector<DatedLayer> dated(const RemoteResult& remote) {
  std::vector<DatedLayer> layers;
  for (const CachedLayer& layer : remote.result.layers)
    layers.push_back(
        {.layer = {.descriptor = layer.descriptor, .diff_id = layer.diff_id}, .created = layer.created});
  return layers;
}

/// Whether `lower` is the beginning of `upper`.
bool is_below(const std::vector<SnapshotId>& lower, const std::vector<SnapshotId>& upper) {
  return lower.size() <= upper.size() && std::equal(lower.begin(), lower.end(), upper.begin());
}
bool is_below(const std::vector<CachedLayer>& lower, const std::vector<CachedLayer>& upper) {
  return lower.size() <= upper.size() && std::ranges::equal(lower, std::span(upper).first(lower.size()), {},
                                                            &CachedLayer::diff_id, &CachedLayer::diff_id);
}

}  // namespace

std::map<Digest, std::string> BuildRun::how_found() {
  auto state = state_.lock();
  std::map<Digest, std::string> how = state->found;
  for (const auto& [vertex, result] : state->results)
    if (result.remote) how.emplace(vertex, imports_->name_of(*result.remote));
  return how;
}

// One thread at a time for each vertex: others that need it wait for what the first one fetches. The ways of
// the graph end, so they never wait for one another.
VertexResult BuildRun::at_hand(const Digest& digest, const std::stop_token& stop) {
  std::shared_ptr<std::mutex> turn;
  {
    auto state = state_.lock();
    const auto known = state->results.find(digest);
    if (known != state->results.end() && !known->second.remote) return known->second;
    std::shared_ptr<std::mutex>& found = state->turns[digest];
    if (!found) found = std::make_shared<std::mutex>();
    turn = found;
  }
  const std::lock_guard mine(*turn);
  const Vertex& vertex = lowered_.graph.at(digest);
  bool lost = false;
  while (true) {
    std::optional<VertexResult> known;
    if (auto state = state_.lock(); !lost && state->results.contains(digest))
      known = state->results.at(digest);
    if (!known) known = find_result(vertex);
    if (!known) known = run_after_all(vertex, stop);
    if (known->remote) {
      const auto snapshot = unpack_remote(vertex, *known, stop);
      if (!snapshot) {
        lost = true;  // other caches may have it; else the step runs
        continue;
      }
      known = VertexResult{.snapshot = snapshot,
                           .context = {},
                           .emulation = std::move(known->emulation),
                           .name_in_caches = known->remote->result.notes.tree};
    }
    state_.lock()->results[digest] = *known;
    return *known;
  }
}

ItemProgress BuildRun::progress_of(const std::string& id) const {
  return [this, id](const std::string& item, std::uint64_t current, std::uint64_t total) {
    progress_.emit(
        BytesMoved{.id = id, .item = item, .current = current, .total = total, .done = current == total});
  };
}

std::optional<SnapshotId> BuildRun::unpack_remote(const Vertex& vertex, const VertexResult& known,
                                                  const std::stop_token& stop) {
  const auto expected = expected_layer_count(
      lowered_.graph, vertex.digest, [&](const SourceOp& image) { return node_.find_diff_ids(image); });
  try {
    if (expected && known.remote->result.layers.size() != *expected)
      throw CacheLost(known.remote->cache, concat("has other layers than those of ", vertex.info.name));
    const SnapshotId snapshot = imports_->unpack(*known.remote, progress_of(vertex.digest.str()), stop);
    const Digest& key = keys_.at(vertex.digest);
    const ResultNotes notes{.description = solver_.described(vertex), .emulation = to_text(known.emulation)};
    if (const auto& name = known.remote->result.notes.tree)
      store_.results().remember_name_in_caches(snapshot, *name);
    // Under no key but those that were looked for: what else a cache says must not answer other builds.
    if (const auto content = solver_.content_of(vertex)) {
      store_.results().put(key, content->here, snapshot, notes);
    } else {
      store_.results().put(key, snapshot, notes);
    }
    return snapshot;
  } catch (const CacheLost& lost) {
    imports_->lose(lost);
    return std::nullopt;
  }
}

// As any other step, but for its slot of the plan, which is that of the step that needs it: neither holds a
// step's lock while it waits here for somebody else's.
VertexResult BuildRun::run_after_all(const Vertex& vertex, const std::stop_token& stop) {
  std::vector<VertexResult> inputs;
  for (const Input& input : vertex.op.inputs) inputs.push_back(at_hand(input.vertex, stop));
  const Step step{.id = vertex.digest.str(), .name = vertex.info.name, .vertex = &vertex, .lane = {}};
  try {
    std::optional<VertexResult> result;
    while (!(result = solve(step, inputs, stop))) solver_.wait(vertex, stop);
    StepFinished finished{.id = step.id, .end = StepEnd::Done, .error = {}};
    if (auto state = state_.lock(); state->found.contains(vertex.digest)) {
      finished.end = StepEnd::Cached;
      finished.how = state->found.at(vertex.digest);
    }
    progress_.emit(std::move(finished));
    return *std::move(result);
  } catch (const Error& e) {
    progress_.emit(StepFinished{.id = step.id, .end = StepEnd::Failed, .error = e.what()});
    throw;
  }
}

AssembledImage BuildRun::assemble_lane(const Step& step, const dockerfile::LoweredLane& lane,
                                       std::stop_token stop) {
  while (true) {
    VertexResult result;
    if (lane.result) {
      result = state_.lock()->results.at(*lane.result);
      if (result.remote && hooks_.needs == RunHooks::Needs::Trees) result = at_hand(*lane.result, stop);
    }
    AssembleOptions options = assemble_;
    if (hooks_.inline_cache) options.inline_cache = inline_cache_of(lane, result);
    try {
      AssembledImage image{.manifest = {.digest = Digest::of("")},
                           .config = {.digest = Digest::of("")},
                           .layers = {},
                           .tree = {}};
      if (result.remote) {
        if (!lane.history_of_layers && result.remote->result.layers.size() != layer_count(lane))
          throw CacheLost(result.remote->cache, concat("has other layers than those of ", step.name));
        if (hooks_.needs == RunHooks::Needs::Blobs)
          imports_->fetch(*result.remote, progress_of(step.id), stop);
        image = assemble_image(store_, lane, dated(*result.remote), options);
      } else {
        image = assemble_image(store_, lane, result.snapshot, options, stop);
      }
      if (hooks_.on_image) hooks_.on_image(image, step.id, stop);
      return image;
    } catch (const CacheLost& lost) {
      imports_->lose(lost);
      at_hand(*lane.result, stop);
    }
  }
}

/// The vertices that the layers of the lane's image come from.
std::set<Digest> BuildRun::steps_of_image(const dockerfile::LoweredLane& lane) const {
  std::set<Digest> steps;
  std::vector<Digest> open;
  if (lane.result) open.push_back(*lane.result);
  while (!open.empty()) {
    const Digest digest = open.back();
    open.pop_back();
    if (!steps.insert(digest).second) continue;
    const Op& op = lowered_.graph.at(digest).op;
    for (const int input : layer_inputs(op))
      open.push_back(op.inputs.at(static_cast<std::size_t>(input)).vertex);
  }
  return steps;
}

/// What names the tree of a result in content keys, here and in other stores.
std::optional<Digest> BuildRun::tree_of(const VertexResult& result) {
  if (result.name_in_caches) return result.name_in_caches;
  if (result.snapshot) return store_.results().origin(*result.snapshot);
  return result.remote ? result.remote->result.notes.tree : std::nullopt;
}

/// Of a step whose inputs were not needed its content key is what its result's tree is named by.
std::optional<Digest> BuildRun::content_of(const Vertex& vertex, const VertexResult& result) {
  const auto computed = solver_.content_of(vertex);
  return computed ? computed->in_caches : tree_of(result);
}

std::string BuildRun::inline_cache_of(const dockerfile::LoweredLane& lane, const VertexResult& result) {
  std::vector<SnapshotId> chain;
  if (result.snapshot) chain = store_.snapshots().layers(*result.snapshot);
  const std::set<Digest> steps = steps_of_image(lane);
  std::vector<CacheConfigRecord> records;
  for (const Vertex& vertex : lowered_.graph.vertices()) {
    if (!steps.contains(vertex.digest) || is_plain_source(vertex.op)) continue;
    std::optional<VertexResult> known;
    if (auto state = state_.lock(); state->results.contains(vertex.digest))
      known = state->results.at(vertex.digest);
    if (!known) known = find_result(vertex);
    if (!known) continue;
    std::size_t layers = 0;
    if (known->snapshot && result.snapshot) {
      const std::vector<SnapshotId> own = store_.snapshots().layers(*known->snapshot);
      if (is_below(own, chain)) layers = own.size();
    } else if (known->remote && result.remote) {
      if (is_below(known->remote->result.layers, result.remote->result.layers))
        layers = known->remote->result.layers.size();
    }
    if (layers == 0) continue;
    records.push_back({.digest = keys_.at(vertex.digest),
                       .inputs = {},
                       .results = {{.layer = static_cast<int>(layers) - 1, .created = {}}},
                       .chains = {},
                       .notes = CacheNotes{.tree = tree_of(*known)}});
    const auto content = content_of(vertex, *known);
    if (!content) continue;
    records.push_back(records.back());
    records.back().digest = *content;
  }
  std::ranges::stable_sort(records, {}, &CacheConfigRecord::digest);
  const auto repeated = std::ranges::unique(records, {}, &CacheConfigRecord::digest);
  records.erase(repeated.begin(), repeated.end());
  return records.empty() ? "" : inline_json(records);
}

FinishedStep BuildRun::finished_step(const Vertex& vertex, const VertexResult& result) {
  FinishedStep step{.vertex = &vertex,
                    .description = solver_.described(vertex),
                    .key = keys_.at(vertex.digest),
                    .content = content_of(vertex, result),
                    .tree = tree_of(result),
                    .snapshot = result.snapshot,
                    .remote = result.remote,
                    .emulation = to_text(result.emulation),
                    .in_image = in_images_.contains(vertex.digest)};
  auto state = state_.lock();
  if (const auto found = state->seconds.find(vertex.digest); found != state->seconds.end())
    step.seconds = found->second;
  return step;
}

/// What goes wrong here goes wrong again when all steps are asked for.
void BuildRun::tell_result(const Vertex& vertex, const VertexResult& result) noexcept {
  if (!hooks_.on_result || is_plain_source(vertex.op) || (!result.snapshot && !result.remote)) return;
  try {
    hooks_.on_result(finished_step(vertex, result));
  } catch (const std::exception&) {
  }
}

std::vector<FinishedStep> BuildRun::finished_steps() {
  std::vector<Digest> roots;
  for (const dockerfile::LoweredLane& lane : lowered_.lanes)
    if (lane.result) roots.push_back(*lane.result);
  std::vector<FinishedStep> steps;
  for (const Digest& digest : lowered_.graph.reachable_from(roots)) {
    const Vertex& vertex = lowered_.graph.at(digest);
    if (is_plain_source(vertex.op)) continue;
    std::optional<VertexResult> known;
    if (auto state = state_.lock(); state->results.contains(digest)) known = state->results.at(digest);
    if (!known) known = find_result(vertex);  // of steps below those whose results were known
    if (!known || (!known->snapshot && !known->remote)) continue;
    steps.push_back(finished_step(vertex, *known));
  }
  return steps;
}

}  // namespace slipway
