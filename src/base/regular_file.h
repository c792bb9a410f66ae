#pragma once
// Opening files of places that are ours alone, such as the store, where anything else than a regular file is
// a mistake: who opens a FIFO as a file waits for ever, and a signal does not end that. Not for files that
// people name: those may well be pipes.
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>

#include "base/unique_fd.h"

namespace slipway {

/// open(2) with O_CLOEXEC. Throws SystemError, and InvalidInput for what is no regular file.
UniqueFd open_regular_file(const std::filesystem::path& path, int flags, unsigned mode = 0);

/// All of its bytes. Throws as above, and InvalidInput beyond `limit`.
std::string read_regular_file(const std::filesystem::path& path, std::size_t limit = std::size_t{1} << 30);

/// Nothing if there is none, or something else in its place. Throws SystemError, and InvalidInput for over 1
/// GiB.
std::optional<std::string> read_regular_file_if_exists(const std::filesystem::path& path);

}  // namespace slipway
