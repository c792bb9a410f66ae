#include "cache/cache_key.h"

#include <gtest/gtest.h>

namespace slipway {
namespace {

/// Says what it was told to, and remembers what it was asked.
class FakeContent final : public LocalContent {
 public:
  Digest digest(const std::string& name, const CopyAction& copy, const Vertex&, std::stop_token) override {
    asked.push_back(name + ":" + copy.src);
    return Digest::of(content);
  }
  std::string content = "one";
  std::vector<std::string> asked;
};

class FakeRemote final : public RemoteContent {
 public:
  std::vector<std::string> identities(const std::vector<const Vertex*>& sources, std::stop_token) override {
    return std::vector<std::string>(sources.size(), identity);
  }
  std::string identity = "commit one";
};

const Platform kAmd64 = Platform::parse("linux/amd64");

struct Example {
  Graph graph;
  Digest base, context, copy, run;
};

ExecOp exec_op(std::vector<std::string> args) {
  ExecOp exec{.args = std::move(args)};
  exec.mounts.push_back({.input = 0, .dest = "/", .output = 0});
  return exec;
}

Example example(const std::string& image = "docker-image://a@x", const std::string& excludes = "[]",
                const std::optional<ProxyEnv>& proxy = {}) {
  Example made{.graph = {},
               .base = Digest::of(""),
               .context = Digest::of(""),
               .copy = Digest::of(""),
               .run = Digest::of("")};
  made.base = made.graph.add(
      {.inputs = {}, .what = SourceOp{.identifier = image, .attrs = {}}, .platform = kAmd64}, {}, {});
  made.context = made.graph.add(
      {.inputs = {},
       .what = SourceOp{.identifier = "local://context", .attrs = {{kAttrExcludePatterns, excludes}}},
       .platform = {}},
      {}, {});
  made.copy =
      made.graph.add({.inputs = {{made.base}, {made.context}},
                      .what = FileOp{{CopyAction{.base = 0, .from = 1, .src = "/src", .dest = "/src"}}},
                      .platform = {}},
                     {}, {});
  ExecOp exec = exec_op({"make"});
  exec.proxy = proxy;
  made.run = made.graph.add({.inputs = {{made.copy}}, .what = exec, .platform = kAmd64}, {}, {});
  return made;
}

TEST(CacheKeys, AskOnlyForWhatStepsRead) {
  FakeContent content;
  const Example made = example();
  cache_keys(made.graph, content, {});
  EXPECT_EQ(content.asked, std::vector<std::string>{"context:/src"});
}

TEST(CacheKeys, ChangedContentChangesTheCopyAndWhatFollows) {
  FakeContent content;
  const Example made = example();
  const auto before = cache_keys(made.graph, content, {});
  content.content = "two";
  const auto after = cache_keys(made.graph, content, {});
  EXPECT_EQ(before.at(made.base), after.at(made.base));
  EXPECT_NE(before.at(made.copy), after.at(made.copy));
  EXPECT_NE(before.at(made.run), after.at(made.run));
}

TEST(CacheKeys, ContentThatAStepMountsIsInItsKey) {
  Example made = example();
  ExecOp exec = exec_op({"make"});
  exec.mounts.push_back({.input = 1, .selector = "/src", .dest = "/mnt", .readonly = true});
  exec.mounts.push_back({.input = 1, .dest = "/all", .readonly = true});
  const Digest run =
      made.graph.add({.inputs = {{made.base}, {made.context}}, .what = exec, .platform = kAmd64}, {}, {});
  FakeContent content;
  const auto before = cache_keys(made.graph, content, {});
  EXPECT_EQ(content.asked, (std::vector<std::string>{"context:/src", "context:/src", "context:/"}));
  content.content = "two";
  EXPECT_NE(cache_keys(made.graph, content, {}).at(run), before.at(run));
}

TEST(CacheKeys, AnotherBaseImageChangesEverythingAboveIt) {
  FakeContent content;
  const Example one = example("docker-image://a@x");
  const Example two = example("docker-image://a@y");
  EXPECT_NE(cache_keys(one.graph, content, {}).at(one.run), cache_keys(two.graph, content, {}).at(two.run));
}

TEST(CacheKeys, IgnorePatternsCountByWhatTheyLeaveOnly) {
  FakeContent content;
  const Example one = example("docker-image://a@x", "[]");
  const Example two = example("docker-image://a@x", R"(["*.md"])");
  EXPECT_EQ(cache_keys(one.graph, content, {}).at(one.run), cache_keys(two.graph, content, {}).at(two.run));
}

TEST(CacheKeys, ProxiesAreInNoKey) {
  FakeContent content;
  const Example one = example();
  const Example two =
      example("docker-image://a@x", "[]", ProxyEnv{.http_proxy = "http://user:password@proxy"});
  EXPECT_EQ(cache_keys(one.graph, content, {}).at(one.run), cache_keys(two.graph, content, {}).at(two.run));
}

TEST(CacheKeys, RemoteSourceIsWhatItIsNow) {
  Graph graph;
  const auto add = [&](const std::string& url) {
    return graph.add({.inputs = {}, .what = SourceOp{.identifier = url, .attrs = {}}, .platform = {}}, {},
                     {});
  };
  const Digest git = add("git://h/a#main"), mirror = add("git://mirror/a#main");
  const Digest run = graph.add({.inputs = {{git}}, .what = exec_op({"make"}), .platform = kAmd64}, {}, {});
  FakeContent content;
  FakeRemote remote;
  const auto before = cache_keys(graph, content, remote, {});
  EXPECT_EQ(before.at(git), before.at(mirror));
  remote.identity = "commit two";
  const auto after = cache_keys(graph, content, remote, {});
  EXPECT_NE(before.at(git), after.at(git));
  EXPECT_NE(before.at(run), after.at(run));
}

TEST(CacheKeys, RemoteSourcesNeedSomebodyWhoFetchesThem) {
  Graph graph;
  graph.add({.inputs = {}, .what = SourceOp{.identifier = "https://h/x", .attrs = {}}, .platform = {}}, {},
            {});
  FakeContent content;
  EXPECT_DEATH(cache_keys(graph, content, {}), "gives a RemoteContent");
}

}  // namespace
}  // namespace slipway
