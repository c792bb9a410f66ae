#include "build/entitlements.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/files.h"

namespace slipway {
namespace {

using testing::HasSubstr;

class EntitlementsTest : public testing::Test {
 protected:
  Graph graph_of(const ExecOp& exec) const {
    Graph graph;
    graph.add(
        {.inputs = {}, .what = exec, .platform = Platform::parse("linux/amd64")},
        {.name = "RUN", .location = SourceLocation{.file = "Dockerfile", .line = 3, .line_text = "RUN"}}, {});
    return graph;
  }
  /// The hint of the refusal; empty if there is none.
  std::string refusal(const ExecOp& exec) const {
    try {
      check_entitlements(graph_of(exec), allowed_, DeviceRegistry({directory_.path()}));
    } catch (const InvalidInput& e) {
      EXPECT_EQ(e.location().value().line, 3);
      return e.hint();
    }
    return {};
  }
  TempDir directory_;
  Entitlements allowed_;
};

TEST_F(EntitlementsTest, OrdinaryStepsNeedNone) {
  EXPECT_EQ(refusal({.args = {"a"}}), "");
  EXPECT_EQ(refusal({.args = {"a"}, .network = NetworkMode::None}), "");
}
TEST_F(EntitlementsTest, HostsNetworkMustBeAllowed) {
  const ExecOp exec{.args = {"a"}, .network = NetworkMode::Host};
  EXPECT_THAT(refusal(exec), HasSubstr("--allow network.host"));
  allowed_.allow("network.host");
  EXPECT_EQ(refusal(exec), "");
}
TEST_F(EntitlementsTest, StepWithoutConfinementMustBeAllowed) {
  const ExecOp exec{.args = {"a"}, .security = SecurityMode::Insecure};
  EXPECT_THAT(refusal(exec), HasSubstr("--allow security.insecure"));
  allowed_.allow("network.host");
  EXPECT_NE(refusal(exec), "");
  allowed_.allow("security.insecure");
  EXPECT_EQ(refusal(exec), "");
}
TEST_F(EntitlementsTest, DevicesAreAllowedByNameKindOrAll) {
  write_file_atomic(directory_.path() / "gpu.json",
                    R"({"kind": "vendor.com/gpu", "devices": [{"name": "0"}, {"name": "free",
                        "annotations": {"org.mobyproject.buildkit.device.autoallow": "true"}}]})");
  ExecOp exec{.args = {"a"}};
  exec.devices.push_back({.name = "vendor.com/gpu=free"});
  EXPECT_EQ(refusal(exec), "") << "its file says so";
  exec.devices.push_back({.name = "vendor.com/gpu=0"});
  EXPECT_THAT(refusal(exec), HasSubstr("--allow device=vendor.com/gpu=0"));
  for (const char* text : {"device", "device=vendor.com/gpu", "device=vendor.com/gpu=0"}) {
    allowed_ = {};
    allowed_.allow(text);
    EXPECT_EQ(refusal(exec), "") << text;
  }
  allowed_ = {};
  allowed_.allow("device=vendor.com/gpu=1");
  EXPECT_NE(refusal(exec), "");
}
TEST_F(EntitlementsTest, UnknownNameIsAUsageError) {
  for (const char* text : {"network.hots", "", "device=", "device=a,alias=b", "fs.read=/"})
    EXPECT_THROW(allowed_.allow(text), UsageError) << text;
}

}  // namespace
}  // namespace slipway
