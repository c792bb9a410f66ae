#include "slipway/source_secrets.h"

#include <gtest/gtest.h>

namespace slipway {
namespace {

std::string shown(const std::string& text, const std::string& language = "Dockerfile") {
  Hider hider;
  return without_secret_values({.name = "Dockerfile", .text = text, .language = language}, hider);
}

TEST(SourceSecrets, ValuesOfSecretNamesAreHiddenAndNothingElse) {
  EXPECT_EQ(shown("ARG TOKEN=one VERSION=2\n"
                  "FROM a\n"
                  "ENV PASSWORD=abc USER=me API_TOKEN='x y'\n"
                  "ENV SECRET old form\n"
                  "ARG KEY\n"
                  "RUN PASSWORD=x true\n"),
            "ARG TOKEN=*** VERSION=2\n"
            "FROM a\n"
            "ENV PASSWORD=*** USER=me API_TOKEN=***\n"
            "ENV SECRET ***\n"
            "ARG KEY\n"
            "RUN PASSWORD=x true\n");
}

TEST(SourceSecrets, ValuesOnFurtherLinesAreHiddenInTheirPlace) {
  EXPECT_EQ(shown("FROM a\n# a comment\nENV USER=me \\\n    PASSWORD=abc \\\n    TOKEN=de\\\nf\nRUN true\n"),
            "FROM a\n# a comment\nENV USER=me \\\n    PASSWORD=*** \\\n    TOKEN=***\\\n***\nRUN true\n");
}

TEST(SourceSecrets, TriggersHaveThemToo) {
  EXPECT_EQ(
      shown("FROM a\nONBUILD ENV USER=me PASSWORD=abc\nONBUILD ARG TOKEN=xy \\\n  KEY=z\nONBUILD RUN true\n"),
      "FROM a\nONBUILD ENV USER=me PASSWORD=***\nONBUILD ARG TOKEN=*** \\\n  KEY=***\nONBUILD RUN true\n");
}

TEST(SourceSecrets, TheHiderLearnsThem) {
  Hider hider;
  without_secret_values({.name = "f", .text = "FROM a\nENV PASSWORD=\"tiger\"\n", .language = "Dockerfile"},
                        hider);
  EXPECT_EQ(hider.apply("RUN echo tiger"), "RUN echo ***");
}

TEST(SourceSecrets, OtherLanguagesAndWhatIsNoDockerfileStay) {
  EXPECT_EQ(shown("ENV PASSWORD=abc\n", "go"), "ENV PASSWORD=abc\n");
  EXPECT_EQ(shown("ENV PASSWORD=abc\n"), "ENV PASSWORD=abc\n");
}

}  // namespace
}  // namespace slipway
