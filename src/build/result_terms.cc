#include "build/result_terms.h"

#include "base/strings.h"

namespace slipway {

namespace {

using By = EmulationMark::By;

std::string refused_by_qemu(const EmulationMark& mark) {
  if (mark.by >= By::Emulator) return {};
  return mark.by == By::Twins
             ? "its result was made with native twins, which --emulation=qemu does not take"
             : "its result may have been made with native twins, which --emulation=qemu does not take";
}

std::string refused_by_verify(const EmulationMark& mark, const std::string& packs) {
  if (mark.by != By::Both) return "its result was not verified, as --emulation=verify asks for";
  return mark.packs == packs ? "" : "its result was verified with other toolchain packs";
}

}  // namespace

ResultTerms::ResultTerms(const Graph& graph, const LocalNode& node) : node_(node) {
  std::map<Platform, bool> emulates;
  for (const Vertex& vertex : graph.vertices()) {
    std::set<Platform> emulated;
    for (const Input& input : vertex.op.inputs)
      if (const auto below = emulated_.find(input.vertex); below != emulated_.end())
        emulated.insert(below->second.begin(), below->second.end());
    if (std::holds_alternative<ExecOp>(vertex.op.what) && vertex.op.platform) {
      const auto [known, is_new] = emulates.try_emplace(*vertex.op.platform, false);
      if (is_new) known->second = node.emulates(*vertex.op.platform);
      if (known->second) emulated.insert(*vertex.op.platform);
    }
    if (!emulated.empty()) emulated_.emplace(vertex.digest, std::move(emulated));
  }
}

EmulationMarks ResultTerms::marks_of(const Digest& vertex, std::string_view recorded) const {
  const auto emulated = emulated_.find(vertex);
  if (emulated == emulated_.end()) return {};
  if (auto marks = parse_emulation_marks(recorded); marks && !marks->empty()) return *std::move(marks);
  EmulationMarks unknown;
  for (const Platform& platform : emulated->second) unknown.emplace(platform, EmulationMark{});
  return unknown;
}

std::string ResultTerms::refusal(const Digest& vertex, const EmulationMarks& marks) const {
  const auto emulated = emulated_.find(vertex);
  if (emulated == emulated_.end()) return {};
  for (const Platform& platform : emulated->second) {
    const auto mark = marks.find(platform);
    if (mark == marks.end()) continue;
    std::string why;
    const EmulationPolicy policy = node_.emulation_policy(platform);
    if (policy == EmulationPolicy::Qemu) why = refused_by_qemu(mark->second);
    if (policy == EmulationPolicy::Verify) why = refused_by_verify(mark->second, node_.name_of_packs());
    if (!why.empty()) return why;
  }
  return {};
}

}  // namespace slipway
