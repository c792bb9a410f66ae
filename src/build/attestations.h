#pragma once
// What is asked of attestations (buildx's --provenance and --attest) and how images carry them: BuildKit's
// manifests beside those of the platforms (docs/attestations/attestation-storage.md there). What they say is
// provenance.h's.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "build/provenance.h"
#include "content/store.h"
#include "manifest/oci.h"

namespace slipway {

struct ProvenanceRequest {
  enum class Attach {
    NotAsked,  ///< no output has any; the metadata does
    Asked,
    Refused,  ///< neither has
  };
  Attach attach = Attach::NotAsked;
  ProvenanceOptions options;
  std::string filename = "provenance.json";  ///< of type=local
  bool inline_only = false;                  ///< type=local gets none
  /// How much of it the metadata has; nothing: none.
  std::optional<ProvenanceMode> metadata = ProvenanceMode::Min;

  bool is_attached() const { return attach == Attach::Asked; }
};

/// `attests` are the values of --attest in order, `provenance` and `sbom` those of the flags of that name,
/// which are short for one of them ("true" without a value, empty: not given). The metadata's part is left
/// alone. Throws UsageError that names the bad part.
ProvenanceRequest parse_attestations(const std::vector<std::string>& attests, const std::string& provenance,
                                     const std::string& sbom);
/// BUILDX_METADATA_PROVENANCE: min, max or disabled; empty is min. Throws UsageError.
std::optional<ProvenanceMode> parse_metadata_provenance(std::string_view text);

/// A manifest with one statement about `image`, both put in the store as blobs; the descriptor is as an index
/// has it, of no platform and with BuildKit's marks.
Descriptor put_attestation(Store& store, const Descriptor& image, ProvenanceVersion version,
                           const std::string& statement);

}  // namespace slipway
