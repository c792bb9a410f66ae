#pragma once
// What a build says of where an image came from: SLSA's provenance in the form that BuildKit gives it
// (docs/attestations/slsa-definitions.md there), with slipway's own word on how the platform's steps ran.
// Pure: from plain data to JSON text. Not for what the data is of a build (build_provenance.h) nor for where
// it is put (attestations.h).
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret_mask.h"
#include "graph/definition.h"
#include "graph/graph.h"
#include "manifest/image_ref.h"
#include "manifest/oci.h"
#include "nodes/vertex_result.h"
#include "platforms/platform.h"

namespace slipway {

/// Min leaves out the values of build arguments and labels, the names of secrets, the Dockerfile and the
/// steps.
enum class ProvenanceMode { Min, Max };
/// Of SLSA's predicate.
enum class ProvenanceVersion { V02, V1 };

struct ProvenanceOptions {
  ProvenanceMode mode = ProvenanceMode::Max;
  ProvenanceVersion version = ProvenanceVersion::V1;
  std::string builder_id;
  bool reproducible = false;  ///< what the caller says of the build
};

/// Something from outside, as it was when the build read it.
struct Material {
  std::string uri;
  std::string digest;  ///< "sha256:…", "sha1:…" of a git commit; empty: not known
  bool operator==(const Material&) const = default;
};

/// One platform's part of a build.
struct ProvenanceFacts {
  // What was asked.
  std::string frontend;                     ///< "dockerfile.v0"; empty: a definition
  Material source;                          ///< the context, if it came from elsewhere
  std::string file;                         ///< the Dockerfile's name in it
  std::map<std::string, std::string> args;  ///< "build-arg:NAME", "label:KEY", "target", "context:NAME"…
  std::vector<std::string> locals;          ///< directories of this machine that were read, by name
  std::map<std::string, bool> secrets,
      ssh;  ///< that steps asked for, by id, and whether they could do without

  // What was read and how.
  std::vector<Material> materials;
  bool network = false;  ///< a step had one
  Platform builder;
  std::string invocation, started, finished;  ///< times are RFC 3339

  // How the platform's steps ran.
  Platform platform;
  std::string mode, isolation;
  std::vector<TwinUse> twins;
  EmulationMarks emulation = {};

  // For ProvenanceMode::Max. Vertices are borrowed, inputs first.
  std::vector<const Vertex*> steps;
  std::vector<Descriptor> layers;  ///< of the last step's result
  std::vector<SourceText> sources;
};

/// The key of what slipway adds, in the metadata of both versions: {"platform", "mode", "isolation",
/// "twins"}.
inline constexpr const char* kSlipwayExtension = "slipway_platform";

/// JSON, deterministic in what it is given. `hidden` is masked in every text that comes from the caller, the
/// Dockerfile or the steps.
std::string provenance_predicate(const ProvenanceFacts& facts, const ProvenanceOptions& options,
                                 const SecretMask& hidden);
/// "https://slsa.dev/provenance/v1".
std::string_view predicate_type(ProvenanceVersion version);

/// What a statement is about.
struct Subject {
  std::string name;
  Digest digest;
};
/// An in-toto statement around a predicate, on one line.
std::string in_toto_statement(ProvenanceVersion version, const std::vector<Subject>& subjects,
                              const std::string& predicate);

/// "pkg:docker/alpine@3.20?platform=linux%2Famd64".
std::string image_purl(const ImageRef& name, const Platform& platform);
/// The same of an image in an OCI layout of this machine: "pkg:oci/…", without a registry.
std::string layout_purl(const ImageRef& name, const Platform& platform);
/// [{"program", "package", "version", "source", "count"}].
std::string twins_json(const std::vector<TwinUse>& twins);
/// {"linux/arm64": "twins"}: word_of() each mark.
std::string emulation_json(const EmulationMarks& marks);

}  // namespace slipway
