#include <benchmark/benchmark.h>

#include <string>

#include "base/digest.h"

namespace slipway {
namespace {

void BM_Sha256(benchmark::State& state) {
  const std::string bytes(static_cast<std::size_t>(state.range(0)), 'x');
  for (auto _ : state) benchmark::DoNotOptimize(Digest::of(bytes));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Sha256)->Arg(64)->Arg(4 << 10)->Arg(1 << 20);

}  // namespace
}  // namespace slipway
