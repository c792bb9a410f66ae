#include "registry/retry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "registry/answers.h"

namespace slipway {
namespace {

using std::chrono::system_clock;

TEST(RetryAfter, SecondsAndDatesUpToAMinute) {
  const auto now = system_clock::from_time_t(784111777 - 30);  // Sun, 06 Nov 1994 08:49:37 GMT less 30 s
  EXPECT_EQ(parse_retry_after("0", now), Seconds(0));
  EXPECT_EQ(parse_retry_after(" 7 ", now), Seconds(7));
  EXPECT_EQ(parse_retry_after("86400", now), kMaxRetryAfter);
  EXPECT_EQ(parse_retry_after("99999999999999999999", now), std::nullopt);
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", now), Seconds(30));
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1993 08:49:37 GMT", now), Seconds(0));
  EXPECT_EQ(parse_retry_after("soon", now), std::nullopt);
}

TEST(SleepUnlessStopped, StopEndsItAtOnce) {
  std::stop_source source;
  std::jthread stopper([&source] { source.request_stop(); });
  EXPECT_THROW(sleep_unless_stopped(Seconds(3600), source.get_token()), Cancelled);
}

int tries_of(const TransportError& error, int attempts) {
  NullLogger logger;
  RetryBudget budget(attempts, Seconds(0.0001), "x", logger);
  for (int tries = 1;; ++tries) {
    try {
      try {
        throw error;
      } catch (const TransportError& caught) {
        budget.wait_or_rethrow(caught, {});
      }
    } catch (const TransportError&) {
      return tries;
    }
  }
}

TEST(RetryBudget, GivesUpAfterItsAttempts) {
  EXPECT_EQ(tries_of(TransportError("cut", true), 4), 4);
  EXPECT_EQ(tries_of(TransportError("cut", true), 1), 1);
}

TEST(RetryBudget, WhatCannotPassIsNotTriedAgain) { EXPECT_EQ(tries_of(TransportError("bad", false), 4), 1); }

TEST(MayWorkLater, ServerTroubleOnly) {
  for (const int status : {408, 429, 500, 502, 503, 504}) EXPECT_TRUE(may_work_later(status)) << status;
  for (const int status : {200, 301, 400, 401, 403, 404, 405, 416, 501}) EXPECT_FALSE(may_work_later(status)) << status;
}

TEST(Printable, HidesControlCharactersAndCutsWholeCharacters) {
  EXPECT_EQ(printable("a\x1b[31mb\nc"), "a [31mb c");
  EXPECT_EQ(printable("aä", 2), "a…");
  EXPECT_EQ(printable("abcd", 2), "ab…");
}

TEST(ErrorDetails, ReadsTheRegistrysOwnWords) {
  HttpResponse response;
  response.body = R"({"errors":[{"code":"DENIED","message":"no"},{"code":"TOOMANYREQUESTS"}]})";
  EXPECT_EQ(error_details(response), "DENIED: no; TOOMANYREQUESTS");
  EXPECT_TRUE(has_error_code(response, "DENIED"));
  response.body = R"({"errors":"?"})";
  EXPECT_EQ(error_details(response), "");
  response.body = "<html>";
  EXPECT_EQ(error_details(response), "");
  response.headers["content-type"] = "text/plain; charset=utf-8";
  response.body = "too large\nsecond line";
  EXPECT_EQ(error_details(response), "too large");
}

}  // namespace
}  // namespace slipway
