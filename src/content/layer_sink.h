#pragma once
// The second half of packing: bytes of a tar in, a blob in the store out. Internal to layers.
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "content/blob_store.h"
#include "content/layers.h"

namespace slipway {

/// One owner, one thread that calls it; it compresses on TBB's. Holds a bounded number of chunks, whatever
/// the layer's size. Destroyed without finish(): nothing remains.
class LayerSink {
 public:
  LayerSink(BlobStore& blobs, const LayerOptions& options, std::stop_token stop);
  ~LayerSink();
  /// Throws Cancelled, SystemError.
  void add(std::string_view bytes);

  struct Packed {
    BlobWriter blob;  ///< to be committed, which waits for the disk
    Digest diff_id;
    /// Waits for the disk. Throws SystemError.
    Layer commit(Compression compression);
  };
  Packed finish();

 private:
  struct Batch;
  void close_chunk();
  void rotate();
  void complete(Batch& batch);

  const LayerOptions options_;
  std::stop_token stop_;
  BlobWriter writer_;
  Sha256 diff_hash_;
  std::size_t batch_chunks_;
  std::string chunk_;
  std::vector<std::string> filled_;
  std::unique_ptr<Batch> running_;
};

}  // namespace slipway
