#include "nodes/local_node.h"

#include <cmath>
#include <set>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "base/strings.h"
#include "nodes/diff_step.h"
#include "nodes/exec_step.h"
#include "nodes/file_step.h"
#include "nodes/merge_step.h"
#include "platforms/cpu_level.h"

namespace slipway {

namespace {

Execution value_or_throw(const std::variant<Execution, HostError>& found) {
  if (const auto* refused = std::get_if<HostError>(&found)) throw HostError(*refused);
  return std::get<Execution>(found);
}

std::string name_of(const std::vector<ImageRef>& packs) {
  std::set<std::string> names;
  for (const ImageRef& pack : packs) names.insert(pack.str());
  std::string text;
  for (const std::string& name : names) text += concat(name, "\n");
  return text.empty() ? "" : std::string(Digest::of(text).short_hex());
}

}  // namespace

LocalNode::LocalNode(Store& store, std::function<Sandbox&()> sandbox, ImageSource& images,
                     LocalContexts& contexts, LocalNodeOptions options, ProgressSink& progress)
    : store_(store),
      sandbox_(std::move(sandbox)),
      images_(images),
      contexts_(contexts),
      options_(std::move(options)),
      progress_(progress),
      context_trees_(contexts, store.temp_directory()),
      agents_(options_.ssh),
      devices_(options_.device_directories),
      twins_(store, images, options_.twins),
      name_of_packs_(name_of(options_.twins.packs)) {
  for (const auto& [id, secret] : options_.secrets) mask_.add(secret);
}

Execution LocalNode::execution_for(const Platform& target) {
  if (auto known = executions_.lock(); known->contains(target)) return value_or_throw(known->at(target));
  try {
    const Execution execution =
        choose_execution(options_.host, target, options_.emulation.of(target), options_.emulators);
    if (executions_.lock()->emplace(target, execution).second) tell_of(target, execution);
    return execution;
  } catch (const HostError& e) {
    executions_.lock()->emplace(target, e);
    throw;
  }
}

bool LocalNode::emulates(const Platform& target) const {
  return needs_emulation(options_.host, target, options_.emulation.of(target), options_.emulators);
}

double LocalNode::slowdown_of(const Platform& target) {
  if (execution_for(target).kind == Execution::Kind::Native) return 1;
  const auto measured = options_.emulators.slowdown ? options_.emulators.slowdown(target) : std::nullopt;
  return measured.value_or(usual_slowdown(target));
}

void LocalNode::tell_of(const Platform& target, const Execution& execution) {
  for (const std::string& skipped : execution.skipped)
    progress_.emit(Warned{.message = concat(target.str(), ": passed over ", skipped)});
  if (execution.kind == Execution::Kind::Native) {
    if (const auto missing = missing_cpu_level(options_.host, target))
      progress_.emit(Warned{.message = concat("this machine's CPU is no ", *missing, ": programs made for ",
                                              target.str(), " may end with an illegal instruction")});
    return;
  }
  // Who asked for emulation knows.
  if (options_.emulation.of(target) == EmulationPolicy::Qemu) return;
  const long times = std::lround(slowdown_of(target));
  const bool may_have_twins =
      execution.kind == Execution::Kind::PrivateBinfmt && options_.emulators.own_table_for_twins;
  const char* what = may_have_twins ? ": expect programs without a native twin to take about "
                                    : ": expect steps that compute to take about ";
  progress_.emit(
      Warned{.message = concat(target.str(), " is ", execution.describe(),
                               times > 1 ? concat(what, times, " times as long") : std::string())});
}

std::optional<VertexResult> LocalNode::find_result(const Vertex& vertex) {
  const SourceOp* source = std::get_if<SourceOp>(&vertex.op.what);
  if (!source || !local_source_name(vertex.op).empty() || is_remote_source(vertex.op)) return std::nullopt;
  const auto root = images_.find_unpacked_root(*source);
  if (!root) return std::nullopt;
  return VertexResult{.snapshot = *root, .context = {}};
}

VertexResult LocalNode::run(const Vertex& vertex, const std::vector<VertexResult>& inputs,
                            std::stop_token stop) {
  if (const SourceOp* source = std::get_if<SourceOp>(&vertex.op.what))
    return run_source(vertex, *source, stop);
  if (const ExecOp* exec = std::get_if<ExecOp>(&vertex.op.what)) {
    const ExecEnvironment environment{
        .store = store_,
        .sandbox = sandbox_,
        .contexts = context_trees_,
        .secrets = options_.secrets,
        .mask = mask_,
        .agents = agents_,
        .devices = devices_,
        .limits = options_.limits,
        .timeouts = options_.timeouts,
        .no_new_privileges = options_.no_new_privileges,
        .twins = twins_,
        .emulation = vertex.op.platform ? options_.emulation.of(*vertex.op.platform) : EmulationPolicy::Auto,
        .packs = name_of_packs_,
        .not_compared = not_compared_,
        .fill_cache_mount = options_.fill_cache_mount,
        .progress = progress_};
    tell_unkept_limits();
    const Execution execution = vertex.op.platform ? execution_for(*vertex.op.platform) : Execution{};
    return run_exec_step(environment, execution, vertex, *exec, inputs, stop);
  }
  if (std::holds_alternative<MergeOp>(vertex.op.what))
    return run_merge_step(store_, progress_, vertex, inputs, stop);
  if (const DiffOp* diff = std::get_if<DiffOp>(&vertex.op.what))
    return run_diff_step(store_, *diff, inputs, stop);
  return run_file_step(store_, contexts_, vertex, std::get<FileOp>(vertex.op.what), inputs, stop);
}

void LocalNode::tell_unkept_limits() {
  if (!options_.limits.any() && options_.limits.shm == 0) return;
  std::call_once(limits_told_, [this] {
    const std::string unkept = sandbox_().unkept(options_.limits);
    if (!unkept.empty()) store_.logger().log(LogLevel::Warning, concat("the limits of steps are ", unkept));
  });
}

void LocalNode::tell_unused_packs() {
  for (std::string& sentence : twins_.unused_packs()) progress_.emit(Warned{.message = std::move(sentence)});
}

VertexResult LocalNode::run_source(const Vertex& vertex, const SourceOp& source, std::stop_token stop) {
  if (const std::string context = local_source_name(vertex.op); !context.empty()) return {.context = context};
  if (is_remote_source(vertex.op)) {
    SLIPWAY_CHECK(options_.remote, "a build with remote sources says who fetches them");
    return {.snapshot = options_.remote->fetch(vertex, stop), .context = {}};
  }
  const auto progress = [&](const std::string& item, std::uint64_t current, std::uint64_t total) {
    progress_.emit(BytesMoved{.id = vertex.digest.str(),
                              .item = item,
                              .current = current,
                              .total = total,
                              .done = current == total});
  };
  return {.snapshot = images_.unpack(source, progress, stop)};
}

}  // namespace slipway
