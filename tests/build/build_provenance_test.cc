#include "build/build_provenance.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "base/strings.h"
#include "build/image_fixture.h"
#include "support/fake_registry.h"
#include "support/fake_sandbox.h"
#include "support/no_credentials.h"
#include "support/recording_progress.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using Attach = ProvenanceRequest::Attach;
using Json = nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// Whole builds of two platforms from a context of this machine, to where the request says.
class BuildsProvenance : public testing_support::StoreTest {
 protected:
  BuildsProvenance() {
    fs::create_directories(request_.context / "tree");
    write("Dockerfile", "FROM scratch\nARG KEY\nCOPY tree /\n");
    write("tree/hello", "text");
    request_.platforms = {Platform::parse("linux/amd64"), Platform::parse("linux/arm64")};
  }
  // Whoever may mount may also give files to root, as COPY does.
  void SetUp() override { SLIPWAY_NEEDS_MOUNTS(); }
  void write(const std::string& name, const std::string& text) {
    testing_support::write_text(request_.context / name, text);
  }
  void ask(ProvenanceMode mode) {
    request_.provenance.attach = Attach::Asked;
    request_.provenance.options.mode = mode;
  }
  void output(const std::string& text) { request_.outputs = {parse_output(text)}; }
  BuildResult build() {
    BuildEnvironment environment{.store = *store_,
                                 .registry = client_,
                                 .executor = executor_,
                                 .progress = progress_,
                                 .sandbox = [this]() -> Sandbox& { return sandbox_; },
                                 .emulators = {.binfmt_directory = "/nonexistent"},
                                 .log_tail = {}};
    return run_build(request_, environment, {});
  }
  std::vector<Descriptor> entries(const Descriptor& index) {
    return parse_index(store_->blobs().read(index.digest)).value.manifests;
  }
  std::string statement(const Descriptor& attestation) {
    return store_->blobs().read(
        parse_manifest(store_->blobs().read(attestation.digest)).value.layers.at(0).digest);
  }

  testing_support::FakeRegistry registry_;
  std::unique_ptr<Store> store_ = open();
  RegistryClient client_{{.attempts = 2, .first_delay_seconds = 0.001},
                         std::make_shared<testing_support::NoCredentials>(),
                         logger_};
  InlineExecutor executor_;
  testing_support::RecordingProgress progress_;
  testing_support::FakeSandbox sandbox_;
  BuildRequest request_{.context = directory_.path() / "context"};
  const fs::path out_ = directory_.path() / "out";
};

TEST_F(BuildsProvenance, ForTheMetadataAloneUnlessAskedToAttachIt) {
  const BuildResult result = build();
  EXPECT_EQ(entries(*result.image).size(), 2U);
  for (const PlatformSummary& platform : result.platforms) {
    const Json json = Json::parse(platform.provenance);
    EXPECT_EQ(json["runDetails"]["metadata"][kSlipwayExtension]["platform"], platform.platform.str());
    EXPECT_FALSE(json["buildDefinition"]["internalParameters"].contains("buildConfig"));
  }
}

TEST_F(BuildsProvenance, NowhereIfRefused) {
  request_.provenance.attach = Attach::Refused;
  for (const PlatformSummary& platform : build().platforms) EXPECT_THAT(platform.provenance, IsEmpty());
}

TEST_F(BuildsProvenance, AlsoOfABuildWithoutAnImage) {
  output("type=cacheonly");
  ask(ProvenanceMode::Max);
  const BuildResult result = build();
  EXPECT_THAT(result.platforms.at(1).provenance, HasSubstr("finishedOn"));
  EXPECT_FALSE(result.image);
}

TEST_F(BuildsProvenance, StandsBehindThePlatformsWhoseDigestsStay) {
  const std::vector<Descriptor> before = entries(*build().image);
  ask(ProvenanceMode::Max);
  request_.tags = {ImageRef::parse("app:1")};
  const std::vector<Descriptor> after = entries(*build().image);
  ASSERT_EQ(after.size(), 4U);
  EXPECT_THAT(before, ElementsAre(after[0], after[1]));
  for (std::size_t i = 0; i < 2; ++i) {
    const Json json = Json::parse(statement(after[i + 2]));
    EXPECT_EQ(after[i + 2].annotations.at(kReferenceDigest), before[i].digest.str());
    EXPECT_EQ(json["subject"][0]["name"], image_purl(request_.tags[0], *before[i].platform));
    EXPECT_EQ(json["subject"][0]["digest"]["sha256"], before[i].digest.hex());
    EXPECT_EQ(json["predicate"]["runDetails"]["metadata"][kSlipwayExtension]["platform"],
              before[i].platform->str());
  }
}

TEST_F(BuildsProvenance, MakesAnIndexOfOnePlatform) {
  request_.platforms.resize(1, Platform::parse("linux/amd64"));
  ask(ProvenanceMode::Min);
  const BuildResult result = build();
  EXPECT_EQ(entries(*result.image).size(), 2U);
  EXPECT_EQ(Json::parse(statement(entries(*result.image)[1]))["subject"][0]["name"], "_");
}

