#include "history/step_records.h"

#include <set>
#include <unordered_map>

#include "base/strings.h"
#include "history/step_parts.h"

namespace slipway {

namespace {

/// Selections of equal content are different lists if they are in different places.
std::string manifest_name(const SelectionList& list) {
  std::string text = list.digest.str();
  for (const SelectedSource& source : list.sources)
    text += concat("\n", source.named.size(), ":", source.named);
  return std::string(Digest::of(text).hex());
}

StepRecord record_of(const KeyedGraph& keyed, const Vertex& vertex, const std::set<std::string>& args,
                     const Hider& hider) {
  StepRecord step{
      .id = vertex.digest.str(), .name = hider.apply(vertex.info.name), .kind = kind_of(vertex.op)};
  for (const Platform& platform : vertex.lanes) step.platforms.push_back(platform.str());
  step.key = keyed.keys.at(vertex.digest).str();
  if (const auto identity = keyed.identities.find(vertex.digest); identity != keyed.identities.end()) {
    step.parts.push_back({.name = "content", .value = hider.apply(identity->second), .hidden = false});
  } else {
    step.parts = step_parts(vertex.op, args, hider);
    step.no_cache = vertex.info.ignore_cache && !std::holds_alternative<SourceOp>(vertex.op.what);
  }
  return step;
}

}  // namespace

void hide_variables(const Graph& graph, const std::map<std::string, std::string>& args, Hider& hider) {
  for (const auto& [name, value] : args) hider.add_variable(name, value);
  for (const Vertex& vertex : graph.vertices())
    if (const ExecOp* exec = std::get_if<ExecOp>(&vertex.op.what))
      for (const std::string& variable : exec->env)
        if (const std::size_t equals = variable.find('='); equals != std::string::npos)
          hider.add_variable(std::string_view(variable).substr(0, equals), variable.substr(equals + 1));
}

std::vector<StepRecord> step_records(const KeyedGraph& keyed, ContextReads reads, Hider& hider) {
  hide_variables(keyed.graph, keyed.args, hider);
  std::set<std::string> args;
  for (const auto& [name, value] : keyed.args) args.insert(name);
  std::vector<StepRecord> steps;
  std::unordered_map<std::string, std::size_t> index_of;
  for (const Vertex& vertex : keyed.graph.vertices()) {
    StepRecord step = record_of(keyed, vertex, args, hider);
    for (const Input& input : vertex.op.inputs) {
      const std::size_t index = index_of.at(input.vertex.str());
      if (steps[index].kind != "context") step.inputs.push_back(index);
    }
    if (auto read = reads.extract(step.id)) step.reads = std::move(read.mapped());
    index_of.emplace(step.id, steps.size());
    steps.push_back(std::move(step));
  }
  return steps;
}

ContextRead context_read(const std::string& context, const CopyAction& copy, const SelectionList& list,
                         const Hider& hider) {
  return {.context = context,
          .source = hider.apply(copy.src),
          .digest = list.digest.str(),
          .manifest = manifest_name(list)};
}

std::string manifest_text(const std::vector<SelectedEntry>& entries) {
  constexpr std::string_view kSha256 = "sha256:";
  std::string text;
  for (const SelectedEntry& entry : entries) {
    // A link's target is digested: it may hold blanks.
    const std::string digest = entry.content.empty()                ? ""
                               : entry.content.starts_with(kSha256) ? entry.content
                                                                    : Digest::of(entry.content).str();
    text += manifest_line(entry.path.empty() ? "." : entry.path, entry.mode,
                          digest.empty() ? "" : digest.substr(kSha256.size()));
  }
  return text;
}

}  // namespace slipway
