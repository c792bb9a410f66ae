#pragma once
// What the parts of the codec share. Private to this module.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "graph/ops.h"

namespace google::protobuf {
class MessageLite;
}

namespace slipway {

/// In the wire form: no time is given.
inline constexpr std::int64_t kNoTimestamp = -1;
/// More than any graph that people make, and what protobuf can count.
inline constexpr std::size_t kMostWireBytes = std::size_t{256} << 20;

/// The tree that file actions began with, of which owners' names are: `base` if that is no earlier action's
/// result, else what that one began with. `first` has it for the earlier ones.
int first_tree(int base, std::size_t inputs, const std::vector<int>& first);
int base_of(const FileAction& action);

/// Equal messages give equal bytes.
std::string serialise(const google::protobuf::MessageLite& message);

}  // namespace slipway
