#include "build/hidden_text.h"

#include <gtest/gtest.h>

namespace slipway {
namespace {

std::string hidden(std::string_view text) { return hidden_text({}, text); }

TEST(HiddenText, HasNoUsersAndPasswordsOfUrls) {
  EXPECT_EQ(hidden("https://joe:word@host/path"), "https://***@host/path");
  EXPECT_EQ(hidden("git+ssh://git@host/x"), "git+ssh://***@host/x");
  EXPECT_EQ(hidden("http://e:p@ss@x"), "http://***@x");
}

TEST(HiddenText, FindsThemInTheMiddleOfOtherText) {
  EXPECT_EQ(hidden("FROM x\nADD http://us:pw@a/b /b\nRUN curl 'https://k:v@c' ftp://d:e@f\n"),
            "FROM x\nADD http://***@a/b /b\nRUN curl 'https://***@c' ftp://***@f\n");
}

TEST(HiddenText, LeavesEverythingElse) {
  for (const char* text : {"", "https://host/@scope/package", "mail joe@host", "https://host?to=a@b",
                           "a://b c@d", "npm i https://host/a @x/y", "://"})
    EXPECT_EQ(hidden(text), text);
}

TEST(HiddenText, HidesSecretsToo) {
  SecretMask secrets;
  secrets.add(Secret("word-of-mine"));
  EXPECT_EQ(hidden_text(secrets, "https://ci/word-of-mine?x=word-of-mine"), "https://ci/***?x=***");
}

}  // namespace
}  // namespace slipway
