#include "build/outputs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace slipway {
namespace {

TEST(Output, OciGoesToATarOrADirectory) {
  const OutputSpec tar = parse_output("type=oci,dest=out.tar");
  EXPECT_EQ(tar.type, OutputSpec::Type::Oci);
  EXPECT_EQ(tar.dest, "out.tar");
  EXPECT_TRUE(tar.tar);
  EXPECT_FALSE(parse_output("type=oci,dest=out,tar=false").tar);
}

TEST(Output, RegistryIsAnImageThatIsPushed) {
  EXPECT_TRUE(parse_output("type=registry").push);
  EXPECT_FALSE(parse_output("type=image").push);
  EXPECT_TRUE(parse_output("type=image,push=true").push);
}

TEST(Output, QuotedNameHoldsSeveral) {
  const OutputSpec output = parse_output(R"(type=image,"name=a:1,b:2",push=true)");
  ASSERT_EQ(output.names.size(), 2U);
  EXPECT_EQ(output.names[1].familiar(), "b:2");
}

TEST(Output, PathAloneIsADirectoryOfFiles) {
  const OutputSpec output = parse_output("out");
  EXPECT_EQ(output.type, OutputSpec::Type::Local);
  EXPECT_EQ(output.dest, "out");
}

TEST(Output, CompressionAndTimestamps) {
  const OutputSpec output =
      parse_output("type=oci,dest=o,compression=zstd,compression-level=9,rewrite-timestamp=true");
  EXPECT_EQ(output.compression, Compression::Zstd);
  EXPECT_EQ(output.compression_level, 9);
  EXPECT_TRUE(output.rewrite_timestamp);
}

struct BadOutput {
  const char* name;
  const char* text;
  const char* says;
};
class OutputBad : public testing::TestWithParam<BadOutput> {};
TEST_P(OutputBad, IsRefusedWithTheReason) {
  try {
    parse_output(GetParam().text);
    FAIL() << "should have thrown";
  } catch (const UsageError& e) {
    EXPECT_THAT(e.what(), testing::HasSubstr(GetParam().says));
  }
}
INSTANTIATE_TEST_SUITE_P(
    Refused, OutputBad,
    testing::Values(BadOutput{"empty", "", "empty value"}, BadOutput{"no_type", "dest=x", "type= is missing"},
                    BadOutput{"misspelt_type", "type=imgae", "did you mean image?"},
                    BadOutput{"docker", "type=docker,dest=x", "not supported yet"},
                    BadOutput{"no_dest", "type=oci", "dest= is missing"},
                    BadOutput{"unknown_attribute", "type=image,pusch=true", "unknown attribute \"pusch\""},
                    BadOutput{"no_bool", "type=image,push=maybe", "neither true nor false"},
                    BadOutput{"unknown_compression", "type=image,compression=lzma", "unknown compression"},
                    BadOutput{"dest_of_image", "type=image,dest=x", "dest= goes with"},
                    BadOutput{"no_level", "type=image,compression-level=99", "no level"}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace slipway
