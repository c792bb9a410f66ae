#pragma once
// Finding the Dockerfile and the ignore file that belongs to it.
#include <filesystem>
#include <string>
#include <vector>

namespace slipway {

struct DockerfileFile {
  std::string name;  ///< for messages, without its directory
  std::string text;
  std::vector<std::string> ignore_patterns;  ///< of NAME.dockerignore beside it, else of the context
};

/// Of a context on this machine. `file` is as -f gave it: relative to the working directory or else to the
/// context, and possibly outside of it; empty: "Dockerfile", or "dockerfile", in the context. Throws
/// UsageError with a near name as the hint.
DockerfileFile find_dockerfile(const std::filesystem::path& context, const std::filesystem::path& file);

/// Of a tree that came from elsewhere: `file` is within it, and no link in it leads out. `shown` is what
/// messages call the tree.
DockerfileFile find_dockerfile_within(const std::filesystem::path& tree, const std::filesystem::path& file,
                                      const std::string& shown);

/// The patterns of a context's own .dockerignore. Here and above, InvalidInput names the file and line of what is
/// no pattern, or says that the file is too large.
std::vector<std::string> context_ignore_patterns(const std::filesystem::path& context);
std::vector<std::string> ignore_patterns_within(const std::filesystem::path& tree);

}  // namespace slipway
