#include "base/digest.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace slipway {
namespace {

TEST(Digest, OfBytesIsTheirSha256) {
  // FIPS 180-2's example message.
  EXPECT_EQ(Digest::of("abc").str(),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Digest, StreamingGivesTheSameAsAtOnce) {
  Sha256 hash;
  hash.update("a");
  hash.update("bc");
  EXPECT_EQ(hash.finish(), Digest::of("abc"));
}

struct BadDigest {
  const char* name;
  std::string text;
};
class DigestParse : public testing::TestWithParam<BadDigest> {};
TEST_P(DigestParse, RefusesWhatIsNoDigest) {
  EXPECT_THROW(Digest::parse(GetParam().text), InvalidInput);
  EXPECT_FALSE(Digest::is_valid(GetParam().text));
}
INSTANTIATE_TEST_SUITE_P(Bad, DigestParse,
                         testing::Values(BadDigest{"empty", ""},
                                         BadDigest{"no_algorithm", std::string(64, 'a')},
                                         BadDigest{"other_algorithm", "sha512:" + std::string(64, 'a')},
                                         BadDigest{"short_hex", "sha256:" + std::string(63, 'a')},
                                         BadDigest{"upper_case", "sha256:" + std::string(64, 'A')},
                                         BadDigest{"path_in_it", "sha256:../" + std::string(61, 'a')}),
                         [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace slipway
