#include "runtime/oci_spec.h"

#include <nlohmann/json.hpp>

namespace slipway {
namespace {

using nlohmann::json;

json spec(const OciSpecInput& input) { return json::parse(oci_spec(input)); }

json mount_at(const json& spec, const std::string& place) {
  for (const json& mount : spec["mounts"])
    if (mount["destination"] == place) return mount;
  return nullptr;
}
bool has_option(const json& mount, const std::string& option) {
  return std::find(mount["options"].begin(), mount["options"].end(), option) != mount["options"].end();
}
bool has_namespace(const json& spec, const std::string& type) {
  for (const json& entry : spec["linux"]["namespaces"])
    if (entry["type"] == type) return true;
  return false;
}

TEST(OciSpec, ProcessHasTheDefaultCapabilitiesAndNoMore) {
  const json process = spec({.args = {"a"}})["process"];
  EXPECT_EQ(process["capabilities"]["bounding"].size(), 13u);
  EXPECT_EQ(process["capabilities"].dump().find("MKNOD"), std::string::npos);
  EXPECT_FALSE(process["capabilities"].contains("ambient"));
}
TEST(OciSpec, NetworkNamespaceOnlyWhenAsked) {
  EXPECT_FALSE(has_namespace(spec({}), "network"));
  EXPECT_TRUE(has_namespace(spec({.own_network = true}), "network"));
  EXPECT_FALSE(has_namespace(spec({}), "cgroup"));
}
TEST(OciSpec, ProcIsBoundWhereTheKernelGivesNone) {
  EXPECT_EQ(mount_at(spec({}), "/proc")["type"], "proc");
  EXPECT_EQ(mount_at(spec({.fresh_proc = false}), "/proc")["source"], "/proc");
  EXPECT_TRUE(has_namespace(spec({.fresh_proc = false}), "pid"));
}
TEST(OciSpec, SysIsBoundWhereItCannotBeMounted) {
  EXPECT_EQ(mount_at(spec({}), "/sys")["type"], "sysfs");
  EXPECT_EQ(mount_at(spec({.in_user_namespace = true}), "/sys")["source"], "/sys");
  EXPECT_TRUE(has_option(mount_at(spec({.in_user_namespace = true}), "/sys"), "ro"));
}
TEST(OciSpec, TtyGroupOnlyIfItExists) {
  EXPECT_TRUE(has_option(mount_at(spec({}), "/dev/pts"), "gid=5"));
  EXPECT_FALSE(has_option(mount_at(spec({.tty_group_mapped = false}), "/dev/pts"), "gid=5"));
}
// A device node in an image would open the host's device, for root also its disks.
TEST(OciSpec, RootOpensNoDevicesUnlessTheStepMayAll) {
  EXPECT_TRUE(has_option(mount_at(spec({.rootfs = "/store/root"}), "/."), "nodev"));
  EXPECT_TRUE(mount_at(spec({.all_capabilities = {"CAP_SYS_ADMIN"}}), "/.").is_null());
}
// USER app followed by RUN sudo is common; docker and BuildKit let it work.
TEST(OciSpec, SetUserIdProgramsWork) {
  EXPECT_EQ(spec({.args = {"a"}})["process"]["noNewPrivileges"], false);
}
TEST(OciSpec, UnconfinedStepKeepsAllAndSeesAll) {
  const json written = spec({.args = {"a"}, .all_capabilities = {"CAP_SYS_ADMIN", "CAP_CHOWN"}});
  for (const char* set : {"bounding", "effective", "permitted", "inheritable", "ambient"})
    EXPECT_EQ(written["process"]["capabilities"][set], json({"CAP_SYS_ADMIN", "CAP_CHOWN"})) << set;
  EXPECT_FALSE(written["linux"].contains("seccomp"));
  EXPECT_FALSE(written["linux"].contains("maskedPaths"));
  EXPECT_FALSE(written["linux"].contains("readonlyPaths"));
  EXPECT_TRUE(has_option(mount_at(written, "/sys"), "rw"));
}
TEST(OciSpec, MountWithoutASourceIsATmpfs) {
  const json written =
      spec({.mounts = {{.source = {}, .dest = "/t", .readonly = false, .options = {"size=4096"}}}});
  EXPECT_EQ(mount_at(written, "/t")["type"], "tmpfs");
  EXPECT_TRUE(has_option(mount_at(written, "/t"), "size=4096"));
}
TEST(OciSpec, MountsComeAfterTheSystemsOwn) {
  const json written = spec({.mounts = {{.source = "/src", .dest = "/dst", .readonly = false}}});
  EXPECT_EQ(written["mounts"].back()["destination"], "/dst");
  EXPECT_TRUE(has_option(written["mounts"].back(), "rw"));
}
TEST(OciSpec, WhatIsNotUtf8IsRefused) { EXPECT_THROW(oci_spec({.args = {"\xff"}}), json::exception); }

}  // namespace
}  // namespace slipway
