// What a step costs beside its own work: a merged tree of ten thousand files made ready, one file written,
// and the change recorded.
#include <benchmark/benchmark.h>
#include <fcntl.h>

#include <memory>
#include <string>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "content/store.h"

namespace slipway {
namespace {

constexpr int kDirectories = 400, kFiles = 25;

/// A store with one base of small files.
struct Base {
  explicit Base(TreeMode trees) : store(Store::open(directory.path() / "store", logger, trees)), id(make()) {}

  SnapshotId make() {
    ActiveSnapshot active = store->snapshots().prepare_unmounted({});
    for (int d = 0; d < kDirectories; ++d) {
      const std::filesystem::path at = active.upper() / concat("part", d % 20) / concat("dir", d);
      std::filesystem::create_directories(at);
      for (int f = 0; f < kFiles; ++f) {
        const UniqueFd file = open_file(at / concat("file", f), O_WRONLY | O_CREAT);
        write_all(file.get(), std::string(static_cast<std::size_t>(200 + 400 * f), 'x'), "file");
      }
    }
    return store->snapshots().commit(std::move(active), 0);
  }
  SnapshotId step(SnapshotId parent) {
    ActiveSnapshot active = store->snapshots().prepare(parent);
    write_all(open_file(active.root() / "part3/dir3/new", O_WRONLY | O_CREAT | O_TRUNC).get(), "new", "new");
    return store->snapshots().commit(std::move(active), 0);
  }

  TempDir directory{{}, "slipway-bench"};
  NullLogger logger;
  std::unique_ptr<Store> store;
  SnapshotId id;
};

Base& overlay_base() {
  static Base base(TreeMode::Overlay);
  return base;
}
Base& copies_base() {
  static Base base(TreeMode::Copies);
  return base;
}

void run_steps(benchmark::State& state, TreeMode trees, bool on_the_last) {
  try {
    Base& base = trees == TreeMode::Overlay ? overlay_base() : copies_base();
    SnapshotId last = base.step(base.id);
    for (auto _ : state) {
      last = base.step(on_the_last ? last : base.id);
      benchmark::DoNotOptimize(last);
    }
    state.SetItemsProcessed(state.iterations() * kDirectories * kFiles);
  } catch (const HostError& e) {
    state.SkipWithError(e.what());
  }
}

// Few iterations: every one makes the chain longer, and copies stay until the base is dropped.
void BM_StepOnOverlay(benchmark::State& state) { run_steps(state, TreeMode::Overlay, true); }
BENCHMARK(BM_StepOnOverlay)->UseRealTime()->Iterations(20)->Unit(benchmark::kMillisecond);

void BM_StepOnACopy(benchmark::State& state) { run_steps(state, TreeMode::Copies, false); }
BENCHMARK(BM_StepOnACopy)->UseRealTime()->Iterations(3)->Unit(benchmark::kMillisecond);

void BM_StepInATreeTakenOver(benchmark::State& state) { run_steps(state, TreeMode::Copies, true); }
BENCHMARK(BM_StepInATreeTakenOver)->UseRealTime()->Iterations(20)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace slipway
