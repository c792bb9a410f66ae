#include <future>

#include "registry/fixture.h"

namespace slipway::testing_support {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class PushBlob : public RegistryTest {
 protected:
  const std::string bytes = pattern(3'000'000);
  const Digest digest = Digest::of(bytes);
};

TEST_F(PushBlob, UploadsInOnePut) {
  std::uint64_t last = 0;
  EXPECT_EQ(push(bytes, {}, [&](std::uint64_t current, std::uint64_t) { last = current; }), PushEnd::Uploaded);
  EXPECT_EQ(registry.blob("team/app", digest), bytes);
  EXPECT_EQ(last, bytes.size());
  ASSERT_EQ(registry.count("PUT", ""), 1u);
  const auto put = registry.requests("PUT", "").at(0);
  EXPECT_EQ(put.header("content-length"), std::to_string(bytes.size()));
  EXPECT_EQ(put.header("expect"), "");
  EXPECT_THAT(put.target, AllOf(HasSubstr("?_state=a%2Bb&digest=sha256%3A"))) << "the location's query is kept";
}

TEST_F(PushBlob, EmptyBlob) {
  EXPECT_EQ(push(""), PushEnd::Uploaded);
  EXPECT_EQ(registry.blob("team/app", Digest::of("")), "");
}

TEST_F(PushBlob, WhatIsThereIsNotSentAgain) {
  registry.add_blob("team/app", bytes);
  EXPECT_EQ(push(bytes, {"team/base"}), PushEnd::AlreadyThere);
  EXPECT_EQ(registry.requests().size(), 1u);
  EXPECT_EQ(registry.requests().at(0).method, "HEAD");
}

TEST_F(PushBlob, MountsFromAnotherRepository) {
  registry.add_blob("team/base", bytes);
  EXPECT_EQ(push(bytes, {"team/app", "team/none", "team/base"}), PushEnd::Mounted);
  EXPECT_EQ(registry.blob("team/app", digest), bytes);
  EXPECT_EQ(registry.count("PUT", ""), 0u);
  EXPECT_EQ(registry.count("POST", "from=team%2Fapp"), 0u) << "never from itself";
}

TEST_F(PushBlob, MountRefusedFallsBackToTheOpenedUpload) {
  registry.support_mounts(false);
  EXPECT_EQ(push(bytes, {"team/base"}), PushEnd::Uploaded);
  EXPECT_EQ(registry.count("POST", "uploads"), 1u);
  EXPECT_EQ(registry.open_uploads(), 0u);
}

TEST_F(PushBlob, MountErrorsDoNotFailThePush) {
  registry.script("POST", "mount=", {.status = 405});
  registry.script("POST", "mount=", {.status = 403});
  EXPECT_EQ(push(bytes, {"a", "b"}), PushEnd::Uploaded);
}

TEST_F(PushBlob, UploadsOpenedByRefusedMountsAreClosed) {
  registry.support_mounts(false);
  EXPECT_EQ(push(bytes, {"a", "b", "c"}), PushEnd::Uploaded);
  EXPECT_EQ(registry.open_uploads(), 0u);
}

TEST_F(PushBlob, RelativeLocations) {
  registry.relative_locations(true);
  EXPECT_EQ(push(bytes), PushEnd::Uploaded);
  EXPECT_EQ(registry.blob("team/app", digest), bytes);
}

TEST_F(PushBlob, CutUploadGoesOnWithAPatch) {
  registry.script("PUT", "uploads", {.cut_request_after = 1'000'000});
  EXPECT_EQ(push(bytes), PushEnd::Uploaded);
  EXPECT_EQ(registry.blob("team/app", digest), bytes);
  ASSERT_EQ(registry.count("PATCH", ""), 1u);
  const auto patch = registry.requests("PATCH", "").at(0);
  EXPECT_EQ(patch.header("content-range"), "1000000-2999999");
  EXPECT_EQ(patch.body.size(), 2'000'000u);
  EXPECT_EQ(registry.count("POST", "uploads"), 1u);
}

TEST_F(PushBlob, CutUploadBeginsAnewWhereResumingIsUnknown) {
  registry.support_resume(false);
  registry.script("PUT", "uploads", {.cut_request_after = 1'000'000});
  EXPECT_EQ(push(bytes), PushEnd::Uploaded);
  EXPECT_EQ(registry.blob("team/app", digest), bytes);
  EXPECT_EQ(registry.count("POST", "uploads"), 2u);
}

TEST_F(PushBlob, RefusedPatchBeginsAnew) {
  registry.script("PUT", "uploads", {.cut_request_after = 1'000'000});
  registry.script("PATCH", "uploads", {.status = 416});
  EXPECT_EQ(push(bytes), PushEnd::Uploaded);
  EXPECT_EQ(registry.blob("team/app", digest), bytes);
  EXPECT_EQ(registry.count("POST", "uploads"), 2u);
}

TEST_F(PushBlob, LostAnswerIsFoundOut) {
  registry.script("PUT", "uploads", {.cut_after_work = true});
  EXPECT_EQ(push(bytes), PushEnd::Uploaded);
  EXPECT_EQ(registry.count("PUT", ""), 1u) << "the blob had arrived";
}

TEST_F(PushBlob, BusyRegistryIsTriedAgain) {
  registry.script("POST", "uploads", {.status = 503});
  registry.script("PUT", "uploads", {.status = 429, .headers = {"Retry-After: 0"}});
  EXPECT_EQ(push(bytes), PushEnd::Uploaded);
  EXPECT_EQ(registry.blob("team/app", digest), bytes);
}

TEST_F(PushBlob, GivesUpAfterItsAttempts) {
  registry.script("PUT", "uploads", {.status = 500}, 99);
  EXPECT_THROW(push(bytes), TransportError);
  EXPECT_EQ(registry.count("PUT", ""), 3u);
}

TEST_F(PushBlob, DigestTheRegistryDisputesIsAnIntegrityError) {
  const auto file = directory.path() / "other";
  write_file_atomic(file, pattern(100));
  Descriptor blob = blob_of("x");
  blob.size = 100;
  EXPECT_THROW(client.push_blob(ref(), blob, [&] { return open_file(file, O_RDONLY); }, {}, {}, {}), IntegrityError);
  EXPECT_EQ(registry.count("PUT", ""), 1u);
}

TEST_F(PushBlob, FileOfAnotherSizeIsNotSent) {
  const auto file = directory.path() / "short";
  write_file_atomic(file, "abc");
  EXPECT_THROW(client.push_blob(ref(), blob_of(bytes), [&] { return open_file(file, O_RDONLY); }, {}, {}, {}),
               IntegrityError);
  EXPECT_EQ(registry.count("PUT", ""), 0u);
}

TEST_F(PushBlob, DeniedNamesTheLogin) {
  registry.require_basic("me", "hunter2");
  EXPECT_THAT(error_of<Denied>([&] { push(bytes); }), HasSubstr("docker login " + registry.host()));
}

TEST_F(PushBlob, TokenCoversBothRepositoriesOfAMount) {
  registry.require_token("me", "hunter2");
  log_in("me", "hunter2");
  registry.add_blob("team/base", bytes);
  EXPECT_EQ(push(bytes, {"team/base"}), PushEnd::Mounted);
  EXPECT_EQ(registry.count("GET", "scope=repository%3Ateam%2Fbase%3Apull"), 1u);
}

TEST_F(PushBlob, TokenThatDiesBeforeThePutIsReplacedAndTheBodySentAgain) {
  registry.require_token("me", "hunter2");
  log_in("me", "hunter2");
  registry.script("PUT", "uploads",
                  {.status = 401, .headers = {concat("WWW-Authenticate: Bearer realm=\"", registry.url(),
                                                     "/token\",service=\"fake\"")}});
  EXPECT_EQ(push(bytes), PushEnd::Uploaded);
  EXPECT_EQ(registry.blob("team/app", digest), bytes);
}

TEST_F(PushBlob, StopInTheMiddle) {
  std::stop_source source;
  const auto file = directory.path() / "blob";
  write_file_atomic(file, bytes);
  registry.script("PUT", "uploads", {.hold = true});
  auto result = std::async(std::launch::async, [&] {
    client.push_blob(ref(), blob_of(bytes), [&] { return open_file(file, O_RDONLY); }, {}, {}, source.get_token());
  });
  ASSERT_TRUE(registry.wait_for("PUT", "uploads", 1));
  source.request_stop();
  EXPECT_THROW(result.get(), Cancelled);
}

TEST_F(PushBlob, OneIdleConnectionServesAWholePush) {
  push(bytes);
  push(pattern(10));
  EXPECT_EQ(registry.connections(), 1u);
}

}  // namespace
}  // namespace slipway::testing_support
