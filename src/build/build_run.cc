#include "build/build_run.h"

#include <algorithm>

#include "base/check.h"
#include "base/error.h"
#include "base/strings.h"
#include "history/record.h"

namespace slipway {

namespace {

constexpr const char* kPublishId = "publish";
// The steps of the Dockerfile have slots of their own: what is done with their results waits for none of
// them.
constexpr std::size_t kStepPool = 0, kResultPool = 1;

std::string lane_names(const std::vector<Platform>& lanes) {
  std::vector<std::string> names;
  for (const Platform& lane : lanes) names.push_back(lane.str());
  return join(names, ",");
}

/// Lost layers of base images come from where the node knows them to be.
AssembleOptions with_homes(AssembleOptions options, LocalNode& node) {
  options.layers.fetch_again = [&node](const Descriptor& layer, const std::stop_token& stop) {
    node.fetch_again(layer, stop);
  };
  return options;
}

}  // namespace

BuildRun::BuildRun(const dockerfile::Lowered& lowered, std::map<Digest, Digest> keys, Store& store,
                   LocalNode& node, ProgressSink& progress, AssembleOptions assemble, RunHooks hooks,
                   CacheImports* imports)
    : lowered_(lowered),
      solver_(lowered.graph, std::move(keys), store, node, imports, hooks.hider),
      keys_(solver_.keys()),
      estimates_(StepCosts(store.database())),
      store_(store),
      node_(node),
      progress_(progress),
      assemble_(with_homes(std::move(assemble), node)),
      hooks_(std::move(hooks)),
      imports_(imports) {
  state_.lock()->lanes.resize(lowered_.lanes.size());
}

void BuildRun::announce(const std::string& id, const std::string& name, const std::vector<Platform>& lanes,
                        const std::vector<Input>& inputs) {
  std::vector<std::string> ids;
  for (const Input& input : inputs) ids.push_back(input.vertex.str());
  progress_.emit(StepPlanned{.id = id, .name = name, .lane = lane_names(lanes), .inputs = std::move(ids)});
}

// From the results down: a vertex with a result needs no inputs. Returns the vertices that must run.
std::set<Digest> BuildRun::find_cached(const std::vector<Digest>& wanted) {
  std::set<Digest> needed;
  for (const dockerfile::LoweredLane& lane : lowered_.lanes)
    if (lane.result) needed.insert(*lane.result);
  std::set<Digest> to_run;
  std::map<Digest, VertexResult> known;
  for (auto digest = wanted.rbegin(); digest != wanted.rend(); ++digest) {
    if (!needed.contains(*digest)) continue;
    if (const auto result = find_result(lowered_.graph.at(*digest))) {
      known.emplace(*digest, *result);
      continue;
    }
    to_run.insert(*digest);
    for (const Input& input : lowered_.graph.at(*digest).op.inputs) needed.insert(input.vertex);
  }
  state_.lock()->results = std::move(known);
  return to_run;
}

std::optional<VertexResult> BuildRun::find_result(const Vertex& vertex) {
  if (auto known = solver_.find_result(vertex)) return known;
  return solver_.find_by_definition_in_caches(vertex);
}

std::vector<Digest> BuildRun::wanted() const {
  std::vector<Digest> roots;
  for (const dockerfile::LoweredLane& lane : lowered_.lanes)
    if (lane.result) roots.push_back(*lane.result);
  return lowered_.graph.reachable_from(roots);
}

std::set<Digest> BuildRun::steps_to_run(const std::stop_token& stop) {
  const std::vector<Digest> all = wanted();
  std::set<Digest> to_run = find_cached(all);
  for (const Digest& digest : all)  // inputs first: what is found lets others be found
    if (to_run.contains(digest) && find_by_content(lowered_.graph.at(digest), stop)) to_run.erase(digest);
  return to_run;
}

bool BuildRun::find_by_content(const Vertex& vertex, const std::stop_token& stop) {
  std::vector<VertexResult> inputs;
  for (const Input& input : vertex.op.inputs) {
    const std::string context = local_source_name(lowered_.graph.at(input.vertex).op);
    auto state = state_.lock();
    const auto known = state->results.find(input.vertex);
    if (!context.empty()) {
      inputs.push_back({.context = context});
    } else if (known != state->results.end() && !known->second.remote) {
      inputs.push_back(known->second);
    } else {
      return false;
    }
  }
  auto result = solver_.find_by_content(vertex, inputs, stop);
  if (!result) return false;
  auto state = state_.lock();
  state->results.insert_or_assign(vertex.digest, *std::move(result));
  state->found.insert_or_assign(vertex.digest, kHitByContent);
  return true;
}

double BuildRun::slowdown_of(const Platform& platform) {
  try {
    return node_.slowdown_of(platform);
  } catch (const HostError&) {
    if (!hooks_.keep_going) throw;
    return 1;  // the platform's own steps fail of it
  }
}

StepId BuildRun::plan_vertex(Plan& plan, const Vertex& vertex, const std::map<Digest, StepId>& planned) {
  std::vector<StepId> after;
  for (const Input& input : vertex.op.inputs)
    if (const auto found = planned.find(input.vertex); found != planned.end()) after.push_back(found->second);
  std::ranges::sort(after);
  const auto repeated = std::ranges::unique(after);
  after.erase(repeated.begin(), repeated.end());
  // Of what was never measured, foreign steps take longer, so their chains start first.
  double cost = std::holds_alternative<ExecOp>(vertex.op.what) ? 10 : 1;
  if (vertex.op.platform && cost > 1) cost *= slowdown_of(*vertex.op.platform);
  steps_.push_back({.id = vertex.digest.str(), .name = vertex.info.name, .vertex = &vertex, .lane = {}});
  return plan.add({.name = vertex.info.name,
                   .after = std::move(after),
                   .cost = estimates_.seconds(vertex, cost),
                   .pool = kStepPool,
                   .memory = estimates_.memory(vertex)});
}

Plan BuildRun::make_plan() {
  const std::vector<Digest> all = wanted();
  const std::set<Digest> to_run = find_cached(all);

  std::vector<const Vertex*> vertices;
  for (const Digest& digest : to_run) vertices.push_back(&lowered_.graph.at(digest));
  estimates_.look_up(vertices);
  Plan plan;
  std::map<Digest, StepId> planned;
  for (const Digest& digest : all) {
    const Vertex& vertex = lowered_.graph.at(digest);
    announce(digest.str(), vertex.info.name, vertex.lanes, vertex.op.inputs);
    if (to_run.contains(digest)) planned.emplace(digest, plan_vertex(plan, vertex, planned));
  }
  if (hooks_.has_image) plan_images(plan, planned);
  for (const dockerfile::LoweredLane& lane : lowered_.lanes) in_images_.merge(steps_of_image(lane));
  for (const Digest& digest : all)
    if (!to_run.contains(digest)) progress_.emit(StepFinished{.id = digest.str(), .end = StepEnd::Cached});
  const std::map<Digest, VertexResult> known = state_.lock()->results;
  for (const auto& [digest, result] : known) tell_result(lowered_.graph.at(digest), result);
  return plan;
}

/// Each lane's image, and what comes when all are there.
void BuildRun::plan_images(Plan& plan, const std::map<Digest, StepId>& planned) {
  std::vector<StepId> exports;
  for (std::size_t i = 0; i < lowered_.lanes.size(); ++i) {
    const dockerfile::LoweredLane& lane = lowered_.lanes[i];
    const std::string id = concat("export ", lane.platform.str());
    const std::string name = concat("[", lane.platform.str(), "] assembling ",
                                    hooks_.on_image ? "and uploading " : "", "the image");
    std::vector<StepId> after;
    if (lane.result && planned.contains(*lane.result)) after.push_back(planned.at(*lane.result));
    announce(id, name, {lane.platform}, {});
    steps_.push_back({.id = id, .name = name, .vertex = nullptr, .lane = i});
    exports.push_back(plan.add({.name = name, .after = after, .pool = kResultPool}));
  }
  announce(kPublishId, hooks_.publish_name, {}, {});
  steps_.push_back({.id = kPublishId, .name = hooks_.publish_name, .vertex = nullptr, .lane = {}});
  plan.add({.name = hooks_.publish_name, .after = exports, .pool = kResultPool});
}

StepRun BuildRun::run(StepId id, std::stop_token stop) {
  const Step& step = steps_.at(id.value);
  if (step.vertex) return run_vertex(step, stop);
  if (step.lane) {
    run_export(step, stop);
  } else {
    run_publish(stop);
  }
  return StepRun::Done;
}

void BuildRun::wait(StepId id, std::stop_token stop) { solver_.wait(*steps_.at(id.value).vertex, stop); }

StepRun BuildRun::run_vertex(const Step& step, std::stop_token stop) {
  const Vertex& vertex = *step.vertex;
  std::vector<VertexResult> inputs;
  for (const Input& input : vertex.op.inputs) inputs.push_back(at_hand(input.vertex, stop));
  auto result = solve(step, inputs, stop);
  if (!result) return StepRun::MustWait;
  state_.lock()->results[vertex.digest] = *std::move(result);
  return StepRun::Done;
}

/// Nothing: another build is at it, which is said the first time.
std::optional<VertexResult> BuildRun::solve(const Step& step, const std::vector<VertexResult>& inputs,
                                            const std::stop_token& stop) {
  const Vertex& vertex = *step.vertex;
  std::chrono::steady_clock::time_point began;
  auto solution = solver_.solve(
      vertex, inputs,
      [&] {
        began = std::chrono::steady_clock::now();
        tell_start(step);
      },
      stop);
  if (!solution) {
    if (state_.lock()->waiting.insert(vertex.digest).second)
      progress_.emit(
          StepLog{.id = step.id, .stream = 2, .bytes = "another build runs this step: waiting for it\n"});
    return std::nullopt;
  }
  if (solution->how.empty()) {
    auto state = state_.lock();
    state->executed.insert(vertex.digest);
    state->found.erase(vertex.digest);  // in a cache that turned out not to have it
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    state->seconds[vertex.digest] = seconds;
    if (!std::holds_alternative<SourceOp>(vertex.op.what))  // what is fetched is not fetched again
      estimates_.measured(vertex, {.seconds = seconds, .memory = solution->result.peak_memory});
  } else {
    state_.lock()->found.insert_or_assign(vertex.digest, std::move(solution->how));
  }
  tell_result(vertex, solution->result);
  return std::move(solution->result);
}

void BuildRun::tell_start(const Step& step) {
  const Vertex& vertex = *step.vertex;
  StepStarted started{.id = step.id, .how = {}, .isolation = {}, .passed_over = solver_.passed_over(vertex)};
  if (std::holds_alternative<ExecOp>(vertex.op.what) && vertex.op.platform) {
    const Execution execution = node_.execution_for(*vertex.op.platform);
    started.mode =
        execution.kind == Execution::Kind::Native ? ExecutionMode::Native : ExecutionMode::Emulated;
    started.how = execution.describe();
    started.isolation = name_of(node_.isolation_of(execution));
  }
  progress_.emit(std::move(started));
}

void BuildRun::run_export(const Step& step, std::stop_token stop) {
  progress_.emit(StepStarted{.id = step.id});
  const dockerfile::LoweredLane& lane = lowered_.lanes.at(*step.lane);
  end_lane(*step.lane, assemble_lane(step, lane, stop));
}

void BuildRun::end_lane(std::size_t lane, std::optional<AssembledImage> image) {
  LaneEnd end{.image = std::move(image), .mode = {}, .isolation = {}, .twins = {}};
  tell_execution(lane, end);
  end.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  state_.lock()->lanes.at(lane) = std::move(end);
}

void BuildRun::run_publish(std::stop_token stop) {
  progress_.emit(StepStarted{.id = kPublishId});
  hooks_.publish(lane_ends(), stop);
}

// How what ran for the lane was executed: emulation, if any was, outweighs what is native. The walk ends at
// steps whose results were known: what is below them was not needed for this lane.
void BuildRun::tell_execution(std::size_t index, LaneEnd& end) {
  const dockerfile::LoweredLane& lane = lowered_.lanes.at(index);
  end.mode = "nothing to run";
  if (!lane.result) return;
  end.mode = "cached";
  bool emulated = false;
  std::map<std::string, TwinUse> twins;
  std::set<Digest> reached{*lane.result};
  const std::vector<Digest> below = lowered_.graph.reachable_from({*lane.result});
  std::set<Digest> executed, planned;
  {
    auto state = state_.lock();
    if (const auto result = state->results.find(*lane.result); result != state->results.end())
      end.emulation = result->second.emulation;
    executed = planned = state->executed;
    for (const auto& [vertex, how] : state->found) planned.insert(vertex);  // after its inputs were there
  }
  for (auto digest = below.rbegin(); digest != below.rend(); ++digest) {
    if (!reached.contains(*digest) || !planned.contains(*digest)) continue;
    const Vertex& vertex = lowered_.graph.at(*digest);
    for (const Input& input : vertex.op.inputs) reached.insert(input.vertex);
    if (!executed.contains(*digest)) continue;
    if (std::holds_alternative<SourceOp>(vertex.op.what)) continue;
    if (end.mode == "cached") end.mode = "copied";
    if (!std::holds_alternative<ExecOp>(vertex.op.what) || !vertex.op.platform) continue;
    const Execution execution = node_.execution_for(*vertex.op.platform);
    if (emulated && execution.kind == Execution::Kind::Native) continue;
    emulated = execution.kind != Execution::Kind::Native;
    end.mode = emulated ? execution.describe() : "native";
    end.isolation = name_of(node_.isolation_of(execution));
    for (const TwinUse& use : state_.lock()->results.at(*digest).twins)
      if (const auto [known, is_new] = twins.try_emplace(use.program, use); !is_new)
        known->second.count += use.count;
  }
  for (auto& [program, use] : twins) end.twins.push_back(std::move(use));
  if (end.twins.empty()) return;
  constexpr std::string_view kHow = "emulated by ";
  end.mode = concat("accelerated: ", end.mode.substr(end.mode.starts_with(kHow) ? kHow.size() : 0), ", ",
                    end.twins.size(), end.twins.size() == 1 ? " twin" : " twins");
}

void BuildRun::on_finished(StepId id, const StepOutcome& outcome) noexcept {
  const Step& step = steps_.at(id.value);
  StepFinished event{.id = step.id, .end = StepEnd::Done, .error = {}};
  if (const Failed* failed = std::get_if<Failed>(&outcome)) {
    event.end = StepEnd::Failed;
    event.error = failed->message;
    state_.lock()->failures.push_back({.step = id.value, .error = failed->error, .message = failed->message});
  } else if (std::holds_alternative<Skipped>(outcome)) {
    event.end = StepEnd::Skipped;
  } else if (std::holds_alternative<StepCancelled>(outcome)) {
    event.end = StepEnd::Cancelled;
  } else if (step.vertex) {
    auto state = state_.lock();
    if (const auto found = state->found.find(step.vertex->digest); found != state->found.end()) {
      event.end = StepEnd::Cached;
      event.how = found->second;
    }
  }
  progress_.emit(std::move(event));
}

bool BuildRun::has_all_results() {
  auto state = state_.lock();
  return std::ranges::all_of(lowered_.lanes, [&](const dockerfile::LoweredLane& lane) {
    return !lane.result || state->results.contains(*lane.result);
  });
}

std::vector<LaneEnd> BuildRun::lane_ends() {
  if (!hooks_.has_image)
    for (std::size_t i = 0; i < lowered_.lanes.size(); ++i) end_lane(i, {});
  std::vector<LaneEnd> ends;
  auto state = state_.lock();
  for (const std::optional<LaneEnd>& lane : state->lanes) {
    SLIPWAY_CHECK(lane.has_value(), "publishing comes after every export");
    ends.push_back(*lane);
  }
  return ends;
}

void BuildRun::throw_first_failure(
    const std::function<std::vector<std::string>(const std::string&)>& log_tail) {
  const std::vector<Failure> failures = state_.lock()->failures;
  if (failures.empty()) return;
  const Failure& first = failures.front();
  std::vector<std::string> others;
  for (std::size_t i = 1; i < failures.size(); ++i)
    others.push_back(concat(steps_.at(failures[i].step).name, ": ", failures[i].message));
  rethrow(first, log_tail ? log_tail(steps_.at(first.step).id) : std::vector<std::string>{}, others);
}

void BuildRun::rethrow(const Failure& failure, const std::vector<std::string>& tail,
                       const std::vector<std::string>& others) const {
  const Step& step = steps_.at(failure.step);
  const auto add_context = [&](Error& error) {
    error.add_context(step.name);
    if (step.vertex) error.add_context(concat("building for ", lane_names(step.vertex->lanes)));
    if (!others.empty())
      error.set_hint(concat("failed as well: ", join(others, "\n        "),
                            error.hint().empty() ? "" : "\n  hint: ", error.hint()));
  };
  try {
    if (!failure.error) throw BuildFailed(failure.message);
    std::rethrow_exception(failure.error);
  } catch (BuildFailed& failed) {
    add_context(failed);
    failed.set_log_tail(tail);
    if (step.vertex && step.vertex->info.location) failed.set_location(*step.vertex->info.location);
    throw;
  } catch (LocatedError& invalid) {
    add_context(invalid);
    if (!invalid.location() && step.vertex && step.vertex->info.location)
      invalid.set_location(*step.vertex->info.location);
    throw;
  } catch (Error& error) {
    add_context(error);
    if (step.vertex && step.vertex->info.location)
      error.add_context(position_of(*step.vertex->info.location));
    throw;
  }
}

}  // namespace slipway
