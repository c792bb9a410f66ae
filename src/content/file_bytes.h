#pragma once
// Small operations on open files and directories that packing, copying and digesting share. All throw
// SystemError.
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"

namespace slipway {

/// The names in a directory, without "." and "..", sorted by bytes.
std::vector<std::string> sorted_names(int directory, std::string_view shown);
/// The target of a symbolic link.
std::string link_target(int directory, const std::string& name, std::string_view shown);
/// Calls `use` with all bytes from here to the end, in blocks. Returns how many there were. Throws Cancelled.
std::uint64_t read_blocks(int fd, std::string_view shown, const std::stop_token& stop,
                          const std::function<void(std::string_view)>& use);
/// Copies all bytes of one file to another, sharing them where the file system can (FICLONE), within the
/// kernel otherwise. Throws Cancelled.
void copy_bytes(int from, int to, std::uint64_t size, std::string_view shown, const std::stop_token& stop);

/// openat(2) with O_CLOEXEC and O_NOFOLLOW.
UniqueFd open_at(int directory, const std::string& name, int flags, std::string_view shown);

}  // namespace slipway
