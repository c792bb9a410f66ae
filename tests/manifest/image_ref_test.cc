#include "manifest/image_ref.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace slipway {
namespace {

using testing::HasSubstr;

const std::string kHex(64, 'a');

struct RefCase {
  const char* name;
  std::string input, whole, familiar;
};
class ImageRefNormalise : public testing::TestWithParam<RefCase> {};

TEST_P(ImageRefNormalise, AsDockerDoes) {
  const ImageRef ref = ImageRef::parse(GetParam().input);
  EXPECT_EQ(ref.str(), GetParam().whole);
  EXPECT_EQ(ref.familiar(), GetParam().familiar);
}

TEST_P(ImageRefNormalise, PrintedFormsParseToTheSame) {
  const ImageRef ref = ImageRef::parse(GetParam().input);
  EXPECT_EQ(ImageRef::parse(ref.str()), ref);
  EXPECT_EQ(ImageRef::parse(ref.familiar()), ref);
}

INSTANTIATE_TEST_SUITE_P(
    Forms, ImageRefNormalise,
    testing::Values(
        RefCase{"official", "alpine", "docker.io/library/alpine:latest", "alpine:latest"},
        RefCase{"official_tag", "alpine:3.20", "docker.io/library/alpine:3.20", "alpine:3.20"},
        RefCase{"hub_user", "team/app", "docker.io/team/app:latest", "team/app:latest"},
        RefCase{"hub_spelled_out", "docker.io/alpine", "docker.io/library/alpine:latest", "alpine:latest"},
        RefCase{"hub_old_name", "index.docker.io/library/alpine", "docker.io/library/alpine:latest", "alpine:latest"},
        RefCase{"library_deeper", "library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"},
        RefCase{"dotted_host", "ghcr.io/a/b:1", "ghcr.io/a/b:1", "ghcr.io/a/b:1"},
        RefCase{"port", "127.0.0.1:5000/x", "127.0.0.1:5000/x:latest", "127.0.0.1:5000/x:latest"},
        RefCase{"localhost", "localhost/x", "localhost/x:latest", "localhost/x:latest"},
        RefCase{"upper_case_host", "REG/x", "REG/x:latest", "REG/x:latest"},
        RefCase{"ipv6", "[::1]:5000/x:t", "[::1]:5000/x:t", "[::1]:5000/x:t"},
        RefCase{"ipv6_no_port", "[2001:db8::1]/x", "[2001:db8::1]/x:latest", "[2001:db8::1]/x:latest"},
        RefCase{"digest", "alpine@sha256:" + kHex, "docker.io/library/alpine@sha256:" + kHex, "alpine@sha256:" + kHex},
        RefCase{"tag_and_digest", "a/b:t@sha256:" + kHex, "docker.io/a/b:t@sha256:" + kHex, "a/b:t@sha256:" + kHex},
        RefCase{"separators", "a.b/c__d/e--f_g", "a.b/c__d/e--f_g:latest", "a.b/c__d/e--f_g:latest"},
        RefCase{"hub_part_like_a_host", "docker.io/foo.bar/x", "docker.io/foo.bar/x:latest",
                "docker.io/foo.bar/x:latest"},
        RefCase{"tag_forms", "x:_A.b-C", "docker.io/library/x:_A.b-C", "x:_A.b-C"}),
    [](const auto& row) { return std::string(row.param.name); });

struct BadCase {
  const char* name;
  std::string input, says;
};
class ImageRefRefuse : public testing::TestWithParam<BadCase> {};

TEST_P(ImageRefRefuse, SaysWhatIsWrong) {
  try {
    ImageRef::parse(GetParam().input);
    FAIL() << "accepted";
  } catch (const InvalidInput& error) {
    EXPECT_THAT(error.what(), HasSubstr(GetParam().says));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Forms, ImageRefRefuse,
    testing::Values(BadCase{"empty", "", "empty"}, BadCase{"upper_case", "Alpine", "lower case"},
                    BadCase{"upper_case_path", "ghcr.io/Team/app", "lower case"},
                    BadCase{"empty_tag", "alpine:", "tag is empty"}, BadCase{"bad_tag", "alpine:-x", "not a valid tag"},
                    BadCase{"long_tag", "alpine:" + std::string(129, 'a'), "longer than 128"},
                    BadCase{"bad_port", "host.example:70000/x", "not a port"},
                    BadCase{"word_port", "host.example:http/x", "not a port"},
                    BadCase{"no_repository", "host.example/", "empty"}, BadCase{"empty_part", "a//b", "empty part"},
                    BadCase{"scheme", "https://ghcr.io/a", "no scheme"},
                    BadCase{"bad_digest", "alpine@sha256:12", "64 hex"},
                    BadCase{"other_digest", "alpine@sha512:" + kHex, "sha256"},
                    BadCase{"id", kHex, "image's id"}, BadCase{"three_underscores", "a___b", "not a valid part"},
                    BadCase{"leading_dash", "-a", "not a valid part"}, BadCase{"dots", "a..b", "not a valid part"},
                    BadCase{"space", "a b", "not a valid part"}, BadCase{"bad_host", "-x.example/a", "host name"},
                    BadCase{"newline_in_host", "a\n.example/x", "host name"},
                    BadCase{"bad_ipv6", "[zz::1]/x", "host name"}, BadCase{"open_bracket", "[::1/x", "not a"},
                    BadCase{"long_name", std::string(256, 'a'), "longer than 255"}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(ImageRef, DigestDecidesWhatIsResolved) {
  const ImageRef ref = ImageRef::parse("alpine:3.20@sha256:" + kHex);
  EXPECT_EQ(ref.tag(), "3.20");
  EXPECT_EQ(ref.identifier(), "sha256:" + kHex);
  EXPECT_EQ(ref.name(), "docker.io/library/alpine");
}

TEST(ImageRef, WithDigestKeepsTheTag) {
  const ImageRef ref = ImageRef::parse("alpine:3.20").with_digest(Digest::parse("sha256:" + kHex));
  EXPECT_EQ(ref.str(), "docker.io/library/alpine:3.20@sha256:" + kHex);
}

TEST(ImageRef, DigestWithoutTagHasNoTag) {
  EXPECT_EQ(ImageRef::parse("alpine@sha256:" + kHex).tag(), "");
}


}  // namespace
}  // namespace slipway
