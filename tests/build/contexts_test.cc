#include "build/contexts.h"

#include <gmock/gmock.h>

#include "base/strings.h"
#include "build/assemble.h"
#include "build/build_inputs.h"
#include "content/store_fixture.h"
#include "manifest/media_types.h"
#include "support/no_credentials.h"

namespace slipway::testing_support {
namespace {

namespace fs = std::filesystem;
using dockerfile::NamedContext;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class ContextsTest : public StoreTest {
 protected:
  ContextsTest() {
    fs::create_directories(request_.context);
    write_text(request_.context / "Dockerfile", "FROM scratch\n");
  }
  /// What one --build-context becomes.
  NamedContext named(const std::string& value) {
    request_.named_contexts = {{"Base", value}};
    inputs_ = std::make_unique<BuildInputs>(request_, *store_, registry_, progress_);
    inputs_->load({});
    return inputs_->contexts().named().at("base");
  }
  template <class E>
  std::string refusal(const std::string& value) {
    try {
      named(value);
    } catch (const E& e) {
      return describe(e);
    }
    ADD_FAILURE() << "taken";
    return {};
  }
  /// A layout with one image of no layers, tagged "1"; returns its config's digest.
  Digest make_layout() {
    const auto other = Store::open(layout(), logger_);
    const Descriptor config = put_document(*other, media_type::kOciConfig,
                                           to_json(ImageConfig{.platform = kPlatform, .author = "me"}));
    const Descriptor manifest = put_document(
        *other, media_type::kOciManifest,
        to_json(Manifest{.media_type = std::string(media_type::kOciManifest), .config = config}));
    other->images().set({ImageRef::parse("example.com/app:1")}, manifest);
    return config.digest;
  }
  fs::path layout() const { return directory_.path() / "layout"; }

  inline static const Platform kPlatform = Platform::parse("linux/amd64");
  BuildRequest request_{.context = directory_.path() / "context"};
  std::unique_ptr<Store> store_ = open();
  NullProgress progress_;
  RegistryClient registry_{{.attempts = 1}, std::make_shared<NoCredentials>(), logger_};
  std::unique_ptr<BuildInputs> inputs_;
};

TEST(NamedContextKey, IsFamiliarAndLowerCase) {
  EXPECT_EQ(named_context_key("Alpine"), "alpine");
  EXPECT_EQ(named_context_key("alpine:latest"), "alpine");
  EXPECT_EQ(named_context_key("alpine:3.19"), "alpine:3.19");
  EXPECT_EQ(named_context_key("docker.io/library/alpine"), "alpine");
  EXPECT_EQ(named_context_key("ghcr.io/a/b"), "ghcr.io/a/b");
  EXPECT_EQ(named_context_key("Alpine::linux/arm64/v8"), "alpine::linux/arm64");
  EXPECT_THROW(named_context_key("a b"), UsageError);
  EXPECT_THROW(named_context_key("a::nonsense"), UsageError);
}

TEST_F(ContextsTest, DirectoryIsALocalSourceWithItsOwnIgnoreFile) {
  const fs::path directory = directory_.path() / "other";
  fs::create_directories(directory);
  write_text(directory / ".dockerignore", "*.log\n");
  const NamedContext context = named(directory);
  EXPECT_EQ(context.kind, NamedContext::Kind::Local);
  EXPECT_THAT(context.ignore_patterns, ElementsAre("*.log"));
  LocalContexts contexts(nullptr);
  inputs_->contexts().add_to(contexts);
  EXPECT_EQ(contexts.at(context.value).shown, directory.native());
  EXPECT_TRUE(contexts.at(context.value).ignored.excludes("x.log"));
}

TEST_F(ContextsTest, ImagesAndStagesAreNamedOnly) {
  EXPECT_EQ(named("docker-image://alpine").kind, NamedContext::Kind::Image);
  EXPECT_EQ(named("docker-image://docker.io/library/alpine:3").value, "alpine:3");
  EXPECT_EQ(named("target:build").kind, NamedContext::Kind::Stage);
  EXPECT_EQ(named("target:build").value, "build");
}

TEST_F(ContextsTest, LayoutIsAnImageWhoseBlobsComeWhenAsked) {
  const Digest config = make_layout();
  const NamedContext context = named(concat("oci-layout://", layout().native(), ":1"));
  EXPECT_EQ(context.kind, NamedContext::Kind::Image);
  EXPECT_FALSE(store_->blobs().has(config));
  const dockerfile::BaseImage image =
      inputs_->images().resolve(ImageRef::parse(context.value), kPlatform, {});
  EXPECT_EQ(image.config.author, "me");
  EXPECT_TRUE(store_->blobs().has(config));
}

TEST_F(ContextsTest, LayoutsOnlyImageNeedsNoTag) {
  make_layout();
  EXPECT_EQ(named(concat("oci-layout://", layout().native())).kind, NamedContext::Kind::Image);
}

TEST_F(ContextsTest, LayoutWithOtherBytesIsAnIntegrityError) {
  const Digest config = make_layout();
  write_text(layout() / "blobs/sha256" / config.hex(), "{}");
  const NamedContext context = named(concat("oci-layout://", layout().native(), ":1"));
  EXPECT_THROW(inputs_->images().resolve(ImageRef::parse(context.value), kPlatform, {}), IntegrityError);
}

TEST_F(ContextsTest, MissingLayoutAndTagAreSaid) {
  make_layout();
  EXPECT_THAT(refusal<InvalidInput>(concat("oci-layout://", layout().native(), ":2")),
              HasSubstr("example.com/app:1"));
  EXPECT_THAT(refusal<InvalidInput>(concat("oci-layout://", directory_.path().native())),
              HasSubstr("no OCI image layout"));
}

TEST_F(ContextsTest, ALineOfAnIgnoreFileThatIsNoPatternIsNamed) {
  const fs::path directory = directory_.path() / "other";
  fs::create_directories(directory);
  write_text(directory / ".dockerignore", "ok\n# [\n\n  foo[\n");
  const std::string named = refusal<InvalidInput>(directory.native());
  EXPECT_THAT(named, HasSubstr("--build-context Base"));
  EXPECT_THAT(named, HasSubstr(".dockerignore:4"));
  EXPECT_THAT(named, HasSubstr("4 | foo["));
  write_text(request_.context / ".dockerignore", "");
  write_text(request_.context / "Dockerfile.dockerignore", "!\n");
  EXPECT_THAT(refusal<InvalidInput>(directory.native()), HasSubstr("Dockerfile.dockerignore:1"));
}

TEST_F(ContextsTest, CredentialsOfAMistypedUrlAreNotShown) {
  request_.dockerfile = "ssh://me:hidden@h/Dockerfile";
  EXPECT_THAT(refusal<UsageError>("target:x"), Not(HasSubstr("hidden")));
  request_.dockerfile.clear();
  request_.context = "ftp://me:hidden@h/x";
  EXPECT_THAT(refusal<UsageError>("target:x"), Not(HasSubstr("hidden")));
}

TEST_F(ContextsTest, ADockerfileThatIsADirectoryIsNotCalledMissing) {
  fs::remove(request_.context / "Dockerfile");
  fs::create_directory(request_.context / "Dockerfile");
  EXPECT_THAT(refusal<UsageError>("target:x"), Not(HasSubstr("did you mean")));
}

TEST_F(ContextsTest, IgnoreFilesOfMillionsOfPatternsAreRefused) {
  std::string text;
  while (text.size() <= std::size_t{1} << 20) text += "aa\n";
  write_text(request_.context / ".dockerignore", text);
  EXPECT_THAT(refusal<InvalidInput>("target:x"), HasSubstr(".dockerignore has 1.0MB, and may have"));
}

TEST_F(ContextsTest, OtherValuesAreRefusedWithTheName) {
  EXPECT_THAT(refusal<UsageError>("nothing-here"), HasSubstr("--build-context Base"));
  EXPECT_THAT(refusal<UsageError>("nothing-here"), HasSubstr("docker-image://"));
  EXPECT_THAT(refusal<UsageError>("ftp://me:hidden@h/x"), Not(HasSubstr("hidden")));
  EXPECT_THAT(refusal<UsageError>("target:"), HasSubstr("name of a stage"));
  EXPECT_THAT(refusal<UsageError>("oci-layout://"), HasSubstr("needs the layout's directory"));
  EXPECT_THAT(refusal<UsageError>("https://h/x.git?nonsense=1"), HasSubstr("nonsense"));
}

}  // namespace
}  // namespace slipway::testing_support
