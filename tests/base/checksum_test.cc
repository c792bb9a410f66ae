#include "base/checksum.h"

#include <gtest/gtest.h>

namespace slipway {
namespace {

TEST(Checksum, IsTheOneThatEverybodyComputes) {
  EXPECT_EQ(checksum_of(ChecksumKind::Md5, "abc").hex, "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(checksum_of(ChecksumKind::Sha1, "abc").hex, "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_NE(checksum_of(ChecksumKind::Md5, ""), checksum_of(ChecksumKind::Sha1, ""));
}

TEST(Hex, HasTwoLowerCaseDigitsAByte) { EXPECT_EQ(to_hex("\x01\xfe"), "01fe"); }

}  // namespace
}  // namespace slipway
