#include "manifest/media_types.h"
#include "manifest/oci.h"

namespace slipway {
namespace {

bool is_candidate(const Descriptor& entry) {
  if (!entry.platform || is_attestation(entry)) return false;
  return media_type::is_manifest(entry.media_type) || media_type::is_index(entry.media_type);
}

}  // namespace

bool is_attestation(const Descriptor& entry) {
  if (entry.annotations.contains(kReferenceType)) return true;
  return entry.platform && (entry.platform->os() == "unknown" || entry.platform->architecture() == "unknown");
}

std::optional<Descriptor> select_platform(const Index& index, const Platform& wanted) {
  const Descriptor* best = nullptr;
  int best_rank = 0;
  for (const Descriptor& entry : index.manifests) {
    if (!is_candidate(entry)) continue;
    const std::optional<int> rank = match_rank(wanted, *entry.platform);
    if (rank && (!best || *rank < best_rank)) {
      best = &entry;
      best_rank = *rank;
    }
  }
  if (!best) return std::nullopt;
  return *best;
}

}  // namespace slipway
