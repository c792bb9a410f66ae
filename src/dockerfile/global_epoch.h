#pragma once
#include <cstdint>
#include <optional>

#include "dockerfile/build_args.h"

namespace slipway::dockerfile {

/// The time that `ARG SOURCE_DATE_EPOCH=…` before the first FROM gives the image, in seconds; nothing if
/// there is none, it is empty, or `--build-arg` gives it. "context" is the time of the context, which a
/// directory has not: the variable has no value then. Throws InvalidInput with the place for what is no
/// number.
std::optional<std::int64_t> take_global_epoch(const Dockerfile& file, const Program& program,
                                              const LowerOptions& options, ArgMap& globals);

}  // namespace slipway::dockerfile
