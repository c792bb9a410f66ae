#pragma once
// A graph with one result as BuildKit's clients and servers hand it on: a pb.Definition. The ops are what
// digests are of; names, source maps and the wish to ignore the cache travel beside them.
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.h"

namespace slipway {

/// A text that instructions come from: what SourceLocation::file names.
struct SourceText {
  std::string name, text;
  std::string language;         ///< "Dockerfile"
  std::string definition = {};  ///< as a pb.Definition, where a received text said that it is from
  bool operator==(const SourceText&) const = default;
};

struct Definition {
  Graph graph;  ///< of no lane
  Digest result;
  int result_index = 0;  ///< which output of it
  std::vector<SourceText> sources;
};

/// Everything `result` needs, ending in the op without a body that points at it. Places in texts that are not
/// among `sources` are left out; of a graph that was received `sources` are those that came with it.
std::string encode_definition(const Graph& graph, const Input& result,
                              const std::vector<SourceText>& sources);

/// Throws InvalidInput that names the operation: bytes that are no definition, an operation that slipway does
/// not know, an input that is not there or comes later (so there are no cycles), more than a hundred thousand
/// operations or 64 MiB.
Definition decode_definition(std::string_view bytes);

}  // namespace slipway
