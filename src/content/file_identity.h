#pragma once
// What stat(2) says of a file, as a sign of whether its bytes are those that were read before.
#include <sys/stat.h>

#include "content/store.h"

namespace slipway {

FileDigests::Identity identity_of(const struct stat& status);

/// False of a file that was written a moment ago: it could be written again without its times changing, as
/// clocks of file systems are coarse.
bool is_settled(const FileDigests::Identity& identity);

/// What the file systems' clock says, in nanoseconds: it goes in steps of some milliseconds.
std::int64_t file_clock_ns();

/// Whether a file that had this identity when file_clock_ns() said `since`, or later, may have been written
/// after that and have it still.
bool may_change_unseen(const FileDigests::Identity& identity, std::int64_t since);

}  // namespace slipway
