#include "nodes/local_node.h"

#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "nodes/exec_step.h"
#include "nodes/file_step.h"
#include "nodes/merge_step.h"

namespace slipway {

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
      devices_(options_.device_directories) {
  for (const auto& [id, secret] : options_.secrets) mask_.add(secret);
}

Execution LocalNode::execution_for(const Platform& target) {
  if (auto known = executions_.lock(); known->contains(target)) return known->at(target);
  Execution execution = choose_execution(options_.host, target, options_.emulation, options_.emulators);
  executions_.lock()->emplace(target, execution);
  return execution;
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
    const ExecEnvironment environment{.store = store_,
                                      .sandbox = sandbox_,
                                      .contexts = context_trees_,
                                      .secrets = options_.secrets,
                                      .mask = mask_,
                                      .agents = agents_,
                                      .devices = devices_,
                                      .progress = progress_};
    const Execution execution = vertex.op.platform ? execution_for(*vertex.op.platform) : Execution{};
    return run_exec_step(environment, execution, vertex, *exec, inputs, stop);
  }
  if (std::holds_alternative<MergeOp>(vertex.op.what))
    return run_merge_step(store_, progress_, vertex, inputs, stop);
  return run_file_step(store_, contexts_, vertex, std::get<FileOp>(vertex.op.what), inputs, stop);
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
