#pragma once
// Whether what a twin rests on is as it was when the twin was found: the part of slipway-exec's answer that makes no
// system calls. `is_same(guard, path)` looks at what is at `path` now.
#include "accel/exec/loader_cache.h"
#include "accel/exec/table_reader.h"

namespace slipway::twin_file {

/// The files themselves. False also if the table is damaged.
template <class IsSame>
bool files_are_same(const Table& table, const Entry& entry, IsSame is_same) {
  const Guard* guards;
  if (!table.find(entry.guards, guards)) return false;
  for (std::uint32_t i = 0; i < entry.guards.count; ++i) {
    const char* path = table.text(guards[i].path);
    if (path == nullptr || !is_same(guards[i], path)) return false;
  }
  return true;
}

/// Would the target's loader find all libraries where they were verified, by a cache that has changed since?
template <class IsSame>
bool cache_agrees(const Table& table, const Entry& entry, const LoaderCache& cache, IsSame is_same) {
  const Guard* guards;
  if (!cache.is_valid() || !table.find(entry.guards, guards)) return false;
  for (std::uint32_t i = 0; i < entry.guards.count; ++i) {
    const char* library = table.text(guards[i].library);
    if (library == nullptr) return false;
    if (*library == 0) continue;
    if (!cache.each_place_of(library, [&](const char* place) { return is_same(guards[i], place); })) return false;
  }
  return true;
}

}  // namespace slipway::twin_file
