#include <future>
#include <thread>

#include "registry/fixture.h"

namespace slipway::testing_support {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class FetchBlob : public RegistryTest {
 protected:
  const std::string bytes = pattern(3'000'000);
  const Descriptor blob = blob_of(bytes);
  void SetUp() override { registry.add_blob("team/app", bytes); }
};

TEST_F(FetchBlob, StreamsAllBytesAndReportsProgress) {
  std::uint64_t last = 0, total = 0;
  const Received received = fetch(blob, [&](std::uint64_t current, std::uint64_t all) {
    EXPECT_GE(current, last);
    last = current;
    total = all;
  });
  EXPECT_EQ(received.bytes, bytes);
  EXPECT_EQ(last, bytes.size());
  EXPECT_EQ(total, bytes.size());
}

TEST_F(FetchBlob, EmptyBlob) {
  registry.add_blob("team/app", "");
  EXPECT_EQ(fetch(blob_of("")).bytes, "");
}

TEST_F(FetchBlob, ResumesWhereItWasCut) {
  registry.script("GET", "blobs", {.cut_answer_after = 1'000'000});
  const Received received = fetch(blob);
  EXPECT_EQ(received.bytes, bytes);
  EXPECT_EQ(received.restarts, 0);
  ASSERT_EQ(registry.count("GET", "blobs"), 2u);
  EXPECT_EQ(registry.requests("GET", "blobs").at(1).header("range"), "bytes=1000000-");
}

TEST_F(FetchBlob, ProgressRenewsTheTries) {
  registry.add_blob("team/app", pattern(9'000'000));
  registry.script("GET", "blobs", {.cut_answer_after = 1'500'000}, 5);  // more cuts than attempts
  EXPECT_EQ(fetch(blob_of(pattern(9'000'000))).bytes, pattern(9'000'000));
}

TEST_F(FetchBlob, DrippingServerRunsOutOfTries) {
  registry.script("GET", "blobs", {.cut_answer_after = 1}, 99);
  EXPECT_THROW(fetch(blob), TransportError);
  EXPECT_EQ(registry.count("GET", "blobs"), 3u);
}

TEST_F(FetchBlob, StartsAgainWithoutRangeSupport) {
  registry.support_ranges(false);
  registry.script("GET", "blobs", {.cut_answer_after = 1'000'000});
  const Received received = fetch(blob);
  EXPECT_EQ(received.bytes, bytes);
  EXPECT_EQ(received.restarts, 1);
}

TEST_F(FetchBlob, StartsAgainWhenTheRangeIsAnotherOne) {
  registry.script("GET", "blobs", {.cut_answer_after = 1'000'000});
  registry.script("GET", "blobs", {.replace_content_range = "bytes 5-2999999/3000000"});
  const Received received = fetch(blob);
  EXPECT_EQ(received.bytes, bytes);
  EXPECT_EQ(received.restarts, 1);
  EXPECT_EQ(registry.requests("GET", "blobs").at(2).header("range"), "");
}

TEST_F(FetchBlob, StartsAgainAfter416) {
  registry.script("GET", "blobs", {.cut_answer_after = 1'000'000});
  registry.script("GET", "blobs", {.status = 416});
  const Received received = fetch(blob);
  EXPECT_EQ(received.bytes, bytes);
  EXPECT_EQ(received.restarts, 1);
}

TEST_F(FetchBlob, NeverMoreBytesThanTheDescriptorSays) {
  Descriptor shorter = blob;
  shorter.size = 1000;
  Received received;
  EXPECT_THROW(client.fetch_blob(ref(), shorter, sink_into(received), {}, {}), IntegrityError);
  EXPECT_LE(received.bytes.size(), 1000u);
  EXPECT_EQ(registry.count("GET", "blobs"), 1u) << "not retried";
}

TEST_F(FetchBlob, FewerBytesAreAnIntegrityError) {
  Descriptor longer = blob;
  longer.size += 1;
  EXPECT_THAT(error_of<IntegrityError>([&] { fetch(longer); }), HasSubstr("3000001"));
  EXPECT_EQ(registry.count("GET", "blobs"), 1u);
}

TEST_F(FetchBlob, UnknownBlobIsNotFound) {
  EXPECT_THAT(error_of<NotFound>([&] { fetch(blob_of("other")); }), HasSubstr("BLOB_UNKNOWN"));
}

TEST_F(FetchBlob, ServerErrorsAreTriedAgain) {
  registry.script("GET", "blobs", {.status = 502}, 2);
  EXPECT_EQ(fetch(blob).bytes, bytes);
}

TEST_F(FetchBlob, WhatTheSinkThrowsComesOut) {
  const BlobSink full{.write = [](std::string_view) { throw SystemError(ENOSPC, "write", "blob"); }, .restart = {}};
  EXPECT_THROW(client.fetch_blob(ref(), blob, full, {}, {}), SystemError);
  EXPECT_EQ(registry.count("GET", "blobs"), 1u);
}

TEST_F(FetchBlob, StopInTheMiddle) {
  std::stop_source source;
  const BlobSink sink{.write = [&](std::string_view) { source.request_stop(); }, .restart = {}};
  EXPECT_THROW(client.fetch_blob(ref(), blob, sink, {}, source.get_token()), Cancelled);
}

TEST_F(FetchBlob, AtMostFourTransfersAtOnceAndManifestsPassThem) {
  registry.add_manifest("team/app", "1", std::string(media_type::kOciManifest), manifest_text());
  registry.script("GET", "blobs", {.hold = true}, 99);
  std::vector<std::future<std::string>> results;
  for (int i = 0; i < 8; ++i)
    results.push_back(std::async(std::launch::async, [&] { return fetch(blob).bytes; }));
  ASSERT_TRUE(registry.wait_for("GET", "blobs", 4));
  client.fetch_manifest(ref(), {});
  EXPECT_EQ(registry.count("GET", "blobs"), 4u);
  registry.release();
  for (auto& result : results) EXPECT_EQ(result.get(), bytes);
}

TEST_F(FetchBlob, WaitingForAPlaceCanBeStopped) {
  registry.script("GET", "blobs", {.hold = true}, 4);
  std::vector<std::future<void>> busy;
  for (int i = 0; i < 4; ++i) busy.push_back(std::async(std::launch::async, [&] { fetch(blob); }));
  ASSERT_TRUE(registry.wait_for("GET", "blobs", 4));
  std::stop_source source;
  auto waiting = std::async(std::launch::async, [&] {
    Received received;
    client.fetch_blob(ref(), blob, sink_into(received), {}, source.get_token());
  });
  source.request_stop();
  EXPECT_THROW(waiting.get(), Cancelled);
  registry.release();
}

}  // namespace
}  // namespace slipway::testing_support
