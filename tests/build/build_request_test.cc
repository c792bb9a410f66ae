#include "build/build_request.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/strings.h"
#include "build/image_fixture.h"
#include "support/fake_registry.h"
#include "support/fake_sandbox.h"
#include "support/no_credentials.h"
#include "support/recording_progress.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;
using testing_support::files_below;

class RunBuild : public testing_support::StoreTest {
 protected:
  RunBuild() {
    fs::create_directories(request_.context);
    write("hello", "text");
    dockerfile("FROM scratch\nARG TARGETARCH\nCOPY hello /hello-$TARGETARCH\n");
    for (const char* platform : {"linux/amd64", "linux/arm64"})
      request_.platforms.push_back(Platform::parse(platform));
  }
  // Whoever may mount may also give files to root, as COPY does.
  void SetUp() override { SLIPWAY_NEEDS_MOUNTS(); }
  void write(const std::string& name, const std::string& text) {
    testing_support::write_text(request_.context / name, text);
  }
  void dockerfile(const std::string& text) { write("Dockerfile", text); }
  void output(const std::string& text) { request_.outputs.push_back(parse_output(text)); }
  void tag(const std::string& name) { request_.tags.push_back(ImageRef::parse(name)); }
  std::string remote(const std::string& rest) const { return registry_.host() + "/" + rest; }

  BuildResult build() {
    BuildEnvironment environment{.store = *store_,
                                 .registry = client_,
                                 .executor = executor_,
                                 .progress = progress_,
                                 .sandbox = [this]() -> Sandbox& { return sandbox_; },
                                 .emulators = {.binfmt_directory = "/nonexistent"},
                                 .log_tail = {}};
    return run_build(request_, environment, stop_.get_token());
  }
  template <class E>
  std::string refusal() {
    try {
      build();
    } catch (const E& error) {
      return describe(error);
    } catch (const std::exception& other) {
      ADD_FAILURE() << "another error: " << other.what();
    }
    ADD_FAILURE() << "not refused";
    return {};
  }
  std::optional<Digest> named(const std::string& name) {
    const auto stored = store_->images().find(ImageRef::parse(name));
    if (!stored) return std::nullopt;
    return stored->descriptor.digest;
  }

  testing_support::FakeRegistry registry_;
  std::unique_ptr<Store> store_ = open();
  RegistryClient client_{{.attempts = 2, .first_delay_seconds = 0.001},
                         std::make_shared<testing_support::NoCredentials>(),
                         logger_};
  InlineExecutor executor_;
  testing_support::RecordingProgress progress_;
  testing_support::FakeSandbox sandbox_;
  std::stop_source stop_;
  BuildRequest request_{.context = directory_.path() / "context"};
  fs::path out_ = directory_.path() / "out";
};

TEST_F(RunBuild, TagsNameTheIndexInTheStore) {
  tag("app:1");
  tag("app:2");
  const BuildResult result = build();
  EXPECT_EQ(named("app:1"), result.image.value().digest);
  EXPECT_EQ(named("app:2"), result.image.value().digest);
  EXPECT_THAT(result.platforms, SizeIs(2));
  EXPECT_EQ(result.config, std::nullopt);
  EXPECT_EQ(registry_.connections(), 0U);
}

TEST_F(RunBuild, OnePlatformIsNamedByItsManifest) {
  request_.platforms.resize(1, Platform::parse("linux/amd64"));
  tag("app:1");
  const BuildResult result = build();
  EXPECT_EQ(result.image, result.platforms.at(0).manifest);
  EXPECT_TRUE(result.config);
}

TEST_F(RunBuild, CacheOnlyMakesNoImage) {
  tag("app:1");
  output("type=cacheonly");
  const BuildResult result = build();
  EXPECT_EQ(result.image, std::nullopt);
  EXPECT_THAT(result.platforms, SizeIs(2));
  EXPECT_EQ(named("app:1"), std::nullopt);
}

TEST_F(RunBuild, PushMovesTheTagsOfTheRegistryAndTheStore) {
  tag(remote("team/app:1"));
  output("type=image,push=true");
  const BuildResult result = build();
  EXPECT_EQ(Digest::of(registry_.manifest("team/app", "1").value()), result.image.value().digest);
  for (const PlatformSummary& platform : result.platforms)
    EXPECT_TRUE(registry_.manifest("team/app", platform.manifest.value().digest.str()));
  EXPECT_EQ(named(remote("team/app:1")), result.image.value().digest);
}

TEST_F(RunBuild, OnePlatformThatCannotBeUploadedTagsNothingAnywhere) {
  const BuildResult once = build();  // to learn a digest
  tag(remote("team/app:1"));
  output("type=image,push=true");
  registry_.script("PUT", concat("/manifests/", once.platforms.at(1).manifest.value().digest.str()),
                   {.status = 400}, 100);
  refusal<TransportError>();
  EXPECT_EQ(registry_.manifest("team/app", "1"), std::nullopt);
  EXPECT_EQ(named(remote("team/app:1")), std::nullopt);
}

TEST_F(RunBuild, StepThatFailsLeavesTheNameWhereItWas) {
  request_.platforms = {Platform::host()};
  dockerfile("FROM scratch\nRUN make\n");
  tag("app:1");
  build();
  const auto before = named("app:1");
  dockerfile("FROM scratch\nRUN fail\n");
  sandbox_.script("fail", {.exit_code = 1});
  EXPECT_THAT(refusal<BuildFailed>(), HasSubstr("Dockerfile:2"));
  EXPECT_EQ(named("app:1"), before);
}

