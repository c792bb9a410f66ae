#include "dockerfile/stage_state.h"

namespace slipway::dockerfile {
namespace {

/// What an item takes beside its text: its string, its place in a container, the allocator's own share.
constexpr std::size_t kItem = 64;

std::size_t list_weight(const std::vector<std::string>& items) {
  std::size_t out = 0;
  for (const std::string& item : items) out += kItem + item.size();
  return out;
}

}  // namespace

std::size_t StageState::weight() const {
  const RuntimeConfig& run = config.config;
  std::size_t out = sizeof(StageState);
  for (const History& entry : config.history)
    out += sizeof(History) + entry.created.size() + entry.created_by.size() + entry.comment.size() +
           entry.author.size();
  for (const auto& [name, value] : run.labels) out += 2 * kItem + name.size() + value.size();
  out += list_weight(run.exposed_ports) + list_weight(run.env) + list_weight(run.volumes) +
         list_weight(run.shell) + list_weight(run.on_build);
  if (run.entrypoint) out += list_weight(*run.entrypoint);
  if (run.cmd) out += list_weight(*run.cmd);
  if (run.healthcheck) out += list_weight(run.healthcheck->test);
  out += config.diff_ids.size() * (sizeof(Digest) + kItem);
  // Lists that also know their names keep those twice.
  out += env.entries().size() * 4 * kItem + 2 * env.bytes();
  out += args.entries().size() * 4 * kItem + 2 * args.bytes();
  return out;
}

}  // namespace slipway::dockerfile
