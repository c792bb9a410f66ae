// What read_program() makes of flags and arguments. What it refuses is in parse_errors_test.cc.
#include "dockerfile/commands.h"

#include <gtest/gtest.h>

#include "dockerfile/csv_fields.h"
#include "dockerfile/size_text.h"

namespace slipway::dockerfile {
namespace {

/// The only command of a stage, and the file it points into.
template <class T>
struct Read {
  explicit Read(const std::string& line)
      : file(parse("Dockerfile", "FROM a\n" + line + "\n")),
        program(read_program(file)),
        command(std::get<T>(program.stages.at(0).commands.at(0).what)) {}
  Dockerfile file;
  Program program;
  const T& command;
};

MountSpec mount_of(const std::string& options) {
  const Read<RunCommand> run("RUN --mount=" + options + " x");
  return run.command.mounts.at(0);
}

TEST(RunFlags, NetworkSecurityAndDevices) {
  const Read<RunCommand> run(
      "RUN --network=none --security=insecure --device=v.com/c=n,required --device=name=b x");
  EXPECT_EQ(run.command.network, NetworkMode::None);
  EXPECT_EQ(run.command.security, SecurityMode::Insecure);
  EXPECT_EQ(run.command.devices, (std::vector<DeviceRequest>{{"v.com/c=n", false}, {"b", true}}));
  const Read<RunCommand> plain("RUN --network=default --security=sandbox x");
  EXPECT_EQ(plain.command.network, NetworkMode::Sandbox);
  EXPECT_EQ(plain.command.security, SecurityMode::Sandbox);
}

TEST(RunMount, BindIsTheDefaultType) {
  const MountSpec spec = mount_of("Target=/x,SRC=a/b,from=stage,rw");
  EXPECT_EQ(spec.type, MountType::Bind);
  EXPECT_EQ(spec.target, "/x");
  EXPECT_EQ(spec.source, "a/b");
  EXPECT_EQ(spec.from, "stage");
  EXPECT_EQ(spec.readonly, false);
  EXPECT_FALSE(spec.deferred);
}

TEST(RunMount, ReadonlyHasFourSpellingsAndValues) {
  EXPECT_EQ(mount_of("target=/x").readonly, std::nullopt);
  for (const char* on : {"ro", "readonly", "ro=true", "readonly=1", "rw=false", "readwrite=0", "rw,ro"})
    EXPECT_EQ(mount_of(std::string("target=/x,") + on).readonly, true) << on;
  for (const char* off : {"rw", "readwrite", "ro=false", "readonly=F", "rw=T", "ro,rw"})
    EXPECT_EQ(mount_of(std::string("target=/x,") + off).readonly, false) << off;
}

TEST(RunMount, Cache) {
  const MountSpec spec =
      mount_of("dst=/c,id=k,sharing=Locked,uid=7,gid=8,mode=0700,source=s,from=a,type=cache");
  EXPECT_EQ(spec.type, MountType::Cache);
  EXPECT_EQ(spec.id, "k");
  EXPECT_EQ(spec.sharing, CacheSharing::Locked);
  EXPECT_EQ(spec.uid, 7U);
  EXPECT_EQ(spec.gid, 8U);
  EXPECT_EQ(spec.mode, 0700U);
  EXPECT_EQ(mount_of("type=cache,target=/c").sharing, CacheSharing::Shared);
}

TEST(RunMount, Tmpfs) {
  EXPECT_EQ(mount_of("type=tmpfs,destination=/t,size=64m").size, 64 << 20);
  EXPECT_EQ(mount_of("type=TMPFS,destination=/t").size, 0);
}

TEST(RunMount, SecretAndSsh) {
  const MountSpec secret = mount_of("type=secret,src=key,env=KEY,required");
  EXPECT_EQ(secret.id, "key");
  EXPECT_EQ(secret.source, std::nullopt);
  EXPECT_EQ(secret.env, "KEY");
  EXPECT_TRUE(secret.required);
  const MountSpec ssh = mount_of("type=ssh,required=false,mode=0600");
  EXPECT_EQ(ssh.type, MountType::Ssh);
  EXPECT_FALSE(ssh.required);
  EXPECT_EQ(ssh.id, std::nullopt);
}

TEST(RunMount, FieldsMayBeQuoted) {
  const MountSpec spec = mount_of("'type=bind,\"target=/a,b\",\"source=\"'");
  EXPECT_EQ(spec.target, "/a,b");
  EXPECT_EQ(mount_of("target=/x,source=").source, std::nullopt);
}

TEST(RunMount, OptionsThatHoldVariablesWait) {
  const Read<RunCommand> run("RUN --mount=type=$T,target=/$x,uid=$U,mode=$M,size=$S,env=$E x");
  const MountSpec& spec = run.command.mounts.at(0);
  EXPECT_TRUE(spec.deferred);
  EXPECT_EQ(spec.target, "/$x");
  EXPECT_EQ(spec.uid, std::nullopt);
  const auto value_of = [](std::string_view written) -> std::string {
    if (written == "$T") return "cache";
    if (written == "$U") return "12";
    return written == "$M" ? "0711" : "";
  };
  EXPECT_THROW(read_mount(run.file, *spec.flag, value_of), InvalidInput);  // a size for a cache
  const Read<RunCommand> good("RUN --mount=type=$T,target=/$x,uid=$U,mode=$M x");
  const MountSpec full = read_mount(good.file, *good.command.mounts.at(0).flag, value_of);
  EXPECT_FALSE(full.deferred);
  EXPECT_EQ(full.type, MountType::Cache);
  EXPECT_EQ(full.uid, 12U);
  EXPECT_EQ(full.mode, 0711U);
  EXPECT_EQ(full.target, "/$x");
}

TEST(CsvFields, AreReadAsGoReadsThem) {
  using Fields = std::vector<std::string>;
  EXPECT_EQ(csv_fields("a,b=c"), (Fields{"a", "b=c"}));
  EXPECT_EQ(csv_fields(",a,"), (Fields{"", "a", ""}));
  EXPECT_EQ(csv_fields("\"a,b\",\"\",\"say \"\"hi\"\"\""), (Fields{"a,b", "", "say \"hi\""}));
  EXPECT_EQ(csv_fields(" a"), Fields{" a"});
  for (const char* bad : {"", "\"a", "a\"b", "\"a\"b", "a,\"", "\"a\"\"", "x=\"a\""})
    EXPECT_ANY_THROW(csv_fields(bad)) << bad;
}

TEST(MemorySize, HasUnitsOf1024) {
  EXPECT_EQ(parse_memory_size("512"), 512);
  EXPECT_EQ(parse_memory_size("2kb"), 2048);
  EXPECT_EQ(parse_memory_size("1.5 GiB"), 3LL << 29);
  EXPECT_EQ(parse_memory_size("1M"), 1 << 20);
  EXPECT_EQ(parse_memory_size("3b"), 3);
  EXPECT_EQ(parse_memory_size("1T"), 1LL << 40);
  EXPECT_EQ(parse_memory_size(".5k"), 512);
  for (const char* bad : {"", "m", "-1", "1x", "1mib2", "1kbb", "1ki", "1e99", "9999p", "nan", "1 0"})
    EXPECT_EQ(parse_memory_size(bad), std::nullopt) << bad;
}

TEST(CopyFlags, OfCopy) {
  const Read<CopyCommand> copy(
      "COPY --from=s --chown=1 --chmod=u+x --link --parents=TRUE --exclude=a --exclude=b x y z/");
  EXPECT_FALSE(copy.command.add);
  EXPECT_EQ(copy.command.from->value, "s");
  EXPECT_EQ(copy.command.chmod->value, "u+x");
  EXPECT_TRUE(copy.command.link);
  EXPECT_TRUE(copy.command.parents);
  EXPECT_EQ(copy.command.exclude.size(), 2U);
  EXPECT_EQ(copy.command.sources.size(), 2U);
  const Read<CopyCommand> plain("COPY --link=false --parents=False x y");
  EXPECT_FALSE(plain.command.link);
  EXPECT_FALSE(plain.command.parents);
}

TEST(CopyFlags, OfAdd) {
  const Read<CopyCommand> add(
      "ADD --keep-git-dir --checksum=sha256:1 --unpack=false --link=true https://x/y git@h:r /z/");
  EXPECT_TRUE(add.command.add);
  EXPECT_TRUE(add.command.keep_git_dir);
  EXPECT_EQ(add.command.checksum->value, "sha256:1");
  EXPECT_EQ(add.command.unpack, false);
  EXPECT_TRUE(add.command.link);
  EXPECT_EQ(Read<CopyCommand>("ADD a b").command.unpack, std::nullopt);
}

TEST(CopyFlags, ArgumentsInJsonMayHoldBlanks) {
  const Read<CopyCommand> copy("COPY [\"a b\", \"<<EOF\", \"/c d/\"]");
  EXPECT_EQ(copy.command.sources.at(0).text, "a b");
  EXPECT_EQ(copy.command.sources.at(1).text, "<<EOF");
  EXPECT_EQ(copy.command.dest.text, "/c d/");
}

TEST(Onbuild, KeepsTheTriggerAsOneLine) {
  const Read<OnbuildCommand> trigger("onbuild  \\\n run --network=none a \\\n # note\n  b  ");
  EXPECT_EQ(trigger.command.instruction, "run --network=none a   b  ");
}

TEST(Healthcheck, TakesGoDurationsAndEmptyValues) {
  const Read<HealthcheckCommand> check(
      "HEALTHCHECK --interval=1m30.5s --timeout=+2μs5ms --retries=+3 --start-period= CMD x");
  EXPECT_EQ(check.command.check.interval_ns, 90'500'000'000);
  EXPECT_EQ(check.command.check.timeout_ns, 5'002'000);
  EXPECT_EQ(check.command.check.retries, 3);
  EXPECT_EQ(check.command.check.start_period_ns, 0);
}

TEST(IgnoredFlags, AreWarnedOf) {
  for (const char* line : {"ARG --x=1 A", "STOPSIGNAL --x 9", "HEALTHCHECK --interval=1s none"}) {
    const Dockerfile file = parse("Dockerfile", std::string("FROM a\n") + line + "\n");
    EXPECT_EQ(read_program(file).warnings.size(), 1U) << line;
  }
}

TEST(Pairs, UnicodeBlanksEndThem) {
  const Read<EnvCommand> env(
      "ENV A=1\xC2\xA0"
      "B='x\xC2\xA0y'");
  ASSERT_EQ(env.command.pairs.size(), 2U);
  EXPECT_EQ(env.command.pairs[1].value.text, "'x\xC2\xA0y'");
}

TEST(Volume, JsonPathsAreTrimmed) {
  EXPECT_EQ(Read<VolumeCommand>("VOLUME [\" /a b \"]").command.paths.at(0).text, "/a b");
}

}  // namespace
}  // namespace slipway::dockerfile
