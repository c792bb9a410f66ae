#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "manifest/oci.h"

namespace slipway {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::string kA = "sha256:" + std::string(64, 'a');

ImageConfig full_config() {
  ImageConfig config{.platform = Platform::parse("linux/arm/v6")};
  config.created = "2024-05-01T12:00:00Z";
  config.author = "me";
  config.config.user = "1000:1000";
  config.config.exposed_ports = {"80/tcp", "443/tcp"};
  config.config.env = {"B=1", "A=2"};
  config.config.entrypoint = {"/bin/x"};
  config.config.cmd = {"-v"};
  config.config.volumes = {"/data"};
  config.config.working_dir = "/w";
  config.config.labels = {{"z", "1"}, {"a", "<&>"}};
  config.config.stop_signal = "SIGINT";
  config.config.healthcheck = HealthCheck{.test = {"CMD", "true"}, .interval_ns = 30, .timeout_ns = 4,
                                          .start_period_ns = 5, .start_interval_ns = 6, .retries = 3};
  config.config.shell = {"/bin/sh", "-c"};
  config.config.on_build = {"RUN x"};
  config.diff_ids = {Digest::parse(kA)};
  config.history = {{.created = "2024-05-01T12:00:00Z", .created_by = "COPY", .comment = "c", .author = "h"},
                    {.created_by = "ENV", .empty_layer = true}};
  return config;
}

TEST(ImageConfig, WritingIsExact) {
  EXPECT_EQ(
      to_json(full_config()),
      R"({"created":"2024-05-01T12:00:00Z","author":"me","architecture":"arm","os":"linux","variant":"v6",)"
      R"("config":{"User":"1000:1000","ExposedPorts":{"443/tcp":{},"80/tcp":{}},"Env":["B=1","A=2"],)"
      R"("Entrypoint":["/bin/x"],"Cmd":["-v"],"Volumes":{"/data":{}},"WorkingDir":"/w",)"
      R"("Labels":{"a":"<&>","z":"1"},"StopSignal":"SIGINT","Healthcheck":{"Test":["CMD","true"],"Interval":30,)"
      R"("Timeout":4,"StartPeriod":5,"StartInterval":6,"Retries":3},"Shell":["/bin/sh","-c"],"OnBuild":["RUN x"]},)"
      R"("rootfs":{"type":"layers","diff_ids":[")" + kA + R"("]},"history":[{"created":"2024-05-01T12:00:00Z",)"
      R"("created_by":"COPY","author":"h","comment":"c"},{"created_by":"ENV","empty_layer":true}]})");
}

TEST(ImageConfig, ReadsBackWhatItWrote) {
  ImageConfig config = full_config();
  const Parsed<ImageConfig> back = parse_image_config(to_json(config));
  config.config.exposed_ports = {"443/tcp", "80/tcp"};
  EXPECT_EQ(back.value.config, config.config);
  EXPECT_EQ(back.value.history, config.history);
  EXPECT_EQ(back.value.diff_ids, config.diff_ids);
  EXPECT_EQ(back.value.platform, config.platform);
  EXPECT_EQ(to_json(back.value), back.raw);
}

TEST(ImageConfig, InlineCacheIsWrittenAndDoesNotComeBackWithTheConfig) {
  ImageConfig config = full_config();
  config.inline_cache = R"([{"digest":"x"}])";
  const std::string text = to_json(config);
  EXPECT_THAT(text, HasSubstr(R"("moby.buildkit.cache.v0":"W3siZGlnZXN0IjoieCJ9XQ==")"));
  EXPECT_EQ(inline_cache_of(text), config.inline_cache);
  EXPECT_EQ(parse_image_config(text).value.inline_cache, "") << "an image on top of this one is another";
  EXPECT_EQ(inline_cache_of(to_json(full_config())), "");
}

TEST(ImageConfig, EmptyOneStillHasRootfs) {
  EXPECT_EQ(to_json(ImageConfig{.platform = Platform::parse("linux/amd64")}),
            R"({"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[]}})");
}

TEST(ImageConfig, NullsOfGoAreEmpty) {
  const auto parsed = parse_image_config(
      R"({"architecture":"amd64","os":"linux","config":{"Env":null,"Cmd":null,"Volumes":null,"Labels":null,
          "ExposedPorts":null,"Entrypoint":null},"rootfs":{"type":"layers","diff_ids":null},"history":null})");
  EXPECT_FALSE(parsed.value.config.cmd);
  EXPECT_FALSE(parsed.value.config.entrypoint);
  EXPECT_TRUE(parsed.value.diff_ids.empty());
}

TEST(ImageConfig, EmptyEntrypointDiffersFromNone) {
  const auto parsed = parse_image_config(R"({"architecture":"amd64","os":"linux","config":{"Entrypoint":[]}})");
  ASSERT_TRUE(parsed.value.config.entrypoint);
  EXPECT_THAT(*parsed.value.config.entrypoint, ElementsAre());
}

TEST(ImageConfig, VariantIsNormalised) {
  EXPECT_EQ(parse_image_config(R"({"architecture":"arm64","os":"linux","variant":"v8"})").value.platform,
            Platform::parse("linux/arm64"));
}

struct BadConfig {
  const char* name;
  const char* raw;
  const char* says;
};
class ImageConfigRefuse : public testing::TestWithParam<BadConfig> {};

TEST_P(ImageConfigRefuse, SaysWhere) {
  try {
    parse_image_config(GetParam().raw);
    FAIL() << "accepted";
  } catch (const InvalidInput& error) {
    EXPECT_THAT(error.what(), HasSubstr(GetParam().says));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Documents, ImageConfigRefuse,
    testing::Values(
        BadConfig{"no_architecture", R"({"os":"linux"})", "$.architecture: missing"},
        BadConfig{"env_type", R"({"architecture":"a","os":"l","config":{"Env":"A=1"}})", "$.config.Env: expected an array"},
        BadConfig{"env_element", R"({"architecture":"a","os":"l","config":{"Env":["A",1]}})", "$.config.Env[1]"},
        BadConfig{"diff_id", R"({"architecture":"a","os":"l","rootfs":{"diff_ids":["x"]}})", "$.rootfs.diff_ids[0]"},
        BadConfig{"rootfs_type", R"({"architecture":"a","os":"l","rootfs":{"type":"x"}})", "$.rootfs"},
        BadConfig{"retries", R"({"architecture":"a","os":"l","config":{"Healthcheck":{"Retries":99999999999}}})", "Retries"},
        BadConfig{"history", R"({"architecture":"a","os":"l","history":[{"empty_layer":"no"}]})",
                  "$.history[0].empty_layer"}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(Rfc3339, FormatsUtc) {
  EXPECT_EQ(rfc3339(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(rfc3339(1714564800), "2024-05-01T12:00:00Z");
  EXPECT_EQ(rfc3339(951827696), "2000-02-29T12:34:56Z");
  EXPECT_EQ(rfc3339(-1), "1969-12-31T23:59:59Z");
  EXPECT_EQ(rfc3339(4102444799), "2099-12-31T23:59:59Z");
}

TEST(Rfc3339, FractionHasNoTrailingZeros) {
  EXPECT_EQ(rfc3339(0, 500'000'000), "1970-01-01T00:00:00.5Z");
  EXPECT_EQ(rfc3339(0, 1), "1970-01-01T00:00:00.000000001Z");
}

}  // namespace
}  // namespace slipway