TEST_F(RunBuild, NamesOfOneOutputAreNotThoseOfAnother) {
  output("type=image,name=in-the-store:1");
  output(concat("type=oci,name=in-the-layout:1,tar=false,dest=", out_.native()));
  build();
  EXPECT_TRUE(named("in-the-store:1"));
  EXPECT_FALSE(named("in-the-layout:1"));
  const std::string index = read_file(out_ / "index.json");
  EXPECT_THAT(index, HasSubstr("in-the-layout:1"));
  EXPECT_THAT(index, testing::Not(HasSubstr("in-the-store:1")));
}

TEST_F(RunBuild, OnlyOutputsThatPushArePushed) {
  output("type=image,name=" + remote("kept/app:1"));
  output("type=image,push=true,name=" + remote("pushed/app:1"));
  build();
  EXPECT_TRUE(registry_.manifest("pushed/app", "1"));
  EXPECT_FALSE(registry_.manifest("kept/app", "1"));
  EXPECT_TRUE(named(remote("kept/app:1")));
  EXPECT_TRUE(named(remote("pushed/app:1")));
}

TEST_F(RunBuild, LocalOutputHasADirectoryAPlatform) {
  output(out_.native());
  build();
  EXPECT_THAT(files_below(out_),
              ElementsAre(Pair("linux_amd64/hello-amd64", "text"), Pair("linux_arm64/hello-arm64", "text")));
}

TEST_F(RunBuild, LocalOutputOfOnePlatformHasNone) {
  request_.platforms.resize(1, Platform::parse("linux/amd64"));
  output(out_.native());
  build();
  EXPECT_THAT(files_below(out_), ElementsAre(Pair("hello-amd64", "text")));
}

TEST_F(RunBuild, IgnoredFilesAreNotThere) {
  write(".dockerignore", "hello\n");
  EXPECT_THAT(refusal<InvalidInput>(), HasSubstr("Dockerfile:3"));
}

TEST_F(RunBuild, TheDockerfilesOwnIgnoreFileComesFirst) {
  write(".dockerignore", "hello\n");
  write("Dockerfile.dockerignore", "other\n");
  build();
}

TEST_F(RunBuild, SourceDateEpochMakesBuildsOfTheSameFilesEqual) {
  request_.build_args["SOURCE_DATE_EPOCH"] = "1700000000";
  output(concat("type=oci,rewrite-timestamp=true,dest=", out_.native()));
  build();
  const Digest first = Digest::of(read_file(out_));
  request_.no_cache = true;
  testing_support::set_mtime(request_.context / "hello", 1800000000);
  build();
  EXPECT_EQ(Digest::of(read_file(out_)), first);
}

TEST_F(RunBuild, StopIsCancelledAndNamesNothing) {
  stop_.request_stop();
  tag("app:1");
  EXPECT_THROW(build(), Cancelled);
  EXPECT_EQ(named("app:1"), std::nullopt);
}

TEST_F(RunBuild, MissingDockerfileIsAUsageErrorWithAHint) {
  fs::remove(request_.context / "Dockerfile");
  const std::string message = refusal<UsageError>();
  EXPECT_THAT(message, HasSubstr("no such file"));
  EXPECT_THAT(message, HasSubstr("-f FILE"));
}

struct Contradiction {
  const char* name;
  std::vector<const char*> outputs;
  std::vector<const char*> tags;
  const char* epoch;
  const char* says;
};
void PrintTo(const Contradiction& row, std::ostream* out) { *out << row.name; }
class RunBuildRefusal : public RunBuild, public testing::WithParamInterface<Contradiction> {};

TEST_P(RunBuildRefusal, ComesBeforeAnythingIsDone) {
  fs::create_directories(out_ / "directory");
  write_file_atomic(out_ / "file", "");
  const fs::path previous = fs::current_path();
  fs::current_path(out_);  // for the rows' paths
  for (const char* text : GetParam().outputs) output(text);
  for (const char* text : GetParam().tags) tag(text);
  if (GetParam().epoch) request_.build_args["SOURCE_DATE_EPOCH"] = GetParam().epoch;
  EXPECT_THAT(refusal<UsageError>(), HasSubstr(GetParam().says));
  fs::current_path(previous);
  EXPECT_THAT(progress_.all<StepPlanned>(), IsEmpty());
  EXPECT_THAT(store_->blobs().list(), IsEmpty());
}
INSTANTIATE_TEST_SUITE_P(
    , RunBuildRefusal,
    testing::Values(
        Contradiction{"push_without_a_name", {"type=image,push=true"}, {}, nullptr, "-t NAME"},
        Contradiction{"name_with_a_digest",
                      {},
                      {"a:1@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
                      nullptr,
                      "has a digest"},
        Contradiction{"two_compressions",
                      {"type=oci,dest=a,compression=zstd", "type=oci,dest=b"},
                      {},
                      nullptr,
                      "must agree on compression"},
        Contradiction{"rewrite_without_epoch",
                      {"type=oci,dest=a,rewrite-timestamp=true"},
                      {},
                      nullptr,
                      "SOURCE_DATE_EPOCH"},
        Contradiction{"epoch_that_is_no_number", {}, {}, "yesterday", "SOURCE_DATE_EPOCH=yesterday"},
        Contradiction{"epoch_beyond_every_calendar", {}, {}, "99999999999999", "SOURCE_DATE_EPOCH"},
        Contradiction{"tar_over_a_directory", {"type=oci,dest=directory"}, {}, nullptr, "is a directory"},
        Contradiction{
            "tar_in_no_directory", {"type=oci,dest=none/out.tar"}, {}, nullptr, "no directory none"},
        Contradiction{"layout_over_a_file", {"type=oci,tar=false,dest=file"}, {}, nullptr, "not a directory"},
        Contradiction{"files_over_a_file", {"type=local,dest=file"}, {}, nullptr, "not a directory"}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace slipway
