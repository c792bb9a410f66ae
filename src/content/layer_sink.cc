// A layer is cut into chunks of 1 MiB, and each chunk is compressed by itself: a gzip layer is a series of
// gzip members (RFC 1952, 2.2: "a gzip file consists of a series of members"), a zstd layer a series of
// frames (RFC 8878, 3.1). Every reader of layers takes those. Why so, and not one stream as gzip(1) writes:
//
// - It is parallel, in one pass, and the bytes depend on the chunk size and the level alone: one thread or
// sixty-four
//   give the same digest, which a reproducible build needs.
// - A stream compressor that flushes between blocks (pigz) is parallel too, but is tied to zlib; whole
// buffers let
//   libdeflate work, which is two to three times as fast for the same size.
// - The price is that a chunk does not see the 32 KiB before it, and 18 bytes of header and trailer: well
// below 1 % at
//   1 MiB. bench/content/layer_bench.cc measures both.
//
// Batches of chunks take turns: while TBB compresses one batch and digests its plain bytes, this thread fills
// the next. Then it waits for the first (working along with the others), and writes it out in order. Nothing
// waits for one particular chunk, so that a single thread, which runs tasks only while it waits, gets through
// as well.
#include "content/layer_sink.h"

#include <tbb/task_arena.h>
#include <tbb/task_group.h>

#include <algorithm>
#include <exception>

#include "base/error.h"
#include "content/chunk_compressor.h"

namespace slipway {
namespace {

constexpr std::size_t kChunk = std::size_t{1} << 20;
constexpr std::size_t kMostChunks = 64;  // in a batch: with two batches, 128 MiB and their compressed forms

}  // namespace

struct LayerSink::Batch {
  std::vector<std::string> plain;
  std::vector<std::string> packed;
  std::vector<std::exception_ptr> errors;
  tbb::task_group group;

  ~Batch() { group.wait(); }
};

LayerSink::LayerSink(BlobStore& blobs, const LayerOptions& options, std::stop_token stop)
    : options_(options),
      stop_(std::move(stop)),
      writer_(blobs.create()),
      batch_chunks_(std::clamp<std::size_t>(static_cast<std::size_t>(tbb::this_task_arena::max_concurrency()),
                                            2, kMostChunks)) {
  chunk_.reserve(kChunk);
}

LayerSink::~LayerSink() = default;

void LayerSink::add(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::string_view part = bytes.substr(0, kChunk - chunk_.size());
    chunk_ += part;
    bytes.remove_prefix(part.size());
    if (chunk_.size() == kChunk) close_chunk();
  }
}

void LayerSink::close_chunk() {
  if (stop_.stop_requested()) throw Cancelled{};
  filled_.push_back(std::move(chunk_));
  chunk_ = {};
  chunk_.reserve(kChunk);
  if (filled_.size() == batch_chunks_) rotate();
}

/// Starts the filled batch and ends the one before it.
void LayerSink::rotate() {
  auto next = std::make_unique<Batch>();
  next->plain = std::move(filled_);
  filled_ = {};
  next->packed.resize(next->plain.size());
  next->errors.resize(next->plain.size());
  if (options_.compression != Compression::None) {
    for (std::size_t i = 0; i < next->plain.size(); ++i) {
      next->group.run([batch = next.get(), i, this] {
        try {  // nothing may be thrown out of a task
          batch->packed[i] = compress_chunk(batch->plain[i], options_.compression, options_.level);
        } catch (...) {
          batch->errors[i] = std::current_exception();
        }
      });
    }
  }
  if (running_) running_->group.wait();
  // The plain bytes are digested in order: this batch's only after the last one's have been.
  next->group.run([batch = next.get(), this] {
    for (const std::string& chunk : batch->plain) diff_hash_.update(chunk);
  });
  std::swap(running_, next);
  if (next) complete(*next);
}

/// Writes out a batch whose tasks have ended.
void LayerSink::complete(Batch& batch) {
  const bool plain = options_.compression == Compression::None;
  for (std::size_t i = 0; i < batch.plain.size(); ++i) {
    if (batch.errors[i]) std::rethrow_exception(batch.errors[i]);
    writer_.write(plain ? batch.plain[i] : batch.packed[i]);
  }
}

LayerSink::Packed LayerSink::finish() {
  if (!chunk_.empty()) close_chunk();
  if (!filled_.empty()) rotate();
  if (running_) {
    running_->group.wait();
    complete(*running_);
    running_.reset();
  }
  if (stop_.stop_requested()) throw Cancelled{};
  return {.blob = std::move(writer_), .diff_id = diff_hash_.finish()};
}

}  // namespace slipway
