#include "history/recorder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"

namespace slipway {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class RecorderTest : public testing::Test {
 protected:
  /// FROM and a RUN with the variables.
  void make_graph(std::vector<std::string> env) {
    base_ = graph_.add({.inputs = {},
                        .what = SourceOp{.identifier = "docker-image://b@sha256:1", .attrs = {}},
                        .platform = kPlatform},
                       {.name = "[1/2] FROM b"}, kPlatform);
    ExecOp exec{.args = {"/bin/sh", "-c", "make hunter22"}, .env = std::move(env)};
    exec.mounts.push_back({.input = 0, .dest = "/", .output = 0});
    run_ = graph_.add({.inputs = {{base_}}, .what = exec, .platform = kPlatform},
                      {.name = "[2/2] RUN make hunter22"}, kPlatform);
    for (const Vertex& vertex : graph_.vertices()) keys_.emplace(vertex.digest, Digest::of(vertex.info.name));
  }
  std::unique_ptr<BuildRecorder> start() {
    Hider hider;
    hider.add(Secret("hunter22"));
    BuildRecord record = new_build_record();
    record.context = "https://me:word@host/x";
    return std::make_unique<BuildRecorder>(history_, record, hider, logger_);
  }
  BuildRecord last() { return history_.read(history_.find("")); }

  inline static const Platform kPlatform = Platform::parse("linux/amd64");
  TempDir root_;
  HistoryDirectory history_{root_.path()};
  NullLogger logger_;
  Graph graph_;
  Digest base_ = Digest::of(""), run_ = Digest::of("");
  std::map<Digest, Digest> keys_;
};

TEST_F(RecorderTest, TellsWhatBecameOfEachStep) {
  make_graph({"PATH=/bin"});
  const auto recorder = start();
  EXPECT_EQ(last().outcome, kRunning);
  recorder->on_keys({.graph = graph_, .keys = keys_, .identities = {}, .args = {}});
  recorder->emit(StepFinished{.id = base_.str(), .end = StepEnd::Cached});
  recorder->emit(StepStarted{.id = run_.str(), .mode = ExecutionMode::Emulated, .how = "emulated by qemu"});
  recorder->emit(StepFinished{.id = run_.str(), .end = StepEnd::Failed, .error = "exit 1"});
  recorder->finish({.outcome = "failed", .error = "exit 1", .image = {}, .log_of = {}});
  const BuildRecord record = last();
  EXPECT_EQ(record.outcome, "failed");
  ASSERT_EQ(record.steps.size(), 2u);
  EXPECT_EQ(record.steps[0].end, "cached");
  EXPECT_EQ(record.steps[1].end, "failed");
  EXPECT_EQ(record.steps[1].mode, "emulated by qemu");
  EXPECT_EQ(record.steps[1].key, keys_.at(run_).str());
  EXPECT_THAT(record.steps[1].inputs, ElementsAre(0u));
}

TEST_F(RecorderTest, ABuildThatNeverEndsIsInterrupted) {
  start();
  EXPECT_EQ(last().outcome, kInterrupted);
}

TEST_F(RecorderTest, NoSecretIsEverWritten) {
  make_graph({"NPM_TOKEN=abc", "API_KEY=longer-key", "V=longer-key and more", "OTHER=hunter22"});
  const auto recorder = start();
  recorder->on_keys({.graph = graph_, .keys = keys_, .identities = {}, .args = {{"PASSWORD", "argument"}}});
  recorder->emit(StepFinished{.id = run_.str(), .end = StepEnd::Failed, .error = "argument is wrong"});
  recorder->finish({.outcome = "failed", .error = "argument is wrong", .image = {}, .log_of = {}});
  const auto entry = history_.find("");
  const std::string text =
      read_file(root_.path() / "history" / (std::to_string(entry.started_ms) + "-" + entry.id + ".json"));
  for (const char* secret : {"abc\"", "longer-key", "hunter22", "argument", "me:word"})
    EXPECT_THAT(text, Not(HasSubstr(secret)));
  EXPECT_THAT(text, HasSubstr("*** and more"));
}

TEST_F(RecorderTest, AFullOrMissingDiskCostsTheRecordOnly) {
  const HistoryDirectory nowhere(root_.path() / "missing");
  BuildRecorder recorder(nowhere, new_build_record(), {}, logger_);
  recorder.finish({.outcome = "succeeded", .error = {}, .image = {}, .log_of = {}});
  EXPECT_TRUE(nowhere.entries().empty());
}

}  // namespace
}  // namespace slipway
