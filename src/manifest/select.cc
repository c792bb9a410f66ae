#include "manifest/media_types.h"
#include "manifest/oci.h"

namespace slipway {
namespace {

// BuildKit marks attestation manifests so; their platform is unknown/unknown.
constexpr std::string_view kReferenceType = "vnd.docker.reference.type";

bool is_candidate(const Descriptor& entry) {
  if (!entry.platform || entry.annotations.contains(std::string(kReferenceType))) return false;
  if (entry.platform->os() == "unknown" || entry.platform->architecture() == "unknown") return false;
  return media_type::is_manifest(entry.media_type) || media_type::is_index(entry.media_type);
}

}  // namespace

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
