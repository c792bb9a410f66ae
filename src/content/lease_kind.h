#pragma once

namespace slipway {

/// What a process can hold so that nobody prunes it, and what sizes are recorded of. The numbers are in the
/// database. A CacheMount is never leased: it has locks of its own.
enum class LeaseKind {
  Snapshot = 1,
  Blob = 2,
  Emulators = 3,
  Log = 4,
  GitRepository = 5,
  HttpRecord = 6,
  CacheMount = 7,
};

}  // namespace slipway
