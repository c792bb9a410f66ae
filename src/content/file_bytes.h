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
struct FileExtent {
  std::uint64_t begin = 0, end = 0;
};
/// The first stretch of data at or after `position`; at the end of the file (and empty) if only a hole
/// follows.
FileExtent next_data(int fd, std::uint64_t position, std::string_view shown);
/// Copies `size` bytes of one file to another that is empty; one that is shorter by now is filled up with zeros. Shares them
/// where the file system can (FICLONE), copies within the kernel otherwise. Holes stay holes. Throws Cancelled.
void copy_bytes(int from, int to, std::uint64_t size, std::string_view shown, const std::stop_token& stop);

/// pwrite(2) of all bytes.
void write_at(int fd, std::uint64_t offset, std::string_view bytes, std::string_view shown);

/// openat(2) with O_CLOEXEC and O_NOFOLLOW.
UniqueFd open_at(int directory, const std::string& name, int flags, std::string_view shown);

}  // namespace slipway
