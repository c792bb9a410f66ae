#pragma once
// What a Dockerfile offers, for people who did not write it: the targets it has, and what one of them takes.
#include <string>
#include <vector>

#include "dockerfile/lower.h"

namespace slipway::dockerfile {

/// Lines of the instruction that something comes from.
struct LineRange {
  int first = 0, last = 0;
};

struct TargetEntry {
  std::string name, description;  ///< both may be empty
  bool is_default = false;
  std::string base, platform;  ///< as written
  LineRange lines;
};
std::vector<TargetEntry> list_targets(const Dockerfile& file);

struct OutlineArg {
  std::string name, description, value;
  LineRange lines;
};
/// A secret, an ssh agent or a cache mount.
struct OutlineMount {
  std::string id;
  bool required = false;
  LineRange lines;
};
struct Outline {
  std::string name, description;  ///< of the target
  std::vector<OutlineArg> args;   ///< all lists by line, each name once
  std::vector<OutlineMount> secrets, ssh, caches;
};

/// `lowered` is what lower() made of `file` with `options`. ARGs that slipway sets itself (TARGETPLATFORM)
/// are not listed.
Outline outline_of(const Dockerfile& file, const LowerOptions& options, const Lowered& lowered);

}  // namespace slipway::dockerfile
