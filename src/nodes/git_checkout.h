#pragma once
// The tree of a commit, taken out of a bare repository that has it. Internal to git_source.
#include <filesystem>
#include <stop_token>

#include "nodes/git_source.h"

namespace slipway {

struct GitCheckout {
  const GitCommand& git;
  const GitUrl& url;
  const GitVersion& version;
  std::filesystem::path repository;  ///< bare
  std::filesystem::path scratch;     ///< empty, on the file system of `target`
  std::filesystem::path target;      ///< empty; gets the tree
  const GitLog& log;
};

/// Throws InvalidInput if there is no such directory in the commit, and as GitCommand does.
void check_out_tree(const GitCheckout& checkout, const std::stop_token& stop);

}  // namespace slipway
