#pragma once
// What every kind of sandbox does alike before a step starts.
#include <string>
#include <string_view>
#include <vector>

#include "base/rooted.h"
#include "runtime/sandbox.h"
#include "runtime/users.h"

namespace slipway {

/// `path` is `directory` or in it; both absolute.
bool is_below(std::string_view path, std::string_view directory);

/// The step's variables with its secret ones, and HOME if it has none.
std::vector<std::string> step_environment(const SandboxSpec& spec, const ResolvedUser& user);

/// Throws HostError for what only namespaces give a step: a network of its own, and mounts that end with it.
/// `tier` is the isolation without them.
void refuse_what_needs_namespaces(const SandboxSpec& spec, Isolation tier);

/// Makes the step's working directory if an earlier step removed it and no mount brings it: whoever runs the
/// step must be able to work there. Throws InvalidInput for one that is none.
void ensure_working_directory(const SandboxSpec& spec, const RootedDir& root, const ResolvedUser& user);

/// The step's program as execvp(3) finds it: absolute within the root as it is now, in which mounts are not
/// to be seen unless they are there. Nothing if it is not there, or is none of this root's.
struct StepProgram {
  std::string path;   ///< empty: not found
  bool found = true;  ///< something of that name is there
};
StepProgram find_step_program(const SandboxSpec& spec, const RootedDir& root);

}  // namespace slipway
