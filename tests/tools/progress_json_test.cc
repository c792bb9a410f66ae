#include "slipway/progress_json.h"

#include "tools/event_script.h"
#include "tools/golden.h"

namespace slipway {
namespace {

class RawJson : public testing::Test {
 protected:
  template <class What>
  std::string line(double seconds, What what) {
    output.text.clear();
    send(progress, seconds, std::move(what));
    return output.text;
  }
  StringOutput output;
  JsonProgress progress{output};
};

TEST_F(RawJson, WholeBuildIsOneObjectALine) {
  play_whole_build([this](double seconds, auto what) { send(progress, seconds, std::move(what)); });
  expect_golden(output.text, "rawjson_whole_build.jsonl");
}

TEST_F(RawJson, LogBytesAreBase64) {
  EXPECT_EQ(line(0.5, StepLog{"a", 2, std::string("\xff\0\n", 3)}),
            R"({"logs":[{"vertex":"a","stream":2,"data":"/wAK","timestamp":"2026-03-01T12:00:00.5Z"}]})"
            "\n");
}

TEST_F(RawJson, NamesThatAreNotUtf8DoNotBreakTheLine) {
  EXPECT_EQ(line(0, StepPlanned{"a", "bad \xff name", "", {}}),
            "{\"vertexes\":[{\"digest\":\"a\",\"name\":\"bad \xEF\xBF\xBD name\"}]}\n");
}

TEST_F(RawJson, ChecksSayTheirRuleAndPlace) {
  EXPECT_EQ(line(0, Warned{"m", "R", "d", SourceLocation{"Dockerfile", 3, 5, "x"}}),
            R"({"warnings":[{"level":1,"short":"UjogbQ==","detail":["ZA=="],"rule":"R","description":"d",)"
            R"("range":[{"start":{"line":3},"end":{"line":3}}],"file":"Dockerfile","line":3,"column":5}]})"
            "\n");
}

TEST_F(RawJson, VertexIsRepeatedWithAllThatIsKnown) {
  line(0, StepPlanned{"a", "RUN make", "linux/arm64", {"b"}});
  line(1, StepStarted{"a", ExecutionMode::Emulated, "emulated by qemu-aarch64 7.2", "proot"});
  EXPECT_EQ(
      line(2, StepFinished{"a", StepEnd::Failed, "exit code 2"}),
      R"({"vertexes":[{"digest":"a","inputs":["b"],"name":"RUN make","lane":"linux/arm64",)"
      R"("started":"2026-03-01T12:00:01Z","mode":"emulated","how":"emulated by qemu-aarch64 7.2","isolation":"proot",)"
      R"("completed":"2026-03-01T12:00:02Z","error":"exit code 2","end":"failed"}]})"
      "\n");
}

TEST_F(RawJson, AnAcceleratedStepSaysHowManyTwinsItHas) {
  line(1, StepStarted{"a", ExecutionMode::Emulated, "emulated by qemu-aarch64 7.2"});
  EXPECT_EQ(line(1, StepAccelerated{"a", 133}),
            R"({"vertexes":[{"digest":"a","started":"2026-03-01T12:00:01Z","mode":"accelerated",)"
            R"("how":"emulated by qemu-aarch64 7.2","twins":133}]})"
            "\n");
}

TEST(Rfc3339Nano, PrintsAsGoDoes) {
  EXPECT_EQ(rfc3339_nano(EventTime{}), "1970-01-01T00:00:00Z");
  EXPECT_EQ(rfc3339_nano(EventTime{std::chrono::nanoseconds(1)}), "1970-01-01T00:00:00.000000001Z");
  EXPECT_EQ(rfc3339_nano(at(1.25)), "2026-03-01T12:00:01.25Z");
  EXPECT_EQ(rfc3339_nano(EventTime{std::chrono::milliseconds(-1)}), "1969-12-31T23:59:59.999Z");
}

}  // namespace
}  // namespace slipway
