#pragma once
// A little space that the store keeps for the time when its disk is full: to forget what is in a database
// takes room, so without it a pruning could not begin. And whether that time has come.
#include <filesystem>

namespace slipway {

/// Makes ROOT/spare if it is not there and there is room for it: 16 MiB, so that it is not what fills the
/// disk. What goes wrong is left for the next time.
void keep_spare_space(const std::filesystem::path& root) noexcept;

/// For those who are about to free more: gives it up if the disk is full. The next open, or
/// the end of a pruning, makes it anew if there is room.
void use_spare_space(const std::filesystem::path& root) noexcept;

/// Whether next to nothing can be written to the file system of the store, for want of space or inodes; false
/// if it does not tell.
bool is_disk_full(const std::filesystem::path& root) noexcept;

}  // namespace slipway
