// Mounts of a step as its sandbox is given them.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "base/strings.h"
#include "content/store_fixture.h"
#include "nodes/local_node.h"
#include "registry/client.h"
#include "support/fake_sandbox.h"
#include "support/no_credentials.h"
#include "support/recording_progress.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;

class ExecMountsTest : public testing_support::StoreTest {
 protected:
  void SetUp() override {
    SLIPWAY_NEEDS_MOUNTS();
    write_file_atomic(context_.path() / "kept", "kept");
    write_file_atomic(context_.path() / "hidden", "hidden");
    fs::create_directory(context_.path() / "dir");
    write_file_atomic(context_.path() / "dir/file", "file");
    if (::chown((context_.path() / "kept").c_str(), 1234, 1234) != 0)
      GTEST_SKIP() << "cannot give files away";
    contexts_.add("context", context_.path(), {"hidden"});
  }
  /// Runs a step with these mounts; `look` sees what the sandbox is given.
  VertexResult run(std::vector<Mount> mounts, const std::function<void(const SandboxSpec&)>& look,
                   std::vector<VertexResult> inputs = {}) {
    ExecOp exec;
    exec.args = {"look"};
    exec.mounts = std::move(mounts);
    exec.mounts.push_back({.dest = "/", .output = 0});
    sandbox_.script("look", {.act = look});
    Op op{.inputs = {}, .what = exec, .platform = Platform::parse("linux/amd64")};
    for (std::size_t i = 0; i < inputs.size(); ++i) op.inputs.push_back({Digest::of(std::to_string(i))});
    return node_.run(
        {.digest = Digest::of("vertex"),
         .op = std::move(op),
         .info = {.name = "step",
                  .location = SourceLocation{.file = "Dockerfile", .line = 7, .line_text = "RUN"}},
         .lanes = {}},
        inputs, stop_.get_token());
  }
  std::string refusal(std::vector<Mount> mounts, std::vector<VertexResult> inputs) {
    const std::size_t before = store_->snapshots().list().size();
    std::string message;
    try {
      run(
          std::move(mounts), [](const SandboxSpec&) { ADD_FAILURE() << "the step ran"; }, std::move(inputs));
    } catch (const InvalidInput& e) {
      EXPECT_TRUE(e.location());
      message = e.what();
    }
    EXPECT_EQ(store_->snapshots().list().size(), before);
    return message;
  }
  static const SandboxMount& at(const SandboxSpec& spec, const std::string& dest) {
    for (const SandboxMount& mount : spec.mounts)
      if (mount.dest == dest) return mount;
    throw NotFound("no mount at " + dest);
  }
  /// What is left in the temporary directory beside the session's lock and the copies of contexts.
  std::vector<std::string> leftovers() {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(store_->temp_directory()))
      if (const std::string name = entry.path().filename(); name != "lock" && !name.starts_with("context-"))
        names.push_back(name);
    return names;
  }
  static VertexResult context() { return {.snapshot = {}, .context = "context"}; }
  VertexResult stage() {
    ActiveSnapshot active = store_->snapshots().prepare(std::nullopt);
    write_file_atomic(active.root() / "file", "stage");
    fs::create_directories(active.root() / "sub/deep");
    write_file_atomic(active.root() / "sub/deep/file", "deep");
    fs::create_symlink("/sub/deep", active.root() / "link");
    fs::create_symlink("../../../../../etc", active.root() / "escape");
    const SnapshotId base = store_->snapshots().commit(std::move(active), 1000);
    return {.snapshot = testing_support::make_snapshot(*store_, base, "upper"), .context = {}};
  }

  explicit ExecMountsTest(TreeMode trees = TreeMode::Overlay) : store_(Store::open(root(), logger_, trees)) {}

  TempDir context_;
  std::unique_ptr<Store> store_;
  RegistryClient registry_{{}, std::make_shared<testing_support::NoCredentials>(), logger_};
  ImageSource images_{*store_, registry_};
  LocalContexts contexts_{nullptr};
  testing_support::FakeSandbox sandbox_;
  testing_support::RecordingProgress progress_;
  std::stop_source stop_;
  LocalNode node_{
      *store_,
      [this]() -> Sandbox& { return sandbox_; },
      images_,
      contexts_,
      {.host = Platform::parse("linux/amd64"),
       .secrets = {{"key", Secret("sesame")}},
       .fill_cache_mount =
           [this](const CacheMountUse& mount, const fs::path& parent, const ItemProgress&, std::stop_token) {
             asked_for_.push_back(mount);
             if (imported_.empty()) return false;
             fs::create_directory(parent / "new");
             write_file_atomic(parent / "new/seed", imported_);
             return true;
           }},
      progress_};
  std::vector<CacheMountUse> asked_for_;
  std::string imported_;  ///< what others have of every cache mount; empty: they have none
};

