#pragma once
// What a pruning removes: records in, a decision for each out. Pure, so that its rules can be tested without
// a store.
//
// Records go least recently used first, and none goes before those that need it (a snapshot needs its parent,
// an unpacked base layer the blob that it came from): what is needed counts as used when the last of those
// that need it was. A cap is hard: it outweighs the keep duration and counts everything in the store, also
// what cannot be removed. Only the reserved space outweighs a cap, and the keep duration where the limits say
// so: what may go at all is then only a part of the store, so it could not hold the cap anyway.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace slipway {

enum class KeepReason {
  InUse,            ///< a running build holds it
  Image,            ///< an image in the store is made of it
  SharedWithImage,  ///< an image's layer was made from it; goes with --all
  Internal,         ///< emulators; goes with --all
  Store,            ///< the store's own database and what builds have in the making
  NotMatched,       ///< the filters leave it out
  NeededBy,         ///< another record that is kept needs it
  Young,            ///< used within the keep duration
  WithinLimits,     ///< nothing asks for its space
};

struct GcRecord {
  std::uint64_t size = 0;
  std::int64_t last_used = 0;  ///< seconds since the epoch
  std::vector<std::size_t> needs;
  std::optional<KeepReason> fixed;  ///< it stays, whatever the limits say
};

/// Without any: everything that is not fixed goes.
struct GcLimits {
  std::optional<std::uint64_t> max_used;     ///< what the whole store may take
  std::optional<std::uint64_t> min_free;     ///< what must be free on its file system
  std::optional<std::uint64_t> reserved;     ///< nothing goes once the store takes no more than this
  std::optional<std::uint64_t> max_matched;  ///< what records that are not NotMatched may take
  std::optional<std::int64_t> keep_seconds;
  bool keep_is_firm = false;     ///< the keep duration outweighs the caps
  std::uint64_t free_space = 0;  ///< on the store's file system now
  std::int64_t now = 0;
};

struct Kept {
  KeepReason why = KeepReason::WithinLimits;
  std::optional<std::size_t> by;  ///< of NeededBy
};

struct GcPlan {
  std::vector<std::size_t> remove;        ///< in this order: nothing goes before what needs it
  std::vector<std::optional<Kept>> kept;  ///< for each record; nothing for one that goes
  std::uint64_t total = 0;                ///< before
  std::uint64_t after = 0;
  std::optional<std::uint64_t> cap;  ///< what a limit asks the total to be
  std::uint64_t matched_after = 0;   ///< what is left of what the filters match
};

/// What the limits ask a total to be, which may be less than they ask of it; nothing if they do not limit it.
std::optional<std::uint64_t> gc_target(const GcLimits& limits, std::uint64_t total);

/// `needs` must be free of cycles.
GcPlan plan_gc(const std::vector<GcRecord>& records, const GcLimits& limits);

}  // namespace slipway
