// Whatever an operation says, its bytes say too, and nothing else.
#include <gtest/gtest.h>

#include "base/error.h"
#include "graph/codec.h"
#include "graph/random_ops.h"

namespace slipway {
namespace {

TEST(CodecProperty, AnyOperationSurvivesTheWayThereByteForByte) {
  for (unsigned seed = 0; seed < 5000; ++seed) {
    SCOPED_TRACE(seed);
    const Op op = testing_support::RandomOps(seed).op();
    const std::string bytes = encode_op(op);
    const Op back = decode_op(bytes);
    ASSERT_TRUE(back.what == op.what);
    ASSERT_EQ(back.inputs, op.inputs);
    ASSERT_EQ(back.platform, op.platform);
    ASSERT_EQ(back.constraints, op.constraints);
    ASSERT_EQ(encode_op(back), bytes);
  }
}

TEST(CodecProperty, DamagedBytesAreRefusedOrAnOperationOfTheirOwn) {
  for (unsigned seed = 0; seed < 2000; ++seed) {
    SCOPED_TRACE(seed);
    std::string bytes = encode_op(testing_support::RandomOps(seed).op());
    std::mt19937 random(seed);
    for (int i = 0; i < 3 && !bytes.empty(); ++i)
      bytes[random() % bytes.size()] = static_cast<char>(random() % 256);
    try {
      const Op op = decode_op(bytes);
      EXPECT_EQ(encode_op(decode_op(encode_op(op))), encode_op(op));
    } catch (const InvalidInput&) {
    }
  }
}

}  // namespace
}  // namespace slipway