TEST_F(ExecMountsTest, StageIsMountedReadOnly) {
  run({{.input = 0, .dest = "/src", .readonly = true}},
      [&](const SandboxSpec& spec) {
        EXPECT_TRUE(at(spec, "/src").readonly);
        EXPECT_EQ(read_file(at(spec, "/src").source / "file"), "stage");
        EXPECT_EQ(read_file(at(spec, "/src").source / "upper"), "upper");
      },
      {stage()});
  EXPECT_THAT(leftovers(), IsEmpty());
}

TEST_F(ExecMountsTest, SelectorIsAPartOfTheTree) {
  run({{.input = 0, .selector = "/sub/deep", .dest = "/d", .readonly = true},
       {.input = 0, .selector = "sub/deep/file", .dest = "/f", .readonly = true},
       {.input = 0, .selector = "/link", .dest = "/l", .readonly = true}},
      [&](const SandboxSpec& spec) {
        EXPECT_EQ(read_file(at(spec, "/d").source / "file"), "deep");
        EXPECT_EQ(read_file(at(spec, "/f").source), "deep");
        EXPECT_EQ(read_file(at(spec, "/l").source / "file"), "deep");
      },
      {stage()});
}

TEST_F(ExecMountsTest, SelectorLeadsNowhereOutOfItsTree) {
  for (const char* selector : {"/escape", "/escape/passwd", "../../../../etc", "/nothing"})
    EXPECT_THAT(refusal({{.input = 0, .selector = selector, .dest = "/x", .readonly = true}}, {stage()}),
                HasSubstr("not found"))
        << selector;
}

TEST_F(ExecMountsTest, WritesToAMountAreDropped) {
  const VertexResult input = stage();
  const VertexResult result = run({{.input = 0, .dest = "/src"}},
                                  [&](const SandboxSpec& spec) {
                                    EXPECT_FALSE(at(spec, "/src").readonly);
                                    write_file_atomic(at(spec, "/src").source / "file", "changed");
                                    write_file_atomic(spec.rootfs / "own", "own");
                                  },
                                  {input});
  EXPECT_EQ(read_file(store_->snapshots().view(*input.snapshot).path() / "file"), "stage");
  const fs::path files = store_->snapshots().diff_directory(*result.snapshot);
  EXPECT_TRUE(fs::exists(files / "own"));
  EXPECT_FALSE(fs::exists(files / "src"));
  EXPECT_THAT(leftovers(), IsEmpty());
}

TEST_F(ExecMountsTest, PlacesOfMountsInAReadOnlyTreeAreNotMadeInIt) {
  run({{.input = 0, .dest = "/src", .readonly = true},
       {.type = MountType::Tmpfs, .dest = "/src/out", .tmpfs_size = 4096}},
      [&](const SandboxSpec& spec) {
        fs::create_directory(at(spec, "/src").source / "out");  // as the runtime does
        EXPECT_TRUE(at(spec, "/src").readonly);
        ASSERT_EQ(spec.tmpfs.size(), 1u);
        EXPECT_EQ(spec.tmpfs[0].size, 4096u);
      },
      {stage()});
}

