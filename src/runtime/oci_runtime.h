#pragma once
// The program that starts containers: crun, or runc. Found once, asked for its version, and told how to run a
// bundle; they differ in their command lines only.
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace slipway {

/// A value; immutable.
class OciRuntime {
 public:
  /// `name` is a program in PATH or a path; empty is crun. Throws HostError naming the package if it is not
  /// there, or saying what it is if it is neither.
  static OciRuntime find(const std::string& name);

  struct Run {
    std::filesystem::path bundle, state, log;
    std::string id;
  };
  /// The command that runs a bundle in the foreground and leaves nothing of it. Cgroups are ours to make.
  std::vector<std::string> run_command(const Run& run) const;
  /// That command's program is this descriptor, if not -1; a child needs it open.
  int descriptor() const { return copy_ ? copy_->get() : -1; }

  const std::string& name() const { return name_; }        ///< "crun"
  const std::string& version() const { return version_; }  ///< "1.8.1"

 private:
  OciRuntime(std::filesystem::path program, std::string name, std::string version);
  std::filesystem::path program_;
  std::shared_ptr<const UniqueFd> copy_;  ///< in memory; absent: the file itself is executed
  std::string name_, version_;
};

}  // namespace slipway
