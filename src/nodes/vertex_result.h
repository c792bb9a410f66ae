#pragma once
// What running a vertex makes, and how the results of its inputs are named in an operation.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/digest.h"
#include "content/ids.h"
#include "nodes/emulation_marks.h"

namespace slipway {

struct RemoteResult;  // build/cache_import.h

/// A native twin (accel/twin.h) that ran in a step.
struct TwinUse {
  std::string program;           ///< the path of what it stood in for
  std::string package, version;  ///< that own it
  std::string source;            ///< where the twin is from
  std::uint64_t count = 0;       ///< how often it was executed
};

/// What a vertex makes: a snapshot (nothing for an empty image), or the local context that it stands for.
struct VertexResult {
  std::optional<SnapshotId> snapshot;
  std::string context;
  /// Where it is known to be instead, outside the store: nothing else is set then.
  std::shared_ptr<const RemoteResult> remote = {};
  std::vector<TwinUse> twins;  ///< that ran for it just now; none of what was known
  bool lasting = true;         ///< false: it is whole only as long as its inputs' snapshots are in the store
  std::uint64_t peak_memory = 0;  ///< bytes that running it needed at once; 0: not known, or not run
  EmulationMarks emulation = {};  ///< of it and all that it is made of; from a node: of it alone
  /// ResultRecords::name_in_caches(), in builds that take from caches.
  std::optional<Digest> name_in_caches = {};
};

/// The snapshot behind an input; nothing for an empty tree.
std::optional<SnapshotId> snapshot_of(int input, const std::vector<VertexResult>& inputs);

/// For the records of what is committed.
std::int64_t now_seconds();

}  // namespace slipway