TEST_F(ExecMountsTest, ContextIsMountedWithoutWhatIsIgnoredAndBelongsToRoot) {
  run({{.input = 0, .dest = "/src", .readonly = true}},
      [&](const SandboxSpec& spec) {
        const fs::path source = at(spec, "/src").source;
        EXPECT_EQ(read_file(source / "kept"), "kept");
        EXPECT_EQ(read_file(source / "dir/file"), "file");
        EXPECT_FALSE(fs::exists(source / "hidden"));
        struct stat status {};
        ASSERT_EQ(::stat((source / "kept").c_str(), &status), 0);
        EXPECT_EQ(status.st_uid, 0u);
        ASSERT_EQ(::stat(source.c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 07777, 0755u);
      },
      {context()});
}

TEST_F(ExecMountsTest, ContextIsCopiedOnceForAllSteps) {
  fs::path first, second;
  const std::vector<Mount> mounts{{.input = 0, .selector = "/dir", .dest = "/src", .readonly = true}};
  run(mounts, [&](const SandboxSpec& spec) { first = at(spec, "/src").source; }, {context()});
  run(mounts, [&](const SandboxSpec& spec) { second = at(spec, "/src").source; }, {context()});
  EXPECT_EQ(first, second);
  EXPECT_EQ(read_file(first / "file"), "file");
}

TEST_F(ExecMountsTest, WritesToAContextAreDropped) {
  const std::vector<Mount> mounts{{.input = 0, .dest = "/all"},
                                  {.input = 0, .selector = "/kept", .dest = "/one"}};
  for (int i = 0; i < 2; ++i)
    run(mounts,
        [&](const SandboxSpec& spec) {
          EXPECT_EQ(read_file(at(spec, "/all").source / "dir/file"), "file");
          EXPECT_EQ(read_file(at(spec, "/one").source), "kept");
          write_file_atomic(at(spec, "/all").source / "dir/file", "changed");
          testing_support::write_text(at(spec, "/one").source, "changed");
        },
        {context()});
  EXPECT_EQ(read_file(context_.path() / "dir/file"), "file");
  EXPECT_EQ(read_file(context_.path() / "kept"), "kept");
  EXPECT_THAT(leftovers(), IsEmpty());
}

TEST_F(ExecMountsTest, MissingOrIgnoredPartOfAContextIsRefused) {
  EXPECT_THAT(refusal({{.input = 0, .selector = "/none", .dest = "/x", .readonly = true}}, {context()}),
              HasSubstr("\"/none\""));
  EXPECT_THAT(refusal({{.input = 0, .selector = "/hidden", .dest = "/x", .readonly = true}}, {context()}),
              HasSubstr(".dockerignore"));
}

TEST_F(ExecMountsTest, CacheIsKeptBetweenSteps) {
  const std::vector<Mount> mounts{{.type = MountType::Cache, .dest = "/c", .cache = CacheMount{.id = "go"}}};
  run(mounts, [&](const SandboxSpec& spec) { write_file_atomic(at(spec, "/c").source / "object", "o"); });
  run(mounts, [&](const SandboxSpec& spec) {
    EXPECT_FALSE(at(spec, "/c").readonly);
    EXPECT_EQ(read_file(at(spec, "/c").source / "object"), "o");
  });
}

TEST_F(ExecMountsTest, NewCacheStartsAsItsSource) {
  ActiveSnapshot active = store_->snapshots().prepare(std::nullopt);
  fs::create_directory(active.root() / "cache");
  fs::permissions(active.root() / "cache", fs::perms(0770));
  ASSERT_EQ(::chown((active.root() / "cache").c_str(), 5, 6), 0);
  write_file_atomic(active.root() / "cache/seed", "seed");
  const VertexResult source{.snapshot = store_->snapshots().commit(std::move(active), 1000), .context = {}};
  const Mount mount{.type = MountType::Cache,
                    .input = 0,
                    .selector = "/cache",
                    .dest = "/c",
                    .cache = CacheMount{.id = "go"}};
  run({mount},
      [&](const SandboxSpec& spec) {
        struct stat status {};
        ASSERT_EQ(::stat(at(spec, "/c").source.c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 07777, 0770u);
        EXPECT_EQ(status.st_uid, 5u);
        EXPECT_EQ(status.st_gid, 6u);
        EXPECT_EQ(read_file(at(spec, "/c").source / "seed"), "seed");
        write_file_atomic(at(spec, "/c").source / "seed", "grown");
      },
      {source});
  run({mount},
      [&](const SandboxSpec& spec) { EXPECT_EQ(read_file(at(spec, "/c").source / "seed"), "grown"); },
      {source});
  EXPECT_EQ(read_file(store_->snapshots().diff_directory(*source.snapshot) / "cache/seed"), "seed");
  EXPECT_THAT(refusal({{.type = MountType::Cache,
                        .input = 0,
                        .selector = "/cache/seed",
                        .dest = "/c",
                        .cache = CacheMount{.id = "f"}}},
                      {source}),
              HasSubstr("not a directory"));
}

TEST_F(ExecMountsTest, NewCacheStartsAsWhatOthersHaveOfIt) {
  imported_ = "theirs";
  const Mount mount{.type = MountType::Cache, .input = 0, .dest = "/c", .cache = CacheMount{.id = "go"}};
  for (int i = 0; i < 2; ++i)
    run({mount},
        [&](const SandboxSpec& spec) { EXPECT_EQ(read_file(at(spec, "/c").source / "seed"), "theirs"); },
        {stage()});
  ASSERT_EQ(asked_for_.size(), 1u) << "what is there is not asked for";
  EXPECT_EQ(asked_for_[0].id, "go");
  EXPECT_EQ(asked_for_[0].platform, "linux/amd64");
}

TEST_F(ExecMountsTest, NewCacheThatOthersHaveNothingOfStartsAsEver) {
  run({{.type = MountType::Cache, .dest = "/c", .cache = CacheMount{.id = "go"}}},
      [&](const SandboxSpec& spec) { EXPECT_TRUE(fs::is_empty(at(spec, "/c").source)); });
  EXPECT_EQ(asked_for_.size(), 1u);
}

TEST_F(ExecMountsTest, OneStepMayMountALockedCacheTwice) {
  const CacheMount cache{.id = "go", .sharing = CacheSharing::Locked};
  run({{.type = MountType::Cache, .dest = "/a", .cache = cache},
       {.type = MountType::Cache, .dest = "/b", .readonly = true, .cache = cache}},
      [&](const SandboxSpec& spec) {
        EXPECT_EQ(at(spec, "/a").source, at(spec, "/b").source);
        EXPECT_TRUE(at(spec, "/b").readonly);
      });
}

TEST_F(ExecMountsTest, WaitForALockedCacheIsSaidAndEnds) {
  std::optional<CacheLease> other(
      store_->cache_mounts().acquire({.name = "go", .use = CacheUse::Locked, .fill = {}, .on_wait = {}}, {}));
  progress_.react = [&](const Event& event) {
    EXPECT_THAT(std::get<StepLog>(event.what).bytes, HasSubstr("waiting for the cache mount \"go\""));
    other.reset();
  };
  bool ran = false;
  run({{.type = MountType::Cache,
        .dest = "/c",
        .cache = CacheMount{.id = "go", .sharing = CacheSharing::Locked}}},
      [&](const SandboxSpec&) { ran = true; });
  EXPECT_TRUE(ran);
  EXPECT_FALSE(other);
}

TEST_F(ExecMountsTest, WaitForALockedCacheIsCancelled) {
  const CacheLease other =
      store_->cache_mounts().acquire({.name = "go", .use = CacheUse::Locked, .fill = {}, .on_wait = {}}, {});
  progress_.react = [&](const Event&) { stop_.request_stop(); };
  EXPECT_THROW(run({{.type = MountType::Cache,
                     .dest = "/c",
                     .cache = CacheMount{.id = "go", .sharing = CacheSharing::Locked}}},
                   [](const SandboxSpec&) { ADD_FAILURE(); }),
               Cancelled);
  EXPECT_THAT(leftovers(), IsEmpty());
}

TEST_F(ExecMountsTest, AgentThatIsRequiredAndNotGivenRunsNothing) {
  ExecOp exec;
  try {
    run({{.type = MountType::Ssh, .dest = "/agent", .ssh = SshMount{.id = "default", .optional = false}}},
        [](const SandboxSpec&) { ADD_FAILURE(); });
    FAIL();
  } catch (const InvalidInput& e) {
    EXPECT_THAT(e.what(), HasSubstr("ssh agent \"default\""));
    EXPECT_THAT(e.hint(), HasSubstr("--ssh default"));
  }
  run({{.type = MountType::Ssh, .dest = "/agent", .ssh = SshMount{.id = "default"}}},
      [](const SandboxSpec& spec) { EXPECT_THAT(spec.agents, IsEmpty()); });
}

TEST_F(ExecMountsTest, SecretsInTheLogAreHidden) {
  sandbox_.script("look", {.output = "the key is sesame\n"});
  ExecOp exec;
  exec.args = {"look"};
  exec.mounts.push_back({.dest = "/", .output = 0});
  node_.run({.digest = Digest::of("vertex"),
             .op = {.inputs = {}, .what = exec, .platform = Platform::parse("linux/amd64")},
             .info = {},
             .lanes = {}},
            {}, {});
  std::string log;
  for (const StepLog& piece : progress_.all<StepLog>()) log += piece.bytes;
  EXPECT_EQ(log, "the key is ***\n");
}

/// Where nothing can be mounted: whatever a step is given, it could write to.
class ExecMountsOfCopies : public ExecMountsTest {
 protected:
  ExecMountsOfCopies() : ExecMountsTest(TreeMode::Copies) {}
  /// Overwrites all files below.
  static void spoil(const fs::path& tree) {
    if (fs::is_regular_file(tree)) write_text(tree, "spoilt");
    if (!fs::is_directory(tree)) return;
    for (const auto& entry : fs::recursive_directory_iterator(tree))
      if (entry.is_regular_file() && !entry.is_symlink()) write_text(entry.path(), "spoilt");
  }
  static void write_text(const fs::path& path, std::string_view text) {
    testing_support::write_text(path, text);
  }
};

TEST_F(ExecMountsOfCopies, StepsCannotSpoilWhatTheyReadOnly) {
  const VertexResult input = stage();
  VertexResult base = input;
  base.snapshot = store_->snapshots().chain(*input.snapshot).front();
  for (int round = 0; round < 2; ++round)
    run({{.input = 0, .dest = "/all", .readonly = true},
         {.input = 0, .selector = "/sub/deep", .dest = "/d", .readonly = true},
         {.input = 0, .selector = "/sub/deep/file", .dest = "/f", .readonly = true},
         {.input = 1, .dest = "/base", .readonly = true},
         {.input = 2, .dest = "/context", .readonly = true},
         {.input = 2, .selector = "/kept", .dest = "/kept", .readonly = true}},
        [&](const SandboxSpec& spec) {
          EXPECT_EQ(read_file(at(spec, "/all").source / "upper"), "upper");
          EXPECT_EQ(read_file(at(spec, "/d").source / "file"), "deep");
          EXPECT_EQ(read_file(at(spec, "/f").source), "deep");
          EXPECT_EQ(read_file(at(spec, "/base").source / "file"), "stage");
          EXPECT_EQ(read_file(at(spec, "/context").source / "dir/file"), "file");
          EXPECT_EQ(read_file(at(spec, "/kept").source), "kept");
          for (const SandboxMount& mount : spec.mounts) spoil(mount.source);
        },
        {input, base, context()});
  EXPECT_EQ(read_file(store_->snapshots().view(*input.snapshot).path() / "upper"), "upper");
  EXPECT_EQ(read_file(context_.path() / "kept"), "kept");
}

TEST_F(ExecMountsOfCopies, WhatIsWrittenIsTheStepsOwnLayer) {
  const VertexResult result = run({{.input = 0, .dest = "/", .output = 0}},
                                  [&](const SandboxSpec& spec) {
                                    EXPECT_EQ(read_file(spec.rootfs / "file"), "stage");
                                    write_text(spec.rootfs / "own", "own");
                                  },
                                  {stage()});
  EXPECT_EQ(testing_support::entries_of(store_->snapshots().diff_directory(*result.snapshot)), 1u);
}

TEST_F(ExecMountsOfCopies, NewCacheStartsAsItsSource) {
  const std::vector<Mount> mounts = {{.type = MountType::Cache,
                                      .input = 0,
                                      .selector = "/sub",
                                      .dest = "/cache",
                                      .cache = CacheMount{.id = "c"}}};
  const VertexResult input = stage();
  run(mounts,
      [&](const SandboxSpec& spec) {
        EXPECT_EQ(read_file(at(spec, "/cache").source / "deep/file"), "deep");
        write_text(at(spec, "/cache").source / "deep/file", "changed");
      },
      {input});
  EXPECT_EQ(read_file(store_->snapshots().view(*input.snapshot).path() / "sub/deep/file"), "deep");
}

}  // namespace
}  // namespace slipway
