#include "build/provenance.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "base/strings.h"

namespace slipway {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kCommit = "sha1:0123456789012345678901234567890123456789";

ProvenanceFacts facts() {
  const Platform arm64 = Platform::parse("linux/arm64");
  return {.frontend = "dockerfile.v0",
          .file = "Dockerfile",
          .args = {{"build-arg:KEY", "value"}, {"label:l", "m"}, {"target", "app"}},
          .locals = {"context", "dockerfile"},
          .secrets = {{"token", true}, {"key", false}},
          .materials = {{"pkg:docker/alpine@3?platform=linux%2Farm64", Digest::of("base").str()},
                        {"https://example.com/x.git#main", kCommit}},
          .network = true,
          .builder = Platform::parse("linux/amd64"),
          .invocation = "abc",
          .started = "2026-01-01T00:00:00Z",
          .finished = "2026-01-01T00:00:09Z",
          .platform = arm64,
          .mode = "accelerated: qemu-aarch64 7.2, 1 twin",
          .isolation = "oci",
          .twins = {
              {.program = "/bin/cat", .package = "coreutils", .version = "9", .source = "base", .count = 7}}};
}

Json predicate(const ProvenanceFacts& of, const ProvenanceOptions& options = {}) {
  return Json::parse(provenance_predicate(of, options, {}));
}

constexpr ProvenanceMode kMin = ProvenanceMode::Min;
constexpr ProvenanceMode kMax = ProvenanceMode::Max;

TEST(Provenance, HasNoLoginsOfUrls) {
  ProvenanceFacts of = facts();
  of.args["build-arg:URL"] = "https://joe:word@host/";
  of.sources = {{.name = "Dockerfile", .text = "RUN curl https://joe:word@host/", .language = "Dockerfile"}};
  const Json json = predicate(of, {.builder_id = "https://joe:word@ci/"});
  EXPECT_EQ(json["buildDefinition"]["externalParameters"]["request"]["args"]["build-arg:URL"],
            "https://***@host/");
  EXPECT_EQ(json["runDetails"]["builder"]["id"], "https://***@ci/");
  EXPECT_THAT(json.dump(), Not(HasSubstr("word")));
  EXPECT_THAT(json.dump(), Not(HasSubstr("am9lOndvcmQ")));  // in base64
}

TEST(Provenance, HasTheKeysOfBuildKit) {
  const Json json = predicate(facts());
  const Json& definition = json["buildDefinition"];
  EXPECT_THAT(definition["buildType"], HasSubstr("slsa-definitions.md"));
  EXPECT_EQ(definition["externalParameters"]["configSource"], Json({{"path", "Dockerfile"}}));
  EXPECT_EQ(definition["externalParameters"]["request"]["frontend"], "dockerfile.v0");
  EXPECT_EQ(definition["externalParameters"]["request"]["args"]["build-arg:KEY"], "value");
  EXPECT_EQ(definition["externalParameters"]["request"]["locals"][1]["name"], "dockerfile");
  EXPECT_EQ(definition["internalParameters"]["builderPlatform"], "linux/amd64");
  EXPECT_EQ(definition["resolvedDependencies"][0]["digest"]["sha256"], Digest::of("base").hex());
  EXPECT_EQ(definition["resolvedDependencies"][1]["digest"]["sha1"], std::string(kCommit).substr(5));
  const Json& metadata = json["runDetails"]["metadata"];
  EXPECT_EQ(json["runDetails"]["builder"]["id"], "");
  EXPECT_EQ(metadata["invocationId"], "abc");
  EXPECT_EQ(metadata["finishedOn"], "2026-01-01T00:00:09Z");
  EXPECT_EQ(metadata["buildkit_completeness"], Json({{"request", true}, {"resolvedDependencies", false}}));
  EXPECT_FALSE(metadata.contains("buildkit_hermetic"));
  EXPECT_FALSE(metadata.contains("buildkit_reproducible"));
}

TEST(Provenance, ListsTheTwinsThatRan) {
  const Json twins = Json::parse(
      R"([{"program":"/bin/cat","package":"coreutils","version":"9","source":"base","count":7}])");
  const Json expected = {{"platform", "linux/arm64"},
                         {"mode", "accelerated: qemu-aarch64 7.2, 1 twin"},
                         {"isolation", "oci"},
                         {"twins", twins}};
  EXPECT_EQ(predicate(facts(), {.mode = kMin})["runDetails"]["metadata"][kSlipwayExtension], expected);
  EXPECT_EQ(predicate(facts(), {.version = ProvenanceVersion::V02})["metadata"][kSlipwayExtension], expected);
}

TEST(Provenance, MinNamesNoArgumentLabelSecretOrStep) {
  ProvenanceFacts of = facts();
  of.sources = {{.name = "Dockerfile", .text = "FROM alpine", .language = "Dockerfile"}};
  const Json json = predicate(of, {.mode = kMin});
  const Json& request = json["buildDefinition"]["externalParameters"]["request"];
  EXPECT_EQ(request["args"], Json({{"target", "app"}}));
  EXPECT_FALSE(request.contains("secrets"));
  EXPECT_FALSE(json["buildDefinition"]["internalParameters"].contains("buildConfig"));
  EXPECT_EQ(json["runDetails"]["metadata"]["buildkit_metadata"], Json::object());
  EXPECT_EQ(json["runDetails"]["metadata"]["buildkit_completeness"]["request"], false);
}

TEST(Provenance, MinOfABuildWithoutArgumentsIsComplete) {
  ProvenanceFacts of = facts();
  of.args.clear();
  EXPECT_EQ(predicate(of, {.mode = kMin})["runDetails"]["metadata"]["buildkit_completeness"]["request"],
            true);
}

TEST(Provenance, MaxNamesSecretsAndNotTheirValues) {
  SecretMask hidden;
  hidden.add(Secret("s3cr3t"));
  ProvenanceFacts of = facts();
  of.args["build-arg:KEY"] = "x s3cr3t";
  of.sources = {{.name = "Dockerfile", .text = "RUN echo s3cr3t", .language = "Dockerfile"}};
  of.materials.push_back({"https://example.com/?key=s3cr3t", ""});
  of.source = of.materials.back();
  const std::string text = provenance_predicate(of, {.mode = kMax}, hidden);
  EXPECT_THAT(text, Not(HasSubstr("s3cr3t")));
  EXPECT_THAT(text, Not(HasSubstr(base64_encode("RUN echo s3cr3t"))));
  EXPECT_THAT(text, HasSubstr(R"("secrets":[{"id":"key"},{"id":"token","optional":true}])"));
}

TEST(Provenance, MaxHasStepsTheirPlacesAndTheDockerfile) {
  Graph graph;
  const Platform amd64 = Platform::parse("linux/amd64");
  const SourceLocation from{.file = "Dockerfile", .line = 1}, run{.file = "Dockerfile", .line = 2};
  const Digest base =
      graph.add({.what = SourceOp{.identifier = "docker-image://docker.io/library/a:1"}, .platform = amd64},
                {.name = "FROM a", .location = from}, amd64);
  const Digest step =
      graph.add({.inputs = {{base}},
                 .what = ExecOp{.args = {"make"}, .mounts = {{.input = 0, .dest = "/", .output = 0}}},
                 .platform = amd64},
                {.name = "RUN make", .location = run}, amd64);
  ProvenanceFacts of = facts();
  of.steps = {&graph.at(base), &graph.at(step)};
  of.layers = {{.media_type = "layer", .digest = Digest::of("l"), .size = 4}};
  of.sources = {{.name = "Dockerfile", .text = "FROM a\nRUN make\n", .language = "Dockerfile"}};
  const Json json = predicate(of);
  const Json& config = json["buildDefinition"]["internalParameters"]["buildConfig"];
  EXPECT_EQ(config["digestMapping"][step.str()], "step1");
  EXPECT_EQ(config["llbDefinition"].size(), 3U);
  EXPECT_EQ(config["llbDefinition"][1]["op"]["Op"]["exec"]["meta"]["args"], Json({"make"}));
  EXPECT_EQ(config["llbDefinition"][1]["inputs"], Json({"step0:0"}));
  EXPECT_EQ(config["llbDefinition"][2]["inputs"], Json({"step1:0"}));
  const Json& metadata = json["runDetails"]["metadata"]["buildkit_metadata"];
  EXPECT_EQ(metadata["source"]["infos"][0]["data"], base64_encode("FROM a\nRUN make\n"));
  EXPECT_EQ(metadata["source"]["locations"]["step1"]["locations"][0]["ranges"][0]["start"]["line"], 2);
  EXPECT_EQ(metadata["layers"]["step1:0"][0][0]["digest"], Digest::of("l").str());
}

TEST(Provenance, BuildOfRemoteThingsAloneWithoutANetworkIsHermetic) {
  ProvenanceFacts of = facts();
  of.locals.clear();
  of.network = false;
  of.source = of.materials.back();
  const Json json = predicate(of, {.reproducible = true});
  EXPECT_EQ(json["runDetails"]["metadata"]["buildkit_hermetic"], true);
  EXPECT_EQ(json["runDetails"]["metadata"]["buildkit_reproducible"], true);
  EXPECT_EQ(json["buildDefinition"]["externalParameters"]["configSource"]["uri"],
            "https://example.com/x.git#main");
}

TEST(Provenance, OldVersionSaysTheSameInItsOwnWords) {
  const Json json =
      predicate(facts(), {.mode = kMin, .version = ProvenanceVersion::V02, .builder_id = "https://ci/7"});
  EXPECT_EQ(json["builder"]["id"], "https://ci/7");
  EXPECT_EQ(json["buildType"], "https://mobyproject.org/buildkit@v1");
  EXPECT_EQ(json["invocation"]["configSource"]["entryPoint"], "Dockerfile");
  EXPECT_EQ(json["invocation"]["environment"]["platform"], "linux/amd64");
  EXPECT_EQ(json["materials"].size(), 2U);
  EXPECT_EQ(json["metadata"]["buildInvocationID"], "abc");
  EXPECT_EQ(json["metadata"]["completeness"],
            Json({{"parameters", false}, {"environment", true}, {"materials", false}}));
  EXPECT_TRUE(json["metadata"].contains("https://mobyproject.org/buildkit@v1#metadata"));
}

TEST(Provenance, StatementNamesItsSubjects) {
  const Json json = Json::parse(
      in_toto_statement(ProvenanceVersion::V1, {{.name = "a", .digest = Digest::of("a")}}, R"({"x":1})"));
  EXPECT_EQ(json["_type"], "https://in-toto.io/Statement/v1");
  EXPECT_EQ(json["predicateType"], "https://slsa.dev/provenance/v1");
  EXPECT_EQ(json["subject"][0], Json({{"name", "a"}, {"digest", {{"sha256", Digest::of("a").hex()}}}}));
  EXPECT_EQ(json["predicate"]["x"], 1);
}

TEST(Provenance, PurlsAreThoseOfBuildKit) {
  const Platform arm = Platform::parse("linux/arm/v7");
  const auto purl = [&](const char* name) { return image_purl(ImageRef::parse(name), arm); };
  EXPECT_EQ(purl("alpine"), "pkg:docker/alpine@latest?platform=linux%2Farm%2Fv7");
  EXPECT_EQ(purl("user/app:1"), "pkg:docker/user/app@1?platform=linux%2Farm%2Fv7");
  EXPECT_EQ(purl("127.0.0.1:5000/a/b:1"), "pkg:docker/127.0.0.1%3A5000/a/b@1?platform=linux%2Farm%2Fv7");
  EXPECT_EQ(purl("docker.io/foo.bar/a:1"), "pkg:docker/docker.io/foo.bar/a@1?platform=linux%2Farm%2Fv7");
  EXPECT_EQ(layout_purl(ImageRef::parse("oci-layout.invalid/a/b:1"), arm),
            "pkg:oci/a/b@1?platform=linux%2Farm%2Fv7");
  const std::string digest = Digest::of("x").str();
  EXPECT_EQ(image_purl(ImageRef::parse("a@" + digest), arm),
            "pkg:docker/a?digest=" + digest + "&platform=linux%2Farm%2Fv7");
}

}  // namespace
}  // namespace slipway
