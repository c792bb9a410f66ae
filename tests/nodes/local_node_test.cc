#include "nodes/local_node.h"

#include <gmock/gmock.h>

#include "base/strings.h"
#include "content/store_fixture.h"
#include "registry/client.h"
#include "support/fake_sandbox.h"
#include "support/no_credentials.h"
#include "support/recording_progress.h"

namespace slipway {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class LocalNodeTest : public testing_support::StoreTest {
 protected:
  // Whoever may mount may also give files to root, as file operations do.
  void SetUp() override { SLIPWAY_NEEDS_MOUNTS(); }
  static Vertex vertex_of(decltype(Op::what) what, std::size_t inputs = 0) {
    Op op{.inputs = {}, .what = std::move(what), .platform = Platform::parse("linux/amd64")};
    for (std::size_t i = 0; i < inputs; ++i) op.inputs.push_back({Digest::of(std::to_string(i))});
    return {.digest = Digest::of("vertex"),
            .op = std::move(op),
            .info = {.name = "step",
                     .location = SourceLocation{.file = "Dockerfile", .line = 7, .line_text = "COPY"}},
            .lanes = {}};
  }
  static ExecOp exec_of(const std::string& command) {
    ExecOp exec;
    exec.args = {command};
    exec.mounts.push_back({.dest = "/", .output = 0});
    return exec;
  }
  VertexResult run(const Vertex& vertex, const std::vector<VertexResult>& inputs = {}) {
    return node_.run(vertex, inputs, {});
  }
  /// The message of an E; nothing of the step may remain.
  template <class E>
  std::string refusal(const Vertex& vertex, const std::vector<VertexResult>& inputs = {}) {
    const std::size_t before = store_->snapshots().list().size();
    std::string message;
    try {
      run(vertex, inputs);
      ADD_FAILURE() << "not refused";
    } catch (const E& error) {
      message = error.what();
    }
    EXPECT_EQ(store_->snapshots().list().size(), before);
    EXPECT_EQ(testing_support::entries_of(store_->temp_directory()), 1U) << "the session's lock alone";
    return message;
  }
  std::filesystem::path files(const VertexResult& result) {
    return store_->snapshots().diff_directory(result.snapshot.value());
  }

