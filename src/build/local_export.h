#pragma once
// type=local: the files of the result in a directory, one below OS_ARCH each if there are several platforms.
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "build/assemble.h"
#include "content/store.h"

namespace slipway {

/// Where in the directory the tree of one of so many platforms goes: "/", "/linux_arm64/".
std::string tree_directory(const AssembledImage& image, std::size_t platforms);

/// Copies the merged trees; owners become the caller's, as files on disk are. Throws SystemError.
void export_trees(Store& store, const std::vector<AssembledImage>& images,
                  const std::filesystem::path& directory, std::stop_token stop);

}  // namespace slipway
