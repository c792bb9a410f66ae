#include "fuzz/twin_table_seeds.h"

#include "accel/loader_cache_file.h"
#include "accel/twin_table.h"
#include "base/files.h"

namespace slipway::testing {
namespace {

constexpr const char* kLoader = "/ld-linux-x86-64.so.2";

Twin twin(const std::string& target, std::uint64_t inode, const char* loader) {
  return {.target = target,
          .identity = {.inode = inode, .size = 10 * inode, .mtime_ns = 1, .ctime_ns = 2},
          .program = target,
          .loader = loader,
          .library_path = {"/lib"}};
}

std::string table_of(const AcceleratedRoot& root) {
  std::vector<std::string> left_out;
  return encode_twin_table(root, left_out);
}

}  // namespace

std::map<std::string, std::string> twin_table_seeds(const std::filesystem::path& tree) {
  write_file_atomic(tree / (kLoader + 1), "--argv0 --preload");
  std::map<std::string, std::string> seeds;
  AcceleratedRoot root{.twins = {}, .guards = {}, .loader_cache = {}, .trees = {tree}, .machine = "aarch64"};
  seeds["no-twins"] = table_of(root);
  root.twins = {twin("/bin/busybox", 3, "")};
  seeds["static"] = table_of(root);
  root.twins[0].multi_call = "busybox";
  root.twins[0].declined_names = {"uname", "arch"};
  seeds["static-multi-call"] = table_of(root);
  root.twins.push_back(twin("/usr/bin/sed", 7, kLoader));
  seeds["dynamic"] = table_of(root);
  using Kind = ArgumentRule::Kind;
  root.twins[1].rules = {{.kind = Kind::Prepend, .pattern = {}, .with = {"-a", "-b"}},
                         {.kind = Kind::Append, .pattern = {}, .with = {"-z"}},
                         {.kind = Kind::Replace, .pattern = "-O[0-9]", .with = {"-O1", "-g"}},
                         {.kind = Kind::Drop, .pattern = "-l*", .with = {}},
                         {.kind = Kind::Decline, .pattern = "*[!a-z-]*", .with = {}}};
  seeds["rules"] = table_of(root);
  root.guards = {{.path = "/lib/libc.so.6", .identity = FileIdentity{9, 90, 1, 2}, .library = "libc.so.6"},
                 {.path = "/lib/libz.so.1", .identity = {}, .library = {}}};
  root.loader_cache = Guard{.path = "/etc/ld.so.cache", .identity = FileIdentity{11, 1, 1, 2}, .library = {}};
  root.twins[1].guards = {0, 1};
  seeds["guards"] = table_of(root);
  seeds["guards-and-cache"] = seeds["guards"] + loader_cache({{"libc.so.6", "/lib/libc.so.6"},
                                                              {"libz.so.1", "/lib/libz.so.1"},
                                                              {"libc.so.6", "/usr/local/lib/libc.so.6"}});
  seeds["cut"] = seeds["rules"].substr(0, seeds["rules"].size() - 9);
  return seeds;
}

}  // namespace slipway::testing
