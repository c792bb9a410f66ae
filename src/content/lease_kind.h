#pragma once

namespace slipway {

/// What a process can hold so that nobody prunes it. The numbers are in the database.
enum class LeaseKind { Snapshot = 1, Blob = 2, Emulators = 3, Log = 4 };

}  // namespace slipway
