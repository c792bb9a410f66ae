#include "history/hider.h"

#include <gtest/gtest.h>

namespace slipway {
namespace {

TEST(Hider, HidesSecretsWhereverTheyStand) {
  Hider hider;
  hider.add(Secret("hunter22"));
  EXPECT_EQ(hider.apply("RUN login hunter22 now"), "RUN login *** now");
}

TEST(Hider, HidesVariablesThatAreSecretByName) {
  Hider hider;
  hider.add_variable("NPM_TOKEN", "abcdef");
  hider.add_variable("VERSION", "1.2.3");
  EXPECT_EQ(hider.apply("abcdef 1.2.3"), "*** 1.2.3");
}

TEST(Hider, HidesWhoAsksForAnAddress) {
  EXPECT_EQ(without_userinfo("https://me:w@rd@host/x git://host/a@b"), "https://***@host/x git://host/a@b");
  EXPECT_EQ(without_userinfo("no address, me@host"), "no address, me@host");
}

}  // namespace
}  // namespace slipway
