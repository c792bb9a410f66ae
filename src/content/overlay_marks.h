#pragma once
// Deletions as a snapshot's directory keeps them: as overlayfs does where it can (kernel docs,
// filesystems/overlayfs.rst), so that both kinds of trees (tree_mode.h) are made of the same directories.
#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <string_view>

namespace slipway {

/// True if overlayfs must keep its attributes in user.*: trusted.* is for CAP_SYS_ADMIN in the initial user
/// namespace, which root of a container need not have.
bool overlay_uses_user_xattr();

/// True for the mark of a deleted name: a 0/0 character device, or what stands for it (make_whiteout).
bool is_whiteout(const struct stat& status);
/// Marks a name as deleted. overlayfs itself lets nobody make 0/0 devices in its mounts, so where the store
/// is on one (a container's own root), the mark is a socket without permissions and of time 0; sockets are in
/// no layer. Throws SystemError.
void make_whiteout(int directory, const std::string& name, std::string_view shown);

/// The attribute that makes a directory opaque here.
const char* opaque_attribute();
/// Whether a directory has it. That of processes with other rights is not looked for: Store::open keeps them
/// apart, and a step may have made overlayfs trees of its own.
bool is_opaque(const std::filesystem::path& directory);
/// The same of an open one.
bool has_opaque_mark(int directory);
/// Hides what lower directories have in this open one. Throws SystemError, HostError if the file system keeps
/// no such attributes.
void make_opaque(int directory, std::string_view shown);

}  // namespace slipway
