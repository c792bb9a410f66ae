#pragma once
// A little space that the store keeps for the time when its disk is full: to forget what is in a database
// takes room, so without it a pruning could not begin.
#include <filesystem>

namespace slipway {

/// Makes ROOT/spare if it is not there and there is room for it. What goes wrong is left for the next time.
void keep_spare_space(const std::filesystem::path& root) noexcept;

/// For those who are about to free more: gives it up if the disk is full. The next open makes it anew.
void use_spare_space(const std::filesystem::path& root) noexcept;

}  // namespace slipway
