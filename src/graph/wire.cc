#include "graph/wire.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/message_lite.h>

namespace slipway {

int first_tree(int base, std::size_t inputs, const std::vector<int>& first) {
  if (base < 0 || static_cast<std::size_t>(base) < inputs) return base;
  const std::size_t action = static_cast<std::size_t>(base) - inputs;
  return action < first.size() ? first[action] : base;
}

int base_of(const FileAction& action) {
  return std::visit([](const auto& any) { return any.base; }, action);
}

// protobuf's maps have no order of their own; a digest needs one.
std::string serialise(const google::protobuf::MessageLite& message) {
  std::string bytes(message.ByteSizeLong(), '\0');
  google::protobuf::io::ArrayOutputStream stream(bytes.data(), static_cast<int>(bytes.size()));
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializeWithCachedSizes(&coded);
  return bytes;
}

}  // namespace slipway
