// How many threads compute at once: counted where they work, not timed.
#include "content/cpu_slots.h"

#include <gmock/gmock.h>
#include <tbb/global_control.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>
#include <tbb/task_scheduler_observer.h>

#include <atomic>
#include <map>
#include <thread>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "base/synchronized.h"
#include "content/archive_unpack.h"
#include "content/store_fixture.h"
#include "content/tar_extract.h"
#include "content/tree.h"
#include "content/tree_support.h"

namespace slipway {
tbb::task_arena& cpu_slots();  // of content/cpu_slots.cc
}

namespace slipway::testing_support {
namespace {

constexpr std::size_t kCallers = 6;

class Limit {
 public:
  explicit Limit(std::size_t threads) : limit_(tbb::global_control::max_allowed_parallelism, threads) {}

 private:
  tbb::global_control limit_;
};

/// The threads that are at work now, and the most that ever were at once. One that works within its own work
/// counts once.
class Working {
 public:
  void add() {
    auto state = state_.lock();
    ++state->depth[std::this_thread::get_id()];
    state->most = std::max(state->most, state->depth.size());
    ++state->pieces;
  }
  void remove() {
    auto state = state_.lock();
    const auto mine = state->depth.find(std::this_thread::get_id());
    if (--mine->second == 0) state->depth.erase(mine);
  }
  std::size_t most() { return state_.lock()->most; }
  std::size_t pieces() { return state_.lock()->pieces; }

