#pragma once
// A step whose result is known, as caches outside the store are told of it.
#include <memory>
#include <optional>
#include <string>

#include "base/digest.h"
#include "content/ids.h"
#include "graph/graph.h"

namespace slipway {

struct RemoteResult;

struct FinishedStep {
  const Vertex* vertex = nullptr;
  std::string description;  ///< its name, without secrets
  Digest key;
  std::optional<Digest> content;               ///< its other key; nothing if that is not known
  std::optional<Digest> tree;                  ///< what names its result's tree in content keys
  std::optional<SnapshotId> snapshot;          ///< in the store; else:
  std::shared_ptr<const RemoteResult> remote;  ///< in a cache
  std::string emulation = {};                  ///< how emulated steps in it were run
  bool in_image = false;                       ///< its layers are among those of a platform's image
  double seconds = 0;                          ///< that it took just now; 0: it did not run
};

}  // namespace slipway
