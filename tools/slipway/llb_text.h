#pragma once
// LLB definitions as people and scripts read them.
#include <string>
#include <vector>

#include "graph/definition.h"

namespace slipway {

/// Borrows what it shows.
struct PrintedDefinition {
  std::string platform;  ///< that it is for; empty: whatever its operations say
  const Graph* graph = nullptr;
  Input result;
  const std::vector<SourceText>* sources = nullptr;
};

/// {"definitions": [{"platform", "result", "operations": [{"digest", "name", "kind", "inputs", "platform",
/// "fields", "location"}], "sources"}]}. Values that are secret by name are
/// hidden, in the sources' text as well.
std::string definitions_json(const std::vector<PrintedDefinition>& printed);

}  // namespace slipway
