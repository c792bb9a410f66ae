#pragma once
// A directory that is somewhere else for a while, in a tree that others write to, and comes back even if
// whoever moved it is killed: DIRECTORY.moved, beside it, says where it is. Nothing here locks; one process
// at a time has to do with a directory.
#include <filesystem>
#include <string_view>

namespace slipway {

/// Before the move: `directory` is going to be at `place` in `root`, a path without links. Throws
/// SystemError.
void note_move(const std::filesystem::path& directory, const std::filesystem::path& root,
               std::string_view place);

/// After it came back.
void forget_move(const std::filesystem::path& directory) noexcept;

/// For one whose mover is dead: moves it back if it is still where it was put, the very same, and forgets the
/// move in any case. Returns whether it came back. Throws SystemError.
bool undo_move(const std::filesystem::path& directory);

}  // namespace slipway
