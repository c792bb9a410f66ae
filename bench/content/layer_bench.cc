// Packing and unpacking a layer, and what the choice of independent gzip members costs and gains against one
// stream.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <tbb/parallel_for.h>
#include <zlib.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/strings.h"
#include "content/chunk_compressor.h"
#include "content/layers.h"
#include "content/store.h"
#include "content/tree.h"

namespace slipway {
namespace {

constexpr std::size_t kChunk = std::size_t{1} << 20;

/// Text of few words, machine code that half repeats, and noise: about what a root file system's bytes are
/// like.
std::string mixed_bytes(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string bytes;
  bytes.reserve(size + 4096);
  while (bytes.size() < size) {
    const auto kind = random() % 10;
    if (kind < 5) {
      for (int word = 0; word < 300; ++word)
        bytes += concat("word", random() % 700, word % 12 == 11 ? "\n" : " ");
    } else if (kind < 9) {
      for (int i = 0; i < 1024; ++i)
        bytes.append({static_cast<char>(random() % 24), '\x48', static_cast<char>(random() % 90), '\0'});
    } else {
      for (int i = 0; i < 2048; ++i) bytes += static_cast<char>(random());
    }
  }
  bytes.resize(size);
  return bytes;
}

void write_tree(const std::filesystem::path& root, std::size_t total, unsigned seed) {
  std::mt19937 random(seed);
  for (std::size_t written = 0, i = 0; written < total; ++i) {
    const std::filesystem::path directory = root / concat("dir", i % 40);
    std::filesystem::create_directories(directory);
    const std::size_t size = i % 25 == 0 ? 2'000'000 : 200 + random() % 60'000;
    const UniqueFd file = open_file(directory / concat("file", i), O_WRONLY | O_CREAT);
    write_all(file.get(), mixed_bytes(size, static_cast<unsigned>(i)), "file");
    written += size;
  }
}

std::int64_t bytes_in(const std::filesystem::path& root) {
  std::uintmax_t total = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root))
    if (entry.is_regular_file()) total += entry.file_size();
  return static_cast<std::int64_t>(total);
}

/// A store with one snapshot of mixed files.
struct PackedTree {
  TempDir directory{{}, "slipway-bench"};
  NullLogger logger;
  std::unique_ptr<Store> store = Store::open(directory.path() / "store", logger);
  SnapshotId id = make();
  std::int64_t bytes = bytes_in(store->snapshots().diff_directory(id));

  SnapshotId make() {
    ActiveSnapshot active = store->snapshots().prepare_unmounted({});
    write_tree(active.upper(), std::size_t{64} << 20, 42);
    return store->snapshots().commit(std::move(active), 0);
  }
};
PackedTree& packed_tree() {
  static PackedTree tree;
  return tree;
}

void BM_PackLayer(benchmark::State& state) {
  PackedTree& tree = packed_tree();
  const LayerOptions options{.compression = static_cast<Compression>(state.range(0))};
  std::uint64_t size = 0;
  for (auto _ : state) {
    const Layer layer = layer_of(*tree.store, tree.id, options, {});
    size = layer.descriptor.size;
    state.PauseTiming();
    tree.store->blobs().remove(layer.descriptor.digest);  // so that the next time it is packed again
    state.ResumeTiming();
  }
  state.SetBytesProcessed(state.iterations() * tree.bytes);
  state.counters["ratio"] = static_cast<double>(size) / static_cast<double>(tree.bytes);
  state.SetLabel(options.key());
}
BENCHMARK(BM_PackLayer)->DenseRange(0, 2)->UseRealTime()->Unit(benchmark::kMillisecond);

void BM_UnpackLayer(benchmark::State& state) {
  PackedTree& tree = packed_tree();
  const LayerOptions options{.compression = static_cast<Compression>(state.range(0))};
  const Layer layer = layer_of(*tree.store, tree.id, options, {});
  for (auto _ : state) {
    const SnapshotId id = unpack_layer(*tree.store, {}, layer, {});
    state.PauseTiming();
    tree.store->snapshots().remove(id);
    state.ResumeTiming();
  }
  state.SetBytesProcessed(state.iterations() * tree.bytes);
  state.SetLabel(options.key());
}
BENCHMARK(BM_UnpackLayer)->DenseRange(0, 2)->UseRealTime()->Unit(benchmark::kMillisecond);

