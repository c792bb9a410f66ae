#include "runtime/device_registry.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/files.h"

namespace slipway {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kSpec = R"({
  "cdiVersion": "0.6.0", "kind": "vendor.com/gpu",
  "containerEdits": {"env": ["ALL=1"], "mounts": [{"hostPath": "/opt/lib", "containerPath": "/lib/gpu", "options": ["ro", "bind"]}]},
  "devices": [
    {"name": "0", "annotations": {"org.mobyproject.buildkit.device.autoallow": "true", "org.mobyproject.buildkit.device.class": "fast"},
     "containerEdits": {"deviceNodes": [{"path": "/dev/gpu0", "hostPath": "/dev/null"}], "env": ["GPU=0"]}},
    {"name": "1", "containerEdits": {"deviceNodes": [{"path": "/dev/zero", "type": "c", "major": 1, "minor": 5}]}},
    {"name": "hooked", "containerEdits": {"hooks": [{"hookName": "createContainer", "path": "/bin/ldconfig"}]}}]})";

class DeviceRegistryTest : public testing::Test {
 protected:
  DeviceRegistryTest() { write_file_atomic(directory_.path() / "gpu.json", kSpec); }
  std::string refusal(const std::string& name) {
    try {
      registry_.edits_for({{.name = name}});
    } catch (const InvalidInput& e) {
      return std::string(e.what()) + " / " + e.hint();
    }
    return "not refused";
  }
  static std::vector<std::string> places(const DeviceEdits& edits) {
    std::vector<std::string> places;
    for (const SandboxMount& mount : edits.mounts) places.push_back(mount.dest);
    return places;
  }
  TempDir directory_;
  DeviceRegistry registry_{{"/nonexistent", directory_.path()}};
};

TEST_F(DeviceRegistryTest, DeviceBringsItsNodesAndThoseOfItsFile) {
  const DeviceEdits edits = registry_.edits_for({{.name = "vendor.com/gpu=0"}});
  EXPECT_THAT(edits.env, ElementsAre("ALL=1", "GPU=0"));
  ASSERT_THAT(places(edits), ElementsAre("/lib/gpu", "/dev/gpu0"));
  EXPECT_TRUE(edits.mounts[0].readonly);
  EXPECT_FALSE(edits.mounts[0].devices);
  EXPECT_EQ(edits.mounts[1].source, "/dev/null");
  EXPECT_TRUE(edits.mounts[1].devices);
}
TEST_F(DeviceRegistryTest, WhatSeveralDevicesShareIsAddedOnce) {
  const DeviceEdits edits = registry_.edits_for(
      {{.name = "vendor.com/gpu=0"}, {.name = "vendor.com/gpu=1"}, {.name = "vendor.com/gpu=0"}});
  EXPECT_THAT(places(edits), ElementsAre("/lib/gpu", "/dev/gpu0", "/dev/zero"));
}
TEST_F(DeviceRegistryTest, ClassAloneIsItsFirstDevice) {
  EXPECT_THAT(places(registry_.edits_for({{.name = "vendor.com/gpu"}})),
              ElementsAre("/lib/gpu", "/dev/gpu0"));
}
TEST_F(DeviceRegistryTest, DevicesNameAClassOfTheirOwn) {
  EXPECT_THAT(places(registry_.edits_for({{.name = "vendor.com/gpu=fast"}})),
              ElementsAre("/lib/gpu", "/dev/gpu0"));
}
TEST_F(DeviceRegistryTest, UnknownDeviceIsRefusedUnlessOptional) {
  EXPECT_THAT(refusal("vendor.com/gpu=7"), HasSubstr("there are: vendor.com/gpu=0, vendor.com/gpu=1"));
  EXPECT_THAT(registry_.edits_for({{.name = "vendor.com/gpu=7", .optional = true}}).mounts, IsEmpty());
}
TEST_F(DeviceRegistryTest, NameThatIsNoneIsRefused) {
  for (const char* name : {"gpu", "", "/gpu=0", "vendor.com/=0", "ven dor/gpu=0"})
    EXPECT_THAT(refusal(name), HasSubstr("VENDOR/CLASS=NAME")) << name;
}
TEST_F(DeviceRegistryTest, FilesThatCannotBeReadAreNamedWhereTheyMatter) {
  write_file_atomic(directory_.path() / "a.yaml", "kind: x/y");
  write_file_atomic(directory_.path() / "b.json", "{");
  EXPECT_THAT(registry_.edits_for({{.name = "vendor.com/gpu=1"}}).mounts, testing::SizeIs(2));
  EXPECT_THAT(refusal("x/y=1"), testing::AllOf(HasSubstr("a.yaml is YAML"), HasSubstr("b.json")));
}
TEST_F(DeviceRegistryTest, WhatIsNotDoneIsRefused) {
  EXPECT_THAT(refusal("vendor.com/gpu=hooked"), HasSubstr("hooks"));
}
TEST_F(DeviceRegistryTest, FilesMayFreeDevicesForAll) {
  EXPECT_TRUE(registry_.is_free_for_all("vendor.com/gpu=0"));
  EXPECT_FALSE(registry_.is_free_for_all("vendor.com/gpu=1"));
  EXPECT_FALSE(registry_.is_free_for_all("vendor.com/gpu=*"));
}

}  // namespace
}  // namespace slipway
