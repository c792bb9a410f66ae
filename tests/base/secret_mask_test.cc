#include "base/secret_mask.h"

#include <gtest/gtest.h>

namespace slipway {
namespace {

SecretMask mask_of(std::initializer_list<const char*> values) {
  SecretMask mask;
  for (const char* value : values) mask.add(Secret(value));
  return mask;
}

/// The text in pieces of that many bytes.
std::string streamed(const SecretMask& mask, std::string_view text, std::size_t piece) {
  MaskedStream stream(mask);
  std::string shown;
  for (std::size_t at = 0; at < text.size(); at += piece) shown += stream.add(text.substr(at, piece));
  return shown += stream.finish();
}

TEST(SecretMask, ValueIsHiddenWhereverItIs) {
  EXPECT_EQ(mask_of({"sesame"}).apply("open sesame, sesamesesame!"), "open ***, ******!");
}
TEST(SecretMask, TextWithoutSecretsIsAsItWas) {
  const std::string text("se ses sesam same \0 \xff\n", 22);
  EXPECT_EQ(mask_of({"sesame"}).apply(text), text);
  EXPECT_EQ(mask_of({}).apply(text), text);
}
TEST(SecretMask, ShortValuesAreLeftAlone) { EXPECT_EQ(mask_of({"abc", "1"}).apply("abc 1"), "abc 1"); }
TEST(SecretMask, BlanksAroundAValueAreNoPartOfIt) {
  EXPECT_EQ(mask_of({"  token\n"}).apply("<token>"), "<***>");
}
TEST(SecretMask, LinesOfAValueAreHiddenOneByOne) {
  const SecretMask mask = mask_of({"-----BEGIN KEY-----\r\nc2VjcmV0\n  bGluZQ==\nab\n"});
  EXPECT_EQ(mask.apply("> c2VjcmV0 <\n> bGluZQ== <\n> ab <"), "> *** <\n> *** <\n> ab <");
}
TEST(SecretMask, WholeValueOfShortLinesIsHidden) {
  EXPECT_EQ(mask_of({"ab\ncd\n"}).apply("ab\ncd\nef"), "***\nef");
}
TEST(SecretMask, LongerOfTwoIsHiddenWhole) {
  EXPECT_EQ(mask_of({"abcd", "abcdefgh"}).apply("abcdefgh abcdefg"), "*** ***efg");
}
TEST(SecretMask, OverlappingSecretsAreBothHidden) {
  EXPECT_EQ(mask_of({"abcdef", "defghi"}).apply("xabcdefghiy"), "x***y");
}
TEST(SecretMask, HowTheTextIsCutIsNoMatter) {
  const SecretMask mask = mask_of({"abcd", "abcdefgh", "defghi", "secret\nlines here", "aaaa"});
  const std::string text = "abcdefghi abcabcd secret aaaaa lines here abcdefg abc";
  const std::string whole = mask.apply(text);
  EXPECT_EQ(whole, "*** abc*** *** *** *** ***efg abc");
  for (std::size_t piece = 1; piece < text.size(); ++piece)
    EXPECT_EQ(streamed(mask, text, piece), whole) << piece;
}
TEST(SecretMask, WhatCannotBeASecretIsShownAtOnce) {
  const SecretMask mask = mask_of({"sesame"});
  MaskedStream stream(mask);
  EXPECT_EQ(stream.add("progress 10%"), "progress 10%");
  EXPECT_EQ(stream.add(" ses"), " ");
  EXPECT_EQ(stream.add("sion"), "session");
}

}  // namespace
}  // namespace slipway