 private:
  struct State {
    std::map<std::thread::id, int> depth;
    std::size_t most = 0, pieces = 0;
  };
  Synchronized<State> state_;
};

void work_a_little(Working& working) {
  working.add();
  volatile unsigned sum = 0;
  for (unsigned i = 0; i < 20'000; ++i) sum = sum + i;
  working.remove();
}

/// Threads that came into the slots, whether of TBB or of others.
class Slots final : public tbb::task_scheduler_observer {
 public:
  explicit Slots(tbb::task_arena& arena) : tbb::task_scheduler_observer(arena) { observe(true); }
  ~Slots() override { observe(false); }
  void on_scheduler_entry(bool) override {
    const int now = ++now_;
    for (int most = most_; now > most && !most_.compare_exchange_weak(most, now);) {
    }
  }
  void on_scheduler_exit(bool) override { --now_; }
  int most() const { return most_; }

 private:
  std::atomic<int> now_ = 0, most_ = 0;
};

void at_once(std::size_t threads, const std::function<void(std::size_t)>& work) {
  std::vector<std::jthread> running;
  for (std::size_t i = 0; i < threads; ++i) running.emplace_back([&work, i] { work(i); });
}

class CpuLimits : public testing::TestWithParam<std::size_t> {};

TEST_P(CpuLimits, CountCallersAndTheirTasksTogether) {
  constexpr std::size_t kTasks = 20;
  const Limit limit(GetParam());
  Working working;
  at_once(kCallers, [&](std::size_t) {
    run_in_cpu_slot([&] {
      working.add();
      tbb::task_group group;
      for (std::size_t i = 0; i < kTasks; ++i) group.run([&] { work_a_little(working); });
      group.wait();
      working.remove();
    });
  });
  EXPECT_LE(working.most(), GetParam());
  EXPECT_EQ(working.pieces(), kCallers * (kTasks + 1)) << "all is done in the end";
}

TEST_P(CpuLimits, WorkWithinWorkIsDoneAtOnce) {
  const Limit limit(GetParam());
  std::atomic<int> done = 0;
  at_once(kCallers, [&](std::size_t) { run_in_cpu_slot([&] { run_in_cpu_slot([&] { ++done; }); }); });
  EXPECT_EQ(done, kCallers);
}

TEST_P(CpuLimits, CallerHearsWhatWasThrown) {
  const Limit limit(GetParam());
  std::atomic<int> cancelled = 0;
  at_once(kCallers, [&](std::size_t) {
    try {
      run_in_cpu_slot([] { throw Cancelled{}; });
    } catch (const Cancelled&) {
      ++cancelled;
    }
  });
  EXPECT_EQ(cancelled, kCallers);
}

INSTANTIATE_TEST_SUITE_P(Each, CpuLimits, testing::Values(1U, 2U, 3U));

/// What slipway itself computes.
class CpuWork : public StoreTest {
 protected:
  static void make_big(TreeMaker& tree, std::size_t seed) {
    for (std::size_t i = 0; i < 24; ++i) {
      std::string bytes;
      for (std::size_t line = 0; bytes.size() < 150'000; ++line)
        bytes += concat("line ", line * (i + 7) % 9973, " of file ", i, " of ", seed, "\n");
      tree.file(concat("file", i), bytes);
    }
    tree.all_mtimes(1000);
  }
  SnapshotId big(std::size_t seed) {
    return snapshot_with(*store_, {}, [&](TreeMaker& tree) { make_big(tree, seed); });
  }
  UniqueFd archive() {
    const std::filesystem::path path = directory_.path() / "archive";
    write_file_atomic(path, tar_of({file_entry("a"), file_entry("b")}));
    return open_file(path, O_RDONLY);
  }
  /// Whether a thread came into the only slot for it.
  bool takes_a_slot(const std::function<void()>& work) {
    const Limit limit(1);
    const Slots slots(cpu_slots());
    work();
    return slots.most() == 1;
  }

  std::unique_ptr<Store> store_ = open();
};

TEST_F(CpuWork, OfEveryKindTakesASlot) {
  EXPECT_FALSE(takes_a_slot([] {}));
  const SnapshotId snapshot = snapshot_with(*store_, {}, [](TreeMaker& tree) { tree.file("a"); });
  std::optional<Layer> layer;
  EXPECT_TRUE(takes_a_slot([&] { layer = layer_of(*store_, snapshot, {}, {}); })) << "packing";
  EXPECT_FALSE(takes_a_slot([&] { layer_of(*store_, snapshot, {}, {}); })) << "it is packed";
  EXPECT_TRUE(takes_a_slot([&] { unpack_layer(*store_, {}, *layer, {}); })) << "unpacking";
  EXPECT_TRUE(takes_a_slot([&] { import_tar_as_layer(*store_, archive().get(), {}, {}); })) << "importing";
  const std::filesystem::path target = directory_.path() / "target";
  std::filesystem::create_directory(target);
  EXPECT_TRUE(takes_a_slot([&] { extract_tar(archive().get(), target, {}, "a", logger_, {}); }))
      << "a context";
  const RootedDir tree(target);
  EXPECT_TRUE(takes_a_slot([&] { unpack_archive(archive().get(), tree, {}, "a", {}); })) << "ADD";
  EXPECT_TRUE(takes_a_slot([&] { digest_selection({.tree = &tree, .src = "/"}, true, nullptr, {}); }))
      << "digesting";
}

TEST_F(CpuWork, ManyLayersAtOnceShareTheSlots) {
  std::vector<SnapshotId> snapshots;
  for (std::size_t i = 0; i < kCallers; ++i) snapshots.push_back(big(i));
  for (const std::size_t threads : {1U, 2U}) {
    SCOPED_TRACE(threads);
    const Limit limit(threads);
    const Slots slots(cpu_slots());
    const LayerOptions options{.level = static_cast<int>(threads)};  // not packed yet
    at_once(kCallers, [&](std::size_t i) {
      const Layer layer = layer_of(*store_, snapshots[i], options, {});
      unpack_layer(*store_, {}, layer, {});
    });
    EXPECT_LE(slots.most(), static_cast<int>(threads));
  }
}

TEST_F(CpuWork, CancelledWhileOthersWorkAllEnd) {
  const Limit limit(1);
  std::vector<SnapshotId> snapshots;
  for (std::size_t i = 0; i < kCallers; ++i) snapshots.push_back(big(i));
  std::stop_source stop;
  stop.request_stop();
  std::atomic<int> cancelled = 0;
  at_once(kCallers, [&](std::size_t i) {
    try {
      layer_of(*store_, snapshots[i], {}, stop.get_token());
    } catch (const Cancelled&) {
      ++cancelled;
    }
  });
  EXPECT_EQ(cancelled, kCallers);
}

}  // namespace
}  // namespace slipway::testing_support
