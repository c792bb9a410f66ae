#include "runtime/network_files.h"

#include "base/files.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class ResolverFile : public testing::Test {
 protected:
  void write(const std::string& path, std::string_view text) {
    fs::create_directories((host_.path() / path).parent_path());
    write_file_atomic(host_.path() / path, text);
  }
  std::string of(NetworkMode network) { return resolver_file(network, host_.path()); }
  TempDir host_;
};

TEST_F(ResolverFile, IsTheHosts) {
  write("etc/resolv.conf", "nameserver 10.0.0.1\n");
  EXPECT_EQ(of(NetworkMode::Sandbox), "nameserver 10.0.0.1\n");
}
TEST_F(ResolverFile, StubIsReachableOnTheHostsNetwork) {
  write("etc/resolv.conf", "nameserver 127.0.0.53\n");
  write("run/systemd/resolve/resolv.conf", "nameserver 10.0.0.1\n");
  EXPECT_EQ(of(NetworkMode::Host), "nameserver 127.0.0.53\n");
}
TEST_F(ResolverFile, StubIsReplacedElsewhere) {
  write("etc/resolv.conf", "# stub\noptions edns0\nnameserver 127.0.0.53\n");
  write("run/systemd/resolve/resolv.conf", "nameserver 10.0.0.1\n");
  EXPECT_EQ(of(NetworkMode::None), "nameserver 10.0.0.1\n");
}
TEST_F(ResolverFile, StubBesideAServerStays) {
  write("etc/resolv.conf", "nameserver 127.0.0.53\nnameserver 10.0.0.2\n");
  write("run/systemd/resolve/resolv.conf", "nameserver 10.0.0.1\n");
  EXPECT_THAT(of(NetworkMode::None), HasSubstr("10.0.0.2"));
}
TEST_F(ResolverFile, AbsentIsEmpty) { EXPECT_EQ(of(NetworkMode::Host), ""); }

TEST(HostsFile, HasLocalhostAndTheHostname) {
  EXPECT_THAT(hosts_file("box"), HasSubstr("127.0.0.1\tlocalhost\n"));
  EXPECT_THAT(hosts_file("box"), HasSubstr("\tbox\n"));
}

}  // namespace
}  // namespace slipway