TEST_F(BuildsProvenance, IsInTheRegistryBeforeTheTagMoves) {
  request_.tags = {ImageRef::parse(registry_.host() + "/app:1")};
  output("type=image,push=true");
  ask(ProvenanceMode::Min);
  const BuildResult result = build();
  std::vector<std::string> put;
  for (const auto& request : registry_.requests())
    if (request.method == "PUT" && request.target.find("/manifests/") != std::string::npos)
      put.push_back(request.target.substr(request.target.rfind('/') + 1));
  const std::vector<Descriptor> manifests = entries(*result.image);
  EXPECT_THAT(put,
              ElementsAre(manifests[0].digest.str(), manifests[1].digest.str(), manifests[2].digest.str(),
                          manifests[3].digest.str(), result.image->digest.str(), "1"));
}

TEST_F(BuildsProvenance, FailedUploadOfItMovesNoTag) {
  request_.tags = {ImageRef::parse(registry_.host() + "/app:1")};
  output("type=image,push=true");
  ask(ProvenanceMode::Min);
  registry_.script("PUT", "/manifests/", {}, 2);  // the platforms' own
  registry_.script("PUT", "/manifests/", {.status = 400}, 1);
  EXPECT_THROW(build(), Error);
  EXPECT_FALSE(registry_.manifest("app", "1"));
  EXPECT_THAT(store_->images().list(), IsEmpty());
}

TEST_F(BuildsProvenance, IsAFileBesideTheFilesItIsAbout) {
  output("type=local,dest=" + out_.string());
  ask(ProvenanceMode::Max);
  build();
  for (const char* platform : {"linux_amd64", "linux_arm64"}) {
    const Json json = Json::parse(read_file(out_ / platform / "provenance.json"));
    EXPECT_EQ(json["subject"],
              Json::array({{{"name", "hello"}, {"digest", {{"sha256", Digest::of("text").hex()}}}}}));
  }
}

TEST_F(BuildsProvenance, InlineOnlyIsInNoDirectory) {
  output("type=local,dest=" + out_.string());
  ask(ProvenanceMode::Max);
  request_.provenance.inline_only = true;
  build();
  EXPECT_FALSE(fs::exists(out_ / "linux_amd64" / "provenance.json"));
}

TEST_F(BuildsProvenance, FollowsNoLinkThatTheBuildMadeOfItsFile) {
  const fs::path outside = directory_.path() / "outside";
  fs::create_symlink(outside, request_.context / "tree" / "provenance.json");
  request_.platforms.resize(1, Platform::parse("linux/amd64"));
  output("type=local,dest=" + out_.string());
  ask(ProvenanceMode::Max);
  build();
  EXPECT_FALSE(fs::exists(outside));
  EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(out_ / "provenance.json")));
}

TEST_F(BuildsProvenance, HoldsArgumentsAndNoValueOfASecret) {
  request_.secrets.emplace("token", Secret("s3cr3t-word"));
  request_.build_args = {
      {"KEY", "shown"}, {"CARELESS", "s3cr3t-word"}, {"http_proxy", "http://proxy.inside:81"}};
  write("Dockerfile", "FROM scratch\nARG KEY\n# s3cr3t-word\nCOPY <<EOF /f\ns3cr3t-word\nEOF\n");
  ask(ProvenanceMode::Max);
  const BuildResult result = build();
  const std::string max = statement(entries(*result.image)[2]);
  EXPECT_THAT(max, HasSubstr(R"("build-arg:KEY":"shown")"));
  EXPECT_THAT(max, HasSubstr("build-arg:CARELESS"));
  EXPECT_THAT(max, Not(HasSubstr("proxy.inside"))) << "steps get it without an ARG; no image has it";
  const Json json = Json::parse(max)["predicate"]["runDetails"]["metadata"]["buildkit_metadata"];
  EXPECT_THAT(base64_decode(json["source"]["infos"][0]["data"].get<std::string>()),
              testing::AllOf(HasSubstr("ARG KEY"), Not(HasSubstr("s3cr3t-word"))));
  EXPECT_THAT(max, Not(HasSubstr("s3cr3t-word")));
  EXPECT_THAT(result.platforms.at(0).provenance, Not(HasSubstr("shown")));
}

TEST_F(BuildsProvenance, NamesNoPathOfThisMachine) {
  request_.named_contexts = {{"other", (directory_.path() / "context").string()}};
  write("Dockerfile", "FROM scratch\nCOPY --from=other tree /\n");
  ask(ProvenanceMode::Max);
  const std::string text = statement(entries(*build().image)[2]);
  EXPECT_THAT(text, Not(HasSubstr(directory_.path().string())));
  EXPECT_THAT(text, HasSubstr(R"("context:other":"local:other")"));
  EXPECT_THAT(text, HasSubstr(R"("locals":[{"name":"context:other"},{"name":"dockerfile"}])"));
}

}  // namespace
}  // namespace slipway
