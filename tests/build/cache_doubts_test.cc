#include "build/cache_doubts.h"

#include <gmock/gmock.h>

namespace slipway {
namespace {

using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

class CacheDoubts : public testing::Test {
 protected:
  enum class Cache { Use, Ignore };

  Digest run(const std::string& command, const Digest& on, Cache cache = Cache::Use) {
    ExecOp exec{.args = {"/bin/sh", "-c", command}};
    exec.mounts.push_back({.input = 0, .dest = "/", .output = 0});
    return add({.inputs = {{on}}, .what = std::move(exec), .platform = {}}, cache);
  }
  Digest copy(const Digest& from, const Digest& onto) {
    return add({.inputs = {{onto}, {from}},
                .what = FileOp{{CopyAction{.base = 0, .from = 1, .src = "/out", .dest = "/"}}},
                .platform = {}});
  }
  Digest add(Op op, Cache cache = Cache::Use) {
    return graph_.add(std::move(op), {.name = "step", .ignore_cache = cache == Cache::Ignore}, std::nullopt);
  }

  Graph graph_;
  const Digest base_ = add({.what = SourceOp{.identifier = "docker-image://base"}, .platform = {}});
};

TEST_F(CacheDoubts, AreNoneWhereNothingIsMadeAnew) {
  copy(run("make", base_), run("prepare", base_));
  EXPECT_THAT(cache_doubts(graph_), IsEmpty());
}

TEST_F(CacheDoubts, ReachWhateverChangesATreeThatIsMadeAnew) {
  const Digest anew = run("make", base_, Cache::Ignore);
  const Digest next = run("make install", anew), last = copy(base_, next);
  run("another stage", base_);
  EXPECT_THAT(cache_doubts(graph_),
              UnorderedElementsAre(Pair(anew, CacheDoubt::All), Pair(next, CacheDoubt::All),
                                   Pair(last, CacheDoubt::All)));
}

TEST_F(CacheDoubts, OfACopyFromWhatIsMadeAnewEndWithItsContent) {
  const Digest anew = run("make", base_, Cache::Ignore);
  const Digest copied = copy(anew, run("prepare", base_)), next = run("test", copied);
  EXPECT_THAT(cache_doubts(graph_),
              UnorderedElementsAre(Pair(anew, CacheDoubt::All), Pair(copied, CacheDoubt::Definition),
                                   Pair(next, CacheDoubt::Definition)));
}

TEST_F(CacheDoubts, ReachNoSources) {
  const Digest ignored = graph_.add({.what = SourceOp{.identifier = "docker-image://other"}, .platform = {}},
                                    {.name = "source", .ignore_cache = true}, std::nullopt);
  run("make", ignored);
  EXPECT_THAT(cache_doubts(graph_), IsEmpty());
}

}  // namespace
}  // namespace slipway
