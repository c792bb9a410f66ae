#pragma once
// From one build to what is said of it: facts of the request, of what was read and of how each platform's
// steps ran, as provenance (provenance.h), and that in the places where the outputs have it.
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "build/attestations.h"
#include "build/build_inputs.h"
#include "build/build_request.h"
#include "build/build_run.h"
#include "dockerfile/lower.h"

namespace slipway {

/// RFC 3339, of now.
std::string time_now();

/// Of the build that its arguments are of, which must outlive it. Not thread-safe.
class BuildProvenance {
 public:
  /// `invocation` names the build. Steps' sources have been resolved.
  BuildProvenance(const BuildRequest& request, const dockerfile::Lowered& lowered, BuildInputs& inputs,
                  std::string invocation, std::string started);

  /// After all steps, before anything is published: the time at which it is called is the build's end.
  void finish();

  /// One manifest a platform, in the store, for the index of an image of these names; none unless
  /// --provenance asks.
  std::vector<Descriptor> attestations(Store& store, const std::vector<LaneEnd>& lanes,
                                       const std::vector<ImageRef>& names) const;
  /// Beside the trees of type=local a file each, if --provenance asks: about their files, as there.
  void write_files(Store& store, const std::vector<LaneEnd>& lanes, const std::filesystem::path& directory,
                   std::stop_token stop) const;
  /// What the metadata has of a platform: a predicate; empty if it has none.
  std::string for_metadata(std::size_t lane, const LaneEnd& end) const;

 private:
  ProvenanceFacts facts(std::size_t lane, const LaneEnd& end, ProvenanceMode mode) const;
  std::string predicate(std::size_t lane, const LaneEnd& end, const ProvenanceOptions& options) const;
  std::map<std::string, std::string> arguments() const;
  void add_request(ProvenanceFacts& facts) const;
  void add_twins(ProvenanceFacts& facts) const;
  void add_vertex(const Vertex& vertex, ProvenanceFacts& facts) const;
  void add_source(const Vertex& vertex, const SourceOp& source, ProvenanceFacts& facts) const;

  const BuildRequest& request_;
  const dockerfile::Lowered& lowered_;
  BuildInputs& inputs_;
  const std::string invocation_, started_;
  std::string finished_;
  SecretMask hidden_;
};

}  // namespace slipway