void BM_DigestSelection(benchmark::State& state) {
  PackedTree& tree = packed_tree();
  const RootedDir root(tree.store->snapshots().diff_directory(tree.id));
  for (auto _ : state)
    benchmark::DoNotOptimize(digest_selection({.tree = &root, .src = "/"}, true, nullptr, {}));
  state.SetBytesProcessed(state.iterations() * tree.bytes);
}
BENCHMARK(BM_DigestSelection)->UseRealTime()->Unit(benchmark::kMillisecond);

const std::string& bytes_to_compress() {
  static const std::string bytes = mixed_bytes(16 * kChunk, 7);
  return bytes;
}

void report(benchmark::State& state, std::size_t compressed) {
  const auto size = static_cast<std::int64_t>(bytes_to_compress().size());
  state.SetBytesProcessed(state.iterations() * size);
  state.counters["ratio"] = static_cast<double>(compressed) / static_cast<double>(size);
}

/// One thread, as the stream below: what libdeflate gains. `range` is the level.
void BM_GzipChunks(benchmark::State& state) {
  const std::string& bytes = bytes_to_compress();
  std::size_t compressed = 0;
  for (auto _ : state) {
    compressed = 0;
    for (std::size_t at = 0; at < bytes.size(); at += kChunk)
      compressed += compress_chunk(std::string_view(bytes).substr(at, kChunk), Compression::Gzip,
                                   static_cast<int>(state.range(0)))
                        .size();
  }
  report(state, compressed);
}
BENCHMARK(BM_GzipChunks)->Arg(1)->Arg(4)->Arg(6)->Arg(9)->Unit(benchmark::kMillisecond);

/// All cores.
void BM_GzipChunksParallel(benchmark::State& state) {
  const std::string& bytes = bytes_to_compress();
  std::vector<std::size_t> sizes(bytes.size() / kChunk);
  for (auto _ : state) {
    tbb::parallel_for(std::size_t{0}, sizes.size(), [&](std::size_t i) {
      sizes[i] = compress_chunk(std::string_view(bytes).substr(i * kChunk, kChunk), Compression::Gzip,
                                static_cast<int>(state.range(0)))
                     .size();
    });
  }
  std::size_t compressed = 0;
  for (std::size_t size : sizes) compressed += size;
  report(state, compressed);
}
BENCHMARK(BM_GzipChunksParallel)->Arg(6)->UseRealTime()->Unit(benchmark::kMillisecond);

void BM_ZlibSingleStream(benchmark::State& state) {
  const std::string& bytes = bytes_to_compress();
  std::string out(compressBound(bytes.size()) + 64, '\0');
  std::size_t compressed = 0;
  for (auto _ : state) {
    z_stream stream{};
    deflateInit2(&stream, static_cast<int>(state.range(0)), Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(bytes.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    deflate(&stream, Z_FINISH);
    compressed = stream.total_out;
    deflateEnd(&stream);
  }
  report(state, compressed);
}
BENCHMARK(BM_ZlibSingleStream)->Arg(1)->Arg(6)->Arg(9)->Unit(benchmark::kMillisecond);

void BM_ZstdChunks(benchmark::State& state) {
  const std::string& bytes = bytes_to_compress();
  std::size_t compressed = 0;
  for (auto _ : state) {
    compressed = 0;
    for (std::size_t at = 0; at < bytes.size(); at += kChunk)
      compressed += compress_chunk(std::string_view(bytes).substr(at, kChunk), Compression::Zstd,
                                   static_cast<int>(state.range(0)))
                        .size();
  }
  report(state, compressed);
}
BENCHMARK(BM_ZstdChunks)->Arg(3)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace slipway