  std::unique_ptr<Store> store_ = open();
  RegistryClient registry_{{}, std::make_shared<testing_support::NoCredentials>(), logger_};
  ImageSource images_{*store_, registry_};
  LocalContexts contexts_{nullptr};
  testing_support::FakeSandbox sandbox_;
  testing_support::RecordingProgress progress_;
  LocalNode node_{*store_,
                  [this]() -> Sandbox& { return sandbox_; },
                  images_,
                  contexts_,
                  {.host = Platform::parse("linux/amd64"),
                   .emulation = EmulationPolicy::Auto,
                   .emulators = {.binfmt_directory = "/nonexistent"},
                   .secrets = {{"key", Secret("value")}}},
                  progress_};
};

TEST_F(LocalNodeTest, StepsChangesBecomeASnapshot) {
  const VertexResult result = run(vertex_of(exec_of("make")));
  EXPECT_EQ(read_file(files(result) / "ran"), "make");
  EXPECT_FALSE(std::filesystem::exists(sandbox_.specs().at(0).scratch)) << "the bundle's directory is gone";
}

TEST_F(LocalNodeTest, StepRunsOnItsInput) {
  const SnapshotId base = testing_support::make_snapshot(*store_, {}, "base");
  std::string seen;
  sandbox_.script("look", {.act = [&](const SandboxSpec& spec) { seen = read_file(spec.rootfs / "base"); }});
  ExecOp exec = exec_of("look");
  exec.mounts[0].input = 0;
  const VertexResult result = run(vertex_of(exec, 1), {{.snapshot = base, .context = {}}});
  EXPECT_EQ(seen, "base");
  EXPECT_THAT(store_->snapshots().chain(*result.snapshot), testing::ElementsAre(base, *result.snapshot));
}

TEST_F(LocalNodeTest, OutputIsTheStepsLog) {
  sandbox_.script("make", {.output = "compiling\n"});
  const Vertex vertex = vertex_of(exec_of("make"));
  run(vertex);
  const auto logs = progress_.all<StepLog>();
  ASSERT_THAT(logs, SizeIs(1));
  EXPECT_EQ(logs[0].id, vertex.digest.str());
  EXPECT_EQ(logs[0].bytes, "compiling\n");
}

TEST_F(LocalNodeTest, ProxiesReachTheStepInBothSpellings) {
  ExecOp exec = exec_of("make");
  exec.proxy = ProxyEnv{.http_proxy = "http://proxy:1",
                        .https_proxy = "",
                        .ftp_proxy = "",
                        .no_proxy = "here",
                        .all_proxy = ""};
  run(vertex_of(exec));
  EXPECT_THAT(sandbox_.specs().at(0).env,
              testing::UnorderedElementsAre("http_proxy=http://proxy:1", "HTTP_PROXY=http://proxy:1",
                                            "no_proxy=here", "NO_PROXY=here"));
}

TEST_F(LocalNodeTest, ExitCodeIsBuildFailedAndLeavesNothing) {
  sandbox_.script("make", {.exit_code = 42});
  EXPECT_THAT(refusal<BuildFailed>(vertex_of(exec_of("make"))),
              HasSubstr("process \"make\" did not complete successfully: exit code: 42"));
}

TEST_F(LocalNodeTest, OnlySignalsAreCalledSignals) {
  sandbox_.script("make", {.exit_code = 255});
  EXPECT_THAT(refusal<BuildFailed>(vertex_of(exec_of("make"))), Not(HasSubstr("signal")));
  sandbox_.script("make", {.exit_code = 139});
  EXPECT_THAT(refusal<BuildFailed>(vertex_of(exec_of("make"))), HasSubstr("signal 11"));
}

TEST_F(LocalNodeTest, SandboxThatThrowsLeavesNothing) {
  sandbox_.script("make", {.act = [](const SandboxSpec& spec) {
                    write_file_atomic(spec.rootfs / "half", "done");
                    throw HostError("no cgroups");
                  }});
  EXPECT_THAT(refusal<HostError>(vertex_of(exec_of("make"))), HasSubstr("no cgroups"));
}

TEST_F(LocalNodeTest, StepWithoutARootIsRefused) {
  ExecOp exec = exec_of("make");
  exec.mounts.clear();
  refusal<InvalidInput>(vertex_of(exec));
  EXPECT_THAT(sandbox_.specs(), IsEmpty());
}

TEST_F(LocalNodeTest, RequiredSecretThatIsMissingRunsNothing) {
  ExecOp exec = exec_of("make");
  exec.secret_env.push_back({.id = "key", .name = "KEY", .optional = false});
  exec.mounts.push_back({.type = MountType::Secret,
                         .dest = "/run/secrets/other",
                         .secret = SecretMount{.id = "other", .optional = false}});
  const std::string message = refusal<InvalidInput>(vertex_of(exec));
  EXPECT_THAT(message, HasSubstr("\"other\""));
  EXPECT_THAT(message, Not(HasSubstr("value")));
  EXPECT_THAT(sandbox_.specs(), IsEmpty());
}

TEST_F(LocalNodeTest, MissingEmulatorIsAHostErrorAndLeavesNothing) {
  Vertex vertex = vertex_of(exec_of("make"));
  vertex.op.platform = Platform::parse("linux/arm64");
  EXPECT_THAT(refusal<HostError>(vertex), HasSubstr("linux/arm64"));
}

TEST_F(LocalNodeTest, FileActionsBecomeASnapshot) {
  const VertexResult result =
      run(vertex_of(FileOp{{MkfileAction{.path = "/f", .data = "x"}, MkdirAction{.base = 0, .path = "/d"}}}));
  EXPECT_EQ(read_file(files(result) / "f"), "x");
  EXPECT_TRUE(std::filesystem::is_directory(files(result) / "d"));
}

TEST_F(LocalNodeTest, CopyReadsTheResultOfAnEarlierAction) {
  const SnapshotId base = testing_support::make_snapshot(*store_, {}, "base");
  const std::size_t before = store_->snapshots().list().size();
  const VertexResult result =
      run(vertex_of(FileOp{{MkfileAction{.path = "/made", .data = "x"},
                            CopyAction{.base = 0, .from = 1, .src = "/made", .dest = "/a"},
                            CopyAction{.base = 2, .from = 1, .src = "/", .dest = "/b"}}},
                    1),
          {{.snapshot = base, .context = {}}});
  EXPECT_EQ(read_file(files(result) / "a"), "x");
  EXPECT_EQ(read_file(files(result) / "b" / "made"), "x");
  EXPECT_THAT(store_->snapshots().chain(*result.snapshot), testing::ElementsAre(base, *result.snapshot));
  EXPECT_EQ(store_->snapshots().list().size(), before + 1) << "the tree that was only read is gone";
}

TEST_F(LocalNodeTest, TreeIsCopiedIntoItselfAsItWas) {
  const VertexResult result = run(vertex_of(FileOp{
      {MkfileAction{.path = "/f", .data = "x"}, CopyAction{.base = 0, .from = 0, .src = "/", .dest = "/d"},
       MkfileAction{.base = 1, .path = "/g", .data = "later"}}}));
  const MountedTree tree = store_->snapshots().view(*result.snapshot);
  EXPECT_EQ(read_file(tree.path() / "d" / "f"), "x");
  EXPECT_FALSE(std::filesystem::exists(tree.path() / "d" / "d"));
  EXPECT_EQ(read_file(tree.path() / "g"), "later");
}

TEST_F(LocalNodeTest, ResultThatTwoActionsChangeIsTwoTrees) {
  const VertexResult result =
      run(vertex_of(FileOp{{MkfileAction{.path = "/f"}, MkfileAction{.base = 0, .path = "/only-there"},
                            CopyAction{.base = 0, .from = 1, .src = "/only-there", .dest = "/copied"}}}));
  const MountedTree tree = store_->snapshots().view(*result.snapshot);
  EXPECT_TRUE(std::filesystem::exists(tree.path() / "f"));
  EXPECT_TRUE(std::filesystem::exists(tree.path() / "copied"));
  EXPECT_FALSE(std::filesystem::exists(tree.path() / "only-there"));
}

TEST_F(LocalNodeTest, ActionsInAWrongOrderAreRefused) {
  refusal<InvalidInput>(vertex_of(
      FileOp{{CopyAction{.base = kNoInput, .from = 1, .src = "/", .dest = "/"}, MkdirAction{.path = "/d"}}}));
  refusal<InvalidInput>(vertex_of(FileOp{{MkdirAction{.base = 0, .path = "/d"}}}));
  refusal<InvalidInput>(vertex_of(FileOp{}));
}

TEST_F(LocalNodeTest, FailureAfterAResultWasKeptLeavesNothing) {
  refusal<InvalidInput>(vertex_of(
      FileOp{{MkfileAction{.path = "/f"}, CopyAction{.base = 0, .from = 0, .src = "/f", .dest = "/g"},
              CopyAction{.base = 0, .from = 1, .src = "/none", .dest = "/g"}}}));
}

TEST_F(LocalNodeTest, MergeLaysTreesOverOneAnother) {
  const VertexResult base{.snapshot = testing_support::make_snapshot(*store_, {}, "base"), .context = {}};
  const VertexResult copy = run(vertex_of(
      FileOp{{MkdirAction{.path = "/tmp"}, MkfileAction{.base = 0, .path = "/tmp/f", .data = "x"}}}));
  const VertexResult result = run(vertex_of(MergeOp{}, 4), {base, copy, VertexResult{}, copy});
  EXPECT_EQ(read_file(files(result) / "tmp" / "f"), "x");
  EXPECT_EQ(store_->snapshots().chain(*result.snapshot).front(), *base.snapshot);
  EXPECT_EQ(run(vertex_of(MergeOp{}, 2), {VertexResult{}, copy}).snapshot, copy.snapshot);
  refusal<InvalidInput>(vertex_of(MergeOp{}, 2), {base, VertexResult{.snapshot = {}, .context = "context"}});
}

TEST_F(LocalNodeTest, DirectoryThatAMergeChangesIsToldInTheLog) {
  const VertexResult base = run(vertex_of(
      FileOp{{MkdirAction{.path = "/tmp", .mode = 0700}, MkfileAction{.base = 0, .path = "/tmp/kept"}}}));
  const VertexResult copy =
      run(vertex_of(FileOp{{MkdirAction{.path = "/tmp"}, MkfileAction{.base = 0, .path = "/tmp/f"}}}));
  run(vertex_of(MergeOp{}, 2), {base, copy});
  const auto logs = progress_.all<StepLog>();
  ASSERT_THAT(logs, SizeIs(1));
  EXPECT_THAT(logs[0].bytes, HasSubstr("/tmp had mode 0700"));
}

TEST_F(LocalNodeTest, CopyReadsAContextThroughItsIgnoreFile) {
  const TempDir context;
  write_file_atomic(context.path() / "kept", "text");
  write_file_atomic(context.path() / "hidden", "text");
  contexts_.add("context", context.path(), {"hidden"});
  const VertexResult source = run(vertex_of(SourceOp{"local://context", {}}));
  EXPECT_EQ(source.context, "context");
  EXPECT_EQ(source.snapshot, std::nullopt);
  const VertexResult result =
      run(vertex_of(FileOp{{CopyAction{.base = kNoInput, .from = 0, .src = "/", .dest = "/"}}}, 1), {source});
  EXPECT_EQ(read_file(files(result) / "kept"), "text");
  EXPECT_FALSE(std::filesystem::exists(files(result) / "hidden"));
}

TEST_F(LocalNodeTest, MissingSourceIsInvalidInputAtTheInstruction) {
  const SnapshotId base = testing_support::make_snapshot(*store_, {}, "base");
  for (const int from : {0, kNoInput}) {
    const Vertex vertex =
        vertex_of(FileOp{{CopyAction{.base = kNoInput, .from = from, .src = "/none", .dest = "/"}}}, 1);
    EXPECT_THAT(refusal<InvalidInput>(vertex, {{.snapshot = base, .context = {}}}), HasSubstr("/none"));
  }
}

TEST_F(LocalNodeTest, CopyFromAnEmptyImageFindsNothing) {
  const Vertex vertex =
      vertex_of(FileOp{{CopyAction{.base = kNoInput, .from = 0, .src = "/none", .dest = "/"}}}, 1);
  refusal<InvalidInput>(vertex, {VertexResult{}});
}

TEST_F(LocalNodeTest, OnlyUnpackedImagesHaveAResultBeforehand) {
  EXPECT_FALSE(node_.find_result(vertex_of(exec_of("make"))));
  EXPECT_FALSE(node_.find_result(vertex_of(SourceOp{"local://context", {}})));
  EXPECT_FALSE(node_.find_result(
      vertex_of(SourceOp{concat("docker-image://example.org/a@", Digest::of("unknown").str()), {}})));
}

}  // namespace
}  // namespace slipway
