// What reading a large Dockerfile costs: 1,000 instructions in 100 stages, for 8 platforms. Bound: 20 ms for
// all of it.
#include <benchmark/benchmark.h>

#include <optional>
#include <string>
#include <vector>

#include "base/strings.h"
#include "dockerfile/commands.h"
#include "dockerfile/lower.h"
#include "support/fake_image_resolver.h"

namespace slipway {
namespace {

constexpr int kStages = 100;
constexpr int kInstructions = 1'000;

// Ten instructions a stage: every third stage copies from the one before, each uses variables as real files
// do.
std::string dockerfile_text() {
  std::string out;
  for (int stage = 0; stage < kStages; ++stage) {
    out +=
        concat("FROM alpine AS stage", stage, "\n", "ARG TARGETARCH\n", "ARG VERSION=1.", stage, "\n",
               "ENV PATH=/opt/", stage, "/bin:$PATH \\\n    NAME=\"stage ", stage, "\"\n", "WORKDIR /src/",
               stage, "\n", "COPY --chown=1000:1000 main.c lib/*.c ./\n",
               "RUN --mount=type=cache,target=/root/.cache make VERSION=${VERSION:-none} && make install\n");
    out += stage % 3 == 1 ? concat("COPY --from=stage", stage - 1, " /src/", stage - 1, " /opt/\n")
                          : std::string("RUN <<EOF\nset -e\necho $TARGETARCH > /arch\nEOF\n");
    out += concat("LABEL org.example.stage=\"", stage, "\" org.example.version=\"${VERSION%.*}\"\n",
                  "USER app\n");
  }
  return out;
}

dockerfile::LowerOptions options() {
  dockerfile::LowerOptions out;
  out.build_platform = Platform::parse("linux/amd64");
  for (const char* platform : {"linux/amd64", "linux/arm64", "linux/arm/v7", "linux/arm/v6", "linux/386",
                               "linux/ppc64le", "linux/s390x", "linux/riscv64"})
    out.platforms.push_back(Platform::parse(platform));
  out.all_stages = true;
  return out;
}

testing::FakeImageResolver images() {
  testing::FakeImageResolver out;
  RuntimeConfig config;
  config.env = {"PATH=/usr/bin:/bin"};
  std::vector<std::string> platforms;
  for (const Platform& platform : options().platforms) platforms.push_back(platform.str());
  out.add("alpine", platforms, config);
  return out;
}

void BM_ParseDockerfile(benchmark::State& state) {
  const std::string text = dockerfile_text();
  for (auto _ : state) {
    const dockerfile::Dockerfile file = dockerfile::parse("Dockerfile", text);
    if (file.instructions.size() != kInstructions)
      state.SkipWithError("not the instructions that were meant");
    benchmark::DoNotOptimize(dockerfile::read_program(file));
  }
  state.SetItemsProcessed(state.iterations() * kInstructions);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}
BENCHMARK(BM_ParseDockerfile)->Unit(benchmark::kMillisecond);

void BM_ParseAndLowerDockerfile(benchmark::State& state) {
  const std::string text = dockerfile_text();
  const dockerfile::LowerOptions wanted = options();
  testing::FakeImageResolver resolver = images();
  for (auto _ : state) {
    std::optional<dockerfile::Lowered> lowered;
    const dockerfile::Dockerfile file = dockerfile::parse("Dockerfile", text);
    lowered.emplace(dockerfile::lower(file, wanted, resolver, {}));
    if (lowered->lanes.size() != wanted.platforms.size()) state.SkipWithError("not a lane for each platform");
    // A build keeps the graph until its end: taking it down is no part of reading the Dockerfile.
    state.PauseTiming();
    state.counters["vertices"] = static_cast<double>(lowered->graph.vertices().size());
    lowered.reset();
    resolver.asked.clear();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * kInstructions *
                          static_cast<std::int64_t>(wanted.platforms.size()));
}
BENCHMARK(BM_ParseAndLowerDockerfile)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace slipway
