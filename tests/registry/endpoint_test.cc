#include "registry/endpoint.h"

#include <gtest/gtest.h>

namespace slipway {
namespace {

TEST(Endpoints, HubHasAnotherAddress) {
  EXPECT_EQ(Endpoints({}).base_url("docker.io"), "https://registry-1.docker.io");
}

TEST(Endpoints, LoopbackSpeaksPlainHttp) {
  const Endpoints none({});
  EXPECT_EQ(none.base_url("localhost:5000"), "http://localhost:5000");
  EXPECT_EQ(none.base_url("127.3.2.1"), "http://127.3.2.1");
  EXPECT_EQ(none.base_url("[::1]:5000"), "http://[::1]:5000");
  EXPECT_EQ(none.base_url("registry.example"), "https://registry.example");
}

TEST(Endpoints, NamesThatLookLikeLoopbackAreNot) {
  EXPECT_FALSE(is_loopback("127.0.0.1.example.com"));
  EXPECT_FALSE(is_loopback("localhost.example.com"));
  EXPECT_FALSE(is_loopback("1.127.0.0"));
  EXPECT_FALSE(is_loopback("127.1.example"));
}

TEST(Endpoints, UserNamesPlainHosts) {
  const Endpoints some({"registry.lan", "Other.lan:5000"});
  EXPECT_TRUE(some.plain_http("registry.lan:8080"));
  EXPECT_TRUE(some.plain_http("other.lan:5000"));
  EXPECT_FALSE(some.plain_http("other.lan"));
}

}  // namespace
}  // namespace slipway
