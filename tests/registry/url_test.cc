#include "registry/url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace slipway {
namespace {

TEST(Url, PartsAreNormalised) {
  const Url url = parse_url("HTTPS://Registry.Example/v2/?a=b");
  EXPECT_EQ(url.origin(), "https://registry.example:443");
  EXPECT_TRUE(same_origin("http://h", "http://H:80/x"));
  EXPECT_FALSE(same_origin("http://h", "https://h"));
  EXPECT_FALSE(same_origin("http://h", "http://h:81"));
  EXPECT_EQ(parse_url("http://[::1]:5000/").host_port(), "[::1]:5000");
}

struct LocationCase {
  const char* name;
  const char* location;
  const char* expected;
};
class ResolveLocation : public testing::TestWithParam<LocationCase> {};

TEST_P(ResolveLocation, SeenFromTheRequest) {
  EXPECT_EQ(resolve_location("http://h:5000/v2/a/blobs/uploads/?mount=x", GetParam().location), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Forms, ResolveLocation,
    testing::Values(LocationCase{"absolute", "http://o/x?s=a%2Bb", "http://o/x?s=a%2Bb"},
                    LocationCase{"path", "/v2/a/blobs/uploads/1?_state=q", "http://h:5000/v2/a/blobs/uploads/1?_state=q"},
                    LocationCase{"relative", "1?q=2", "http://h:5000/v2/a/blobs/uploads/1?q=2"},
                    LocationCase{"other_host", "//o:1/x", "http://o:1/x"}),
    [](const auto& row) { return std::string(row.param.name); });

class BadLocation : public testing::TestWithParam<const char*> {};

TEST_P(BadLocation, IsRefused) {
  EXPECT_THROW(resolve_location("https://h/v2/", GetParam()), TransportError);
}

INSTANTIATE_TEST_SUITE_P(Forms, BadLocation,
                         testing::Values("", "file:///etc/passwd", "ftp://h/x", "http://h/downgrade",
                                         "https://user:pass@h/x", "https://h:99999/"));

TEST(Url, QueryIsAppended) {
  EXPECT_EQ(with_query("http://h/x", "digest", "sha256:a"), "http://h/x?digest=sha256%3Aa");
  EXPECT_EQ(with_query("http://h/x?_state=1", "d", "a b"), "http://h/x?_state=1&d=a%20b");
  EXPECT_EQ(without_query("http://h/x?secret=1"), "http://h/x");
}

}  // namespace
}  // namespace slipway
